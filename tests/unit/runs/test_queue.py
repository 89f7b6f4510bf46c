"""Runs are queued once, taken by one worker, reported on by nobody else, and never lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.patience import until

from glassworks.errors import ConfigError, InputError, NotFound
from glassworks.machine import computed_s
from glassworks.registry import Registry
from glassworks.runs import Run, Runs
from glassworks.runs.presence import Presence, anybody
from glassworks.runs.queue import Lost, Queue, Report
from glassworks.runs.records import OPEN
from glassworks.runs.store import LEASE_S
from glassworks.runs.worker import Pulse, Worker

JOB = {"job": {"name": "digits", "family": "convnet", "data": {"source": "sample:digits"}}}


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def runs(tmp_path: Path, clock: Clock) -> Runs:
    return Runs(Registry.open({"GLASSWORKS_HOME": str(tmp_path)}), clock)


def states(runs: Runs, run: Run) -> list[str]:
    return [event.data["state"] for event in runs.events(run.id) if event.kind == "state"]


def test_what_was_asked_for_is_kept(runs: Runs, clock: Clock) -> None:
    run = runs.submit("train", JOB, who="ann", parent="")
    assert (run.kind, run.about, run.state, run.who, run.created_at) == ("train", "digits", "queued", "ann", clock.now)
    assert runs.get(run.id) == runs.get(run.id[:6]) == run
    assert runs.list() == (run,)
    assert states(runs, run) == ["queued"]


@pytest.mark.parametrize(
    ("kind", "request_", "error", "said"),
    [
        ("cook", {}, NotFound, "no work 'cook'"),
        ("train", {}, ConfigError, "job"),
        ("train", {"job": {"name": "a"}, "fast": True}, ConfigError, "fast"),
        ("train", {"job": {"name": "a", "family": "convnets"}}, InputError, "convnets"),
        ("train", {"job": {**JOB["job"], "training": {"epoch": 3}}}, ConfigError, "training.epoch"),
        ("evaluate", {"model": "nobody"}, NotFound, "nobody"),
    ],
)
def test_what_cannot_work_is_never_queued(
    runs: Runs, kind: str, request_: dict[str, object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        runs.submit(kind, request_)
    assert runs.list() == ()


def test_an_idempotency_key_is_one_run(runs: Runs) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: runs.submit("train", JOB, idempotency="monday"), range(8)))
    assert len({run.id for run in found}) == len(runs.list()) == 1
    with pytest.raises(InputError, match="belongs to run"):
        runs.submit("release", JOB, idempotency="monday")
    assert runs.submit("train", JOB, idempotency="tuesday").id != found[0].id


def test_the_most_urgent_first_then_the_oldest(runs: Runs) -> None:
    names = [runs.submit("train", JOB, priority=priority).id for priority in (0, 5, 0, 5)]
    taken = [run.id for run in iter(Queue(runs, "w").claim, None)]
    assert taken == [names[1], names[3], names[0], names[2]]


def test_workers_leave_what_services_do(tmp_path: Path) -> None:
    """A worker that ends when nothing waits for one ends; whoever takes only such work gets it."""
    registry = Registry.open({"GLASSWORKS_HOME": str(tmp_path)})
    runs = Runs(registry)
    run = runs.submit("evaluation", {"evaluation": "evalrun_1", "about": "m@1"})
    Worker(registry).work(until_empty=True)
    assert runs.get(run.id).state == "queued"
    train = runs.submit("train", JOB)
    found = Queue(runs, "service").claim(only=("evaluation",))
    assert found is not None
    assert found.id == run.id
    assert Queue(runs, "service").claim(only=("evaluation",)) is None
    assert runs.get(train.id).state == "queued"


def test_no_run_is_taken_twice(runs: Runs) -> None:
    names = {runs.submit("train", JOB).id for _ in range(30)}

    def take(number: int) -> list[str]:
        return [run.id for run in iter(Queue(runs, f"w{number}").claim, None)]

    with ThreadPoolExecutor(6) as pool:
        taken = [name for part in pool.map(take, range(6)) for name in part]
    assert sorted(taken) == sorted(names)


def test_who_lost_a_run_can_say_nothing_of_it(runs: Runs, clock: Clock) -> None:
    run = runs.submit("train", JOB)
    slow, quick = Queue(runs, "slow"), Queue(runs, "quick")
    assert slow.claim()
    clock.now += LEASE_S - 1
    slow.report(run.id, Report(stage="train", stages=2, step=7, total=10))
    clock.now += LEASE_S - 1
    runs.recover()
    assert quick.claim() is None, "the lease was renewed"
    assert slow.renew(run.id)
    clock.now += LEASE_S - 1
    runs.recover()
    assert quick.claim() is None, "its process lives, though it did not report"
    clock.now += 2
    runs.recover()
    taken = quick.claim()
    assert taken
    assert (taken.attempts, taken.stage, taken.step) == (2, "train", 7)
    for call in (
        lambda: slow.report(run.id, Report()),
        lambda: slow.succeed(run.id, {}, Report()),
        lambda: slow.fail(run.id, "a", "b", Report()),
        lambda: slow.give_back(run.id, Report()),
        lambda: published(runs, slow, run),
    ):
        with pytest.raises(Lost):
            call()
    assert not slow.renew(run.id)
    slow.died(run.id, "it was ended")
    assert runs.get(run.id).state == "running"
    slow.log(run.id, ["nobody may read this"])
    assert runs.log(run.id) == ()
    assert (slow.is_mine(run.id), quick.is_mine(run.id)) == (False, True)
    quick.succeed(run.id, {"model": "digits@1"}, Report())
    assert runs.get(run.id).result == {"model": "digits@1"}
    assert states(runs, run) == ["queued", "running", "interrupted", "running", "succeeded"]


def test_a_run_that_kills_its_process_at_the_same_place_fails(runs: Runs) -> None:
    run = runs.submit("train", JOB)
    queue = Queue(runs, "w")
    for step in (3, 9, 2):
        assert queue.claim()
        queue.report(run.id, Report(stage="train", stages=2, step=step))
        queue.died(run.id, "it was ended by SIGKILL")
        assert runs.get(run.id).state == "interrupted"
    assert queue.claim()
    queue.died(run.id, "it was ended by SIGKILL")
    failed = runs.get(run.id)
    assert failed.state == "failed"
    assert failed.error
    assert "3 times at the same place: it was ended by SIGKILL" in failed.error.problem
    assert runs.resume(run.id).state == "queued"
    assert queue.claim()


def published(runs: Runs, queue: Queue, run: Run) -> None:
    with runs.connected.transaction() as connection:
        queue.publish(run.id, connection, "digits@1")


def test_a_version_is_its_runs_or_not_there(runs: Runs, clock: Clock) -> None:
    run = runs.submit("train", JOB)
    first, second = Queue(runs, "first"), Queue(runs, "second")
    first.claim()
    assert first.published(run.id) == ""
    published(runs, first, run)
    clock.now += LEASE_S + 1
    assert runs.get(run.id).state == "interrupted"
    assert second.claim()
    assert second.published(run.id) == "digits@1"


def test_a_run_that_was_given_back_waits_for_a_while(runs: Runs, clock: Clock) -> None:
    run, cancelled = (runs.submit("train", JOB) for _ in range(2))
    queue = Queue(runs, "w")
    for each in (run, cancelled):
        taken = queue.claim()
        assert taken
        assert taken.id == each.id
    runs.cancel(cancelled.id)
    queue.give_back(run.id, Report(), later_s=30)
    queue.give_back(cancelled.id, Report(), later_s=30)
    assert (runs.get(run.id).state, runs.get(cancelled.id).state) == ("interrupted", "cancelled")
    assert queue.claim() is None
    assert runs.waits(), "a worker that ends with the queue stays for it"
    clock.now += 31
    assert queue.claim()


def test_workers_that_take_no_more_are_seen(tmp_path: Path) -> None:
    assert not anybody(tmp_path)
    one, other = Presence(tmp_path), Presence(tmp_path)
    one.enter()
    other.enter()
    one.leave()
    assert anybody(tmp_path)
    other.close()
    assert not anybody(tmp_path)
    one.enter()
    assert anybody(tmp_path)
    one.close()


def test_cancelling(runs: Runs, clock: Clock) -> None:
    waiting, running, dead = (runs.submit("train", JOB) for _ in range(3))
    assert runs.cancel(waiting.id).state == "cancelled"
    queue = Queue(runs, "w")
    queue.claim()
    assert runs.cancel(running.id).cancelling
    assert queue.report(running.id, Report()).cancel
    queue.cancelled(running.id, Report())
    assert not runs.get(running.id).cancelling
    queue.claim()
    runs.cancel(dead.id)
    clock.now += LEASE_S + 1
    assert [runs.get(each.id).state for each in (waiting, running, dead)] == ["cancelled"] * 3
    with pytest.raises(InputError, match="it is cancelled"):
        runs.cancel(dead.id)
    assert runs.resume(dead.id).state == "queued"
    with pytest.raises(InputError, match="it goes on by itself"):
        runs.resume(dead.id)


def test_training_that_is_good_enough(runs: Runs, clock: Clock) -> None:
    """The wish is kept with the run: who goes on after a kill learns it too. Only training can be ended so."""
    run = runs.submit("train", JOB)
    with pytest.raises(InputError, match="is not training: it is queued"):
        runs.finish(run.id)
    queue = Queue(runs, "w")
    queue.claim()
    queue.report(run.id, Report(stage="data", stages=1))
    with pytest.raises(InputError, match="it is at 'data'"):
        runs.finish(run.id)
    assert queue.report(run.id, Report(stage="train", stages=2)) == (False, False)
    assert runs.finish(run.id).request["finish"]
    assert runs.finish(run.id).state == "running"
    assert queue.report(run.id, Report(stage="train", stages=2)) == (False, True)
    assert sum("somebody asked" in event.data.get("because", "") for event in runs.events(run.id)) == 1
    clock.now += LEASE_S + 1
    assert runs.get(run.id).state == "interrupted"
    again = Queue(runs, "v").claim()
    assert again is not None
    assert again.request["finish"]


def test_pages_and_choices(runs: Runs) -> None:
    names = [runs.submit("train" if number % 2 else "release", JOB).id for number in range(7)][::-1]
    first = runs.list(limit=3)
    assert [run.id for run in first] == names[:3]
    assert [run.id for run in runs.list(before=first[-1].id)] == names[3:]
    assert [run.id for run in runs.list(kind="train")] == names[1::2]
    runs.cancel(names[0])
    assert [run.id for run in runs.list(("cancelled",))] == names[:1]
    with pytest.raises(NotFound, match="no run"):
        runs.get("zzz")
    with pytest.raises(NotFound):
        runs.get("%")
    with pytest.raises(NotFound):
        runs.get("")


def test_events_are_read_on_from_any_number(runs: Runs) -> None:
    run = runs.submit("train", JOB)
    queue = Queue(runs, "w")
    queue.claim()
    queue.report(run.id, Report(events=[(1.0, "stage", {"stage": "train", "total": 3})]))
    queue.report(run.id, Report(events=[(2.0, "values", {"loss": 0.5}), (3.0, "values", {"loss": 0.25})]))
    queue.log(run.id, ["a line"])
    whole = runs.events(run.id)
    assert [event.kind for event in whole] == ["state", "state", "stage", "values", "values", "log"]
    for place in range(len(whole)):
        assert runs.events(run.id, whole[place].number) == whole[place + 1 :]
    assert runs.events(run.id, limit=2) == whole[:2]


class Workers(RuleBasedStateMachine):
    """Workers take, report, end and die in any order: a run ends at most once, and none that is open is forgotten."""

    @initialize()
    def begin(self) -> None:
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.runs = Runs(Registry.open({"GLASSWORKS_HOME": self.folder.name}), self.clock)
        self.mine: dict[str, str] = {}
        self.ended: dict[str, str] = {}
        self.number = 0

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    @rule()
    def submit(self) -> None:
        self.runs.submit("train", JOB)

    @rule()
    def take(self) -> None:
        self.number += 1
        worker = f"w{self.number}"
        if run := Queue(self.runs, worker).claim():
            assert run.id not in self.ended
            self.mine[worker] = run.id

    @rule()
    def succeed(self) -> None:
        for worker, run in list(self.mine.items())[:1]:
            del self.mine[worker]
            try:
                Queue(self.runs, worker).succeed(run, {"by": worker}, Report())
            except Lost:
                continue
            assert run not in self.ended
            self.ended[run] = worker

    @rule()
    def time_passes(self) -> None:
        self.clock.now += 0.6 * LEASE_S
        self.runs.recover()

    @invariant()
    def nothing_is_lost(self) -> None:
        if not hasattr(self, "runs"):
            return
        for run in self.runs.list(limit=1000):
            if run.id in self.ended:
                assert (run.state, run.result) == ("succeeded", {"by": self.ended[run.id]})
            else:
                assert run.state in (*OPEN, "failed")


TestWorkers = Workers.TestCase
TestWorkers.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)


@pytest.fixture(autouse=True)
def _no_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("GLASSWORKS_HOME", str(tmp_path))
    yield


def test_a_process_that_computes_is_not_dead_and_one_that_stands_still_is(clock: Clock) -> None:
    computed: list[float | None] = [0.0]
    pulse = Pulse(1, lambda process: computed[-1], lambda: clock.now)
    computed.append(0.1)
    assert not pulse.beats(), "it was asked a moment ago"
    clock.now += LEASE_S / 2
    assert pulse.beats()
    clock.now += LEASE_S / 2
    assert not pulse.beats()
    computed.append(None)  # no such process, or another system
    clock.now += LEASE_S / 2
    assert not pulse.beats()


def test_what_a_process_has_computed_is_known_here() -> None:
    before = computed_s(os.getpid())
    assert before is not None
    until(lambda: (computed_s(os.getpid()) or 0) > before)
    assert computed_s(2**30) is None
