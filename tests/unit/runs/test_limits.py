"""A worker begins only what memory allows, and what a machine decides of a run stays as its first worker found it."""

from __future__ import annotations

from pathlib import Path

import pytest

from glassworks.machine import _Agreed
from glassworks.registry import Registry
from glassworks.runs import Runs, execution, worker
from glassworks.runs.queue import Lost, Queue
from glassworks.runs.reporting import Reporting
from glassworks.runs.worker import Worker
from glassworks.runs.works import _publishing

JOB = {"job": {"name": "digits", "family": "convnet", "data": {"source": "sample:digits"}}}


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setenv("GLASSWORKS_HOME", str(tmp_path))
    return Registry.open()


def test_without_memory_a_run_waits(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """And begins once there is some; smaller ones do not wait for it."""
    runs, said = Runs(registry), list[str]()
    waiting = runs.submit("train", JOB)
    working = Worker(registry, said.append)
    executed: list[str] = []
    monkeypatch.setattr(Worker, "_execute", lambda self, run, queue, worker: executed.append(run.id))
    monkeypatch.setattr(worker, "available_bytes", lambda: 2**29)
    for _ in range(3):
        assert not working._next()
    (line,) = said  # once
    assert line.startswith("no memory is free for runs that are ")
    assert "train" in line
    assert "predict" not in line
    assert runs.get(waiting.id).state == "queued"
    monkeypatch.setattr(worker, "available_bytes", lambda: 2**30)
    assert working._next()
    assert executed == [waiting.id]


@pytest.mark.parametrize(("free", "total"), [(2**20, 2**20), (None, 2**40), (2**60, 2**60)])
def test_a_machine_that_never_has_so_much_tries(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, free: int | None, total: int
) -> None:
    monkeypatch.setattr(worker, "available_bytes", lambda: free)
    monkeypatch.setattr(worker, "total_bytes", lambda: total)
    assert worker._too_large() == ()


def test_the_number_of_threads_is_settled_by_whoever_begins(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever goes on computes with as many, so that the weights are the same."""
    monkeypatch.setattr(_Agreed, "cpus", 0)
    runs, used = Runs(registry), list[int]()

    class Killed(BaseException):
        pass

    def made(self: object, job: object, progress: object, fresh: bool) -> None:
        from glassworks.machine import usable_cpus

        used.append(usable_cpus())
        raise Killed

    monkeypatch.setattr("glassworks.runs.works.train.Train.made", made)
    run = runs.submit("train", JOB)
    for number, cpus in enumerate((5, 1)):
        monkeypatch.setattr(_publishing, "usable_cpus", lambda cpus=cpus: cpus)
        queue = Queue(runs, f"worker-{number}")
        claimed = queue.claim()
        assert claimed
        with pytest.raises(Killed):
            execution._result(claimed, queue, Reporting(queue, run.id, lambda: None))
        queue.died(run.id, "as was wanted")
    assert used == [5, 5]
    assert runs.get(run.id).request["threads"] == 5


def test_who_lost_a_run_settles_nothing(registry: Registry) -> None:
    runs = Runs(registry)
    run = runs.submit("train", JOB)
    queue = Queue(runs, "one")
    assert queue.claim()
    queue.died(run.id, "as was wanted")
    with pytest.raises(Lost):
        queue.settle(run.id, {})
