"""What runs cost, and what they survive: workers killed again and again in one training, and times of the queue.

    python benchmarks/runs.py [--kills N] [--epochs N]

A training is queued twice. The first is left alone; while the second trains, its worker is killed with SIGKILL at
evenly spread steps, each time with the process of the run, and another worker is started. Both must give the same
weights, each one version. It takes about a minute for the first and half a minute for each kill.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from report import publish

from glassworks.registry import Registry
from glassworks.runs import Run, Runs
from glassworks.runs.queue import Queue, Report

SUBMITTED, LISTED, REPORTED, EVENTS = 200, 1_000, 200, 5
ENDED = ("succeeded", "failed", "cancelled")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=350)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GLASSWORKS_HOME"] = folder
        times, idle = queue_times(Path(folder) / "queue"), idle_worker()
        killed = kills(asked.kills, asked.epochs)
    runs_there = f"{killed['runs']} of 2 runs, {killed['versions']} versions"
    bars = {"list of 1,000 runs, ms": "100"}
    rows: list[tuple[str, object, str]] = [
        ("processor", processor(), ""),
        ("training alone, s", killed["alone_s"], ""),
        (f"the same with {asked.kills} workers killed, s", killed["killed_s"], ""),
        ("attempts", killed["attempts"], ""),
        ("weights", "the same" if killed["same_weights"] else "DIFFERENT", "the same"),
        ("lost, or there twice", runs_there, "2 of 2 runs, 2 versions"),
        ("from a kill to the next attempt, s (median)", killed["taken_up_s"], "10, the lease"),
        ("from there to further steps, s (median)", killed["further_s"], ""),
        *((f"{name}", value, bars.get(name, "")) for name, value in {**times, **idle}.items()),
    ]
    publish("runs", {"processor": processor(), **killed, **times, **idle}, rows)


def queue_times(home: Path) -> dict[str, float]:
    """Milliseconds, medians: of one transaction each, on the disk under the temporary folder."""
    runs = Runs(Registry.open({"GLASSWORKS_HOME": str(home)}))
    request = {"job": job("digits", 1)}
    submitted = [_ms(lambda: runs.submit("train", request)) for _ in range(SUBMITTED)]
    queues = [Queue(runs, f"worker-{number}") for number in range(SUBMITTED)]
    claimed = [_ms(queue.claim) for queue in queues]
    nothing = [_ms(queues[0].claim) for _ in range(SUBMITTED)]
    newest = runs.list(("running",), limit=1)[0]
    mine = queues[-1]  # the newest was queued last, so that the last one has it
    values = {"step": 1.0, "loss": 0.5}
    events = [(time.time(), "values", values)] * EVENTS
    report = Report(stage="train", stages=1, step=1, total=100, values=values, events=events)
    written = [_ms(lambda: mine.report(newest.id, report)) for _ in range(REPORTED)]
    for _ in range(LISTED - SUBMITTED):
        runs.submit("train", request)
    listed = [_ms(lambda: runs.list(limit=LISTED)) for _ in range(20)]
    page = [_ms(lambda: runs.list(limit=50)) for _ in range(20)]
    return {
        "submit, ms": statistics.median(submitted),
        "claim, ms": statistics.median(claimed),
        "claim where nothing waits, ms": statistics.median(nothing),
        f"report with {EVENTS} events, ms": statistics.median(written),
        "list of 1,000 runs, ms": statistics.median(listed),
        "the newest 50 of 1,000 runs, ms": statistics.median(page),
    }


def idle_worker() -> dict[str, float]:
    """What a worker costs that waits."""
    with worker() as process:
        time.sleep(5)
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        start = _cpu_s(process.pid)
        time.sleep(10)
        cpu = (_cpu_s(process.pid) - start) / 10
    memory = int(status.split("VmRSS:")[1].split()[0]) / 1024
    return {"idle worker, MB": memory, "idle worker, % of a processor": 100 * cpu, "its start, s of a processor": start}


def kills(count: int, epochs: int) -> dict[str, object]:
    """One training left alone, one with so many workers killed."""
    runs, registry = Runs(Registry.open()), Registry.open()
    alone = runs.submit("train", {"job": job("alone", epochs)})
    with worker():
        expected = until(lambda: _ended(runs, alone))
    run = runs.submit("train", {"job": job("killed", epochs)})
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(worker())
        first = until(lambda: _training(runs, run))
        taken_up, further = [], []
        for number in range(1, count + 1):
            wanted = (first.total or 0) * number // (count + 1)
            until(lambda wanted=wanted: runs.get(run.id).step >= wanted or _ended(runs, run))  # type: ignore[misc]
            process.kill()
            at, before = time.time(), len(_attempts(runs, run))
            process = stack.enter_context(worker())
            until(lambda before=before: len(_attempts(runs, run)) > before or _ended(runs, run))  # type: ignore[misc]
            taken_up.append(_attempts(runs, run)[-1] - at)
            until(lambda: _training(runs, run))
            further.append(time.time() - _attempts(runs, run)[-1])
        found = until(lambda: _ended(runs, run))
    weights = [
        registry.manifest(registry.find(each.result["model"])).lineage.weights_sha256 for each in (expected, found)
    ]
    return {
        "kills": count,
        "alone_s": (expected.ended_at or 0) - (expected.started_at or 0),
        "killed_s": (found.ended_at or 0) - (found.started_at or 0),
        "attempts": found.attempts,
        "same_weights": weights[0] == weights[1],
        "weights_sha256": weights[0],
        "runs": len(runs.list(("succeeded",))),
        "versions": sum(len(registry.versions(name)) for name in ("alone", "killed")),
        "taken_up_s": statistics.median(taken_up),
        "further_s": statistics.median(further or [0.0]),
    }


def job(name: str, epochs: int) -> dict[str, object]:
    """Digits, a checkpoint a second."""
    training = {"epochs": epochs, "threads": 1, "precision": "fp32", "checkpoint_every": "1s"}
    return {"name": name, "family": "convnet", "data": {"source": "sample:digits"}, "training": training}


def processor() -> str:
    """Its name, and how many of them there are."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{os.cpu_count()} x {names[0] if names else platform.processor()}"


@contextlib.contextmanager
def worker() -> Iterator[subprocess.Popen[bytes]]:
    """`glassworks worker`; asked to end at the end, and waited for."""
    with subprocess.Popen([sys.executable, "-m", "glassworks", "worker"], stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()


def until(found: Callable[[], Run | bool | None]) -> Run:
    """What comes."""
    while not (value := found()):
        time.sleep(0.05)
    return value  # type: ignore[return-value]


def _ended(runs: Runs, run: Run) -> Run | None:
    found = runs.get(run.id)
    return found if found.state in ENDED else None


def _training(runs: Runs, run: Run) -> Run | None:
    """The run, once it has made steps in this attempt; or its end."""
    found = runs.get(run.id)
    begun = _attempts(runs, run)
    new = (
        [event for event in runs.events(run.id, limit=10**6) if event.kind == "values" and event.at > begun[-1]]
        if begun
        else []
    )
    return found if found.state in ENDED or (found.state == "running" and found.stage == "train" and new) else None


def _attempts(runs: Runs, run: Run) -> list[float]:
    """When each began."""
    return [event.at for event in runs.events(run.id, limit=10**6) if event.kind == "state" and "attempt" in event.data]


def _cpu_s(process: int) -> float:
    user, system = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _ms(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - start)


if __name__ == "__main__":
    main()
