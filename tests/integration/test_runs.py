"""Runs with real workers: killed, cancelled and left alone, they end with what they would have ended with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.patience import PATIENCE_S, until

from glassworks.families.convnet.synthetic import write_bars
from glassworks.registry import Registry
from glassworks.runs import Run, Runs
from glassworks.runs.presence import anybody

KILLS = 2


def job(home: Path, **training: Any) -> dict[str, Any]:
    common = {"epochs": 60, "batch_size": 32, "checkpoint_every": "0.1s", "precision": "fp32", "threads": 1}
    return {
        "name": "bars",
        "family": "convnet",
        "data": {"source": f"npz:{home / 'bars.npz'}"},
        "training": {**common, **training},
    }


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GLASSWORKS_HOME", str(tmp_path))
    write_bars(tmp_path / "bars.npz", examples=240, side=16, seed=0)
    return tmp_path


@pytest.fixture
def runs(home: Path) -> Runs:
    return Runs(Registry.open())


@contextmanager
def worker(*options: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-m", "glassworks", "worker", *options]) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def glassworks(*arguments: str) -> tuple[int, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "glassworks", *arguments, "--json"], capture_output=True, check=False, timeout=PATIENCE_S
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr.decode()


def ended(runs: Runs, run: Run) -> Run:
    until(lambda: runs.get(run.id).state in ("succeeded", "failed", "cancelled"), "the end of the run")
    return runs.get(run.id)


def weights(reference: str) -> str:
    registry = Registry.open()
    return registry.manifest(registry.find(reference)).lineage.weights_sha256


def executing(run: Run) -> int | None:
    """The process of a run."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"glassworks.runs.execution" in command and run.id.encode() in command:
            return int(folder.name)
    return None


def values(runs: Runs, run: Run) -> int:
    """How many came."""
    return len([event for event in runs.events(run.id, limit=10**6) if event.kind == "values"])


def further(runs: Runs, run: Run) -> None:
    """Wait until more values come, or the run ends."""
    before = values(runs, run)
    until(lambda: values(runs, run) > before or runs.get(run.id).state == "succeeded", "further values")


def attempt(runs: Runs, run: Run, after: int) -> None:
    until(lambda: runs.get(run.id).attempts > after, "another attempt")


def test_killed_again_and_again_it_ends_with_the_same_weights(home: Path, runs: Runs) -> None:
    """Once the process of the run alone, then worker and all."""
    alone = runs.submit("train", {"job": {**job(home), "name": "alone"}})
    with worker():
        expected = ended(runs, alone)
        assert expected.state == "succeeded", expected
    run = runs.submit("train", {"job": job(home)})
    for number in range(KILLS):
        with worker() as process:
            further(runs, run)
            executor = executing(run)
            if executor is None:
                break
            if number % 2:
                process.kill()
                until(lambda: executing(run) is None, "the end of the orphan")
            else:
                os.kill(executor, signal.SIGKILL)
                attempt(runs, run, after=runs.get(run.id).attempts)
    with worker():
        found = ended(runs, run)
    assert found.state == "succeeded", found
    assert found.attempts > 1
    assert weights(found.result["model"]) == weights(expected.result["model"])
    assert [version.version for version in Registry.open().versions("bars")] == [1]


def test_killed_explanations_end_with_the_same_bytes(home: Path, runs: Runs) -> None:
    """No line is lost, none is there twice."""
    trained = runs.submit("train", {"job": job(home, epochs=2)})
    with worker():
        assert ended(runs, trained).state == "succeeded"
        asked = {"model": "bars", "data": f"npz:{home / 'bars.npz'}", "method": "integrated_gradients"}
        alone, killed = (runs.submit("explain", asked) for _ in range(2))
        expected = ended(runs, alone)
        for _ in range(KILLS):
            further(runs, killed)
            if executor := executing(killed):
                os.kill(executor, signal.SIGKILL)
                attempt(runs, killed, after=runs.get(killed.id).attempts)
        found = ended(runs, killed)
    assert (found.state, found.attempts > 1) == ("succeeded", True), found
    written = [Path(each.result["file"]).read_bytes() for each in (expected, found)]
    assert written[0] == written[1]
    assert [json.loads(line)["row"] for line in written[0].splitlines()] == list(range(found.result["examples"]))
    assert [path.name for path in Path(found.result["file"]).parent.glob(".*")] == []


