"""Runs: the folder of one training, found again by what it trains, and held by one process at a time."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from glassworks.config import Job
from glassworks.errors import UnderWay
from glassworks.storage import storage_errors


@contextlib.contextmanager
def open_run(home: Path, job: Job, fingerprint: str, *, fresh: bool = False) -> Iterator[Path]:
    """The folder of this job on this data: the same command finds the same folder, and so resumes.

    `fresh` forgets what an interrupted run left. Raises TrainingError while another process holds the run.
    """
    folder = home / "runs" / run_name(job, fingerprint)
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UnderWay(
                f"another process is training this job in {folder}",
                "wait until it ends, or give this one another name: --set name=...",
            ) from None
        if fresh:
            forget_run(folder)
        yield folder


def run_name(job: Job, fingerprint: str) -> str:
    """The job's name and a digest of everything that decides the weights."""
    decisive = job.model_dump(mode="json", include={"family", "data", "model", "training"})
    digest = hashlib.sha256(json.dumps([decisive, fingerprint], sort_keys=True).encode()).hexdigest()
    return f"{job.name}-{digest[:12]}"


def forget_run(folder: Path) -> None:
    """Remove what the run holds, but not its lock: the next start of the job trains anew."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in ("lock", "metrics.jsonl"):
            path.unlink()