def test_a_process_that_stands_still_loses_its_run(home: Path, runs: Runs) -> None:
    """Another worker takes it; the first one ends what stands still, which holds the training's lock."""
    run = runs.submit("train", {"job": job(home)})
    with worker():
        further(runs, run)
        stopped = executing(run)
        assert stopped
        os.kill(stopped, signal.SIGSTOP)
        found = ended(runs, run)
    assert (found.state, found.attempts > 1) == ("succeeded", True), found
    assert executing(run) is None


def test_two_runs_of_one_job_at_once(home: Path, runs: Runs) -> None:
    """The second waits for the first instead of failing."""
    both = [runs.submit("train", {"job": job(home, epochs=10)}) for _ in range(2)]
    with worker(), worker():
        assert [ended(runs, each).state for each in both] == ["succeeded", "succeeded"]


def test_cancelled_and_gone_on_with(home: Path, runs: Runs) -> None:
    run = runs.submit("train", {"job": job(home, epochs=120)})
    with worker():
        further(runs, run)
        code, said = glassworks("runs", "cancel", run.id[:8])
        assert (code, said["run"]["id"]) == (0, run.id)
        assert ended(runs, run).state == "cancelled"
        assert executing(run) is None
        assert glassworks("runs", "resume", run.id)[0] == 0
        code, said = glassworks("runs", "follow", run.id)
    assert (code, said["run"]["state"], said["run"]["result"]["model"]) == (0, "succeeded", "bars@1")


def test_a_worker_that_is_told_to_stop_leaves_its_run_to_others(home: Path, runs: Runs) -> None:
    run = runs.submit("train", {"job": job(home, epochs=120)})
    with worker() as process:
        further(runs, run)
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
    assert runs.get(run.id).state == "interrupted"
    runs.cancel(run.id)


def test_in_the_background_from_the_command_line(home: Path, runs: Runs) -> None:
    """Without a worker, one is started that ends by itself; what fails has its error and its mend."""
    text = '[data]\nsource = "npz:bars.npz"\n[training]\nepochs = 1\n'
    (home / "job.toml").write_text(f'name = "bars"\nfamily = "convnet"\n{text}', encoding="utf-8")
    code, said = glassworks("train", str(home / "job.toml"), "--detach")
    assert (code, said["run"]["state"]) == (0, "queued")
    trained = ended(runs, runs.get(said["run"]["id"]))
    assert trained.result["model"] == "bars@1"
    code, said = glassworks("evaluate", "bars", "--data", "npz:nowhere.npz", "--detach")
    failed = ended(runs, runs.get(said["run"]["id"]))
    asked = {"model": "bars@1", "data": f"npz:{Path.cwd() / 'nowhere.npz'}", "columns": {}}
    assert asked.items() <= failed.request.items()
    assert failed.error
    assert "nowhere.npz" in failed.error.problem
    code, said = glassworks("runs", "follow", failed.id)
    assert (code, said["run"]["error"]) == (1, failed.error.model_dump())
    code, said = glassworks("optimize", "bars", "--minimize", "size", "--detach")
    optimized = ended(runs, runs.get(said["run"]["id"]))
    assert optimized.result["model"] == "bars@2"
    listed: Mapping[str, Any] = glassworks("runs", "list")[1]
    assert [each["kind"] for each in listed["runs"]] == ["optimize", "evaluate", "train"]
    until(lambda: not anybody(home), "the end of the worker")
