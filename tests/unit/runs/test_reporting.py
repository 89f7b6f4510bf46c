"""What an operation reports is in the run's events within a moment, whatever the database does meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.patience import until

from glassworks.errors import Cancelled, StorageError
from glassworks.runs.queue import Asked, Lost, Report
from glassworks.runs.reporting import Reporting


class Kept:
    """In the place of the queue; `refuse` is raised by the next reports."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.refuse: list[Exception] = []
        self.cancel = self.finish = False

    def report(self, run: str, report: Report) -> Asked:
        if self.refuse:
            raise self.refuse.pop()
        self.reports.append(report)
        return Asked(self.cancel, self.finish)

    @property
    def values(self) -> list[Any]:
        return [data["step"] for report in self.reports for _, kind, data in report.events if kind == "values"]


def reporting(kept: Kept, lost: Callable[[], None] = lambda: None) -> Reporting:
    return Reporting(kept, "r", lost)  # type: ignore[arg-type]


def test_stages_values_and_ends_in_order() -> None:
    kept = Kept()
    progress = reporting(kept)
    with progress.kept():
        progress.start("data")
        progress.finish("10 examples")
        progress.start("train", 3)
        progress.update(step=1, loss=0.5)
        until(lambda: bool(kept.values))
    progress.update(step=2, loss=0.25)
    last = progress.report()
    assert [(kind, data) for _, kind, data in kept.reports[0].events][:3] == [
        ("stage", {"stage": "data", "total": None}),
        ("done", {"stage": "data", "message": "10 examples"}),
        ("stage", {"stage": "train", "total": 3}),
    ]
    assert last.values == {"step": 2, "loss": 0.25}
    assert (last.stage, last.stages, last.step, last.total) == ("train", 2, 2, 3)
    assert kept.reports[0].reached < last.reached


def test_of_many_values_enough_are_kept_and_the_last_always() -> None:
    """Ten a second at first, in a long stage a share of its length; the moment's are whole all the time."""
    now = [0.0]
    progress = Reporting(Kept(), "r", lambda: None, lambda: now[0])  # type: ignore[arg-type]
    progress.start("train", 10_000)
    for step in range(100_000):
        now[0] += 0.01
        progress.update(step=step, loss=1 / (1 + step))
    assert progress.report().values == {"step": 99_999, "loss": 1 / 100_000}
    for step in range(100_000, 200_000):
        now[0] += 0.1
        progress.update(step=step)
    progress.finish("done")
    events = progress.report().events
    steps = [data["step"] for _, kind, data in events if kind == "values"]
    assert events[-1][1] == "done"
    assert len(steps) < 2000 * 3
    assert steps == sorted(steps)
    assert steps[-1] == 199_999


def test_values_of_different_things_are_all_kept_by_themselves() -> None:
    """However quickly one candidate follows another: the numbers of two are never mixed."""
    progress = Reporting(Kept(), "r", lambda: None, lambda: 0.0)  # type: ignore[arg-type]
    progress.start("optimize: accuracy", 3)
    progress.update(candidate="fp32", accuracy=0.9)
    progress.update(candidate="int8", size_bytes=7)
    progress.update(candidate="bf16", accuracy=0.8)
    progress.finish("chosen")
    events = [data for _, kind, data in progress.report().events if kind == "values"]
    stage = {"stage": "optimize: accuracy"}
    assert events == [
        {**stage, "candidate": "fp32", "accuracy": 0.9},
        {**stage, "candidate": "int8", "size_bytes": 7},
        {**stage, "candidate": "bf16", "accuracy": 0.8},
    ]


def test_what_an_epoch_measured_keeps_its_step() -> None:
    """Steps that follow within the same moment are not mixed with it."""
    progress = Reporting(Kept(), "r", lambda: None, lambda: 0.0)  # type: ignore[arg-type]
    progress.start("train", 6)
    for step in range(1, 7):
        progress.update(step=step, loss=float(step), left_s=1.0)
        if step % 2 == 0:
            progress.update(epoch=step / 2, step=float(step), loss=0.5, validation_loss=float(step))
    progress.finish()
    rows = [data for _, kind, data in progress.report().events if kind == "values" and "validation_loss" in data]
    assert [(row["step"], row["validation_loss"], row["loss"]) for row in rows] == [
        (2.0, 2.0, 0.5), (4.0, 4.0, 0.5), (6.0, 6.0, 0.5)
    ]  # fmt: skip


def test_what_could_not_be_written_comes_later() -> None:
    kept = Kept()
    kept.refuse = [StorageError("the disk is full", "free some"), StorageError("the disk is full", "free some")]
    progress = reporting(kept)
    with progress.kept():
        progress.start("train", 3)
        progress.update(step=1)
        until(lambda: not kept.refuse)
        progress.update(step=2)
        progress.finish()
        until(lambda: len(kept.values) == 2)
    assert kept.values == [1, 2]


def test_a_run_that_is_cancelled_stops_at_its_next_step() -> None:
    kept = Kept()
    kept.cancel = True
    progress = reporting(kept)
    with progress.kept():
        progress.start("train")
        until(lambda: progress.cancelled)
        with pytest.raises(Cancelled):
            progress.update(step=1)


def test_a_run_whose_training_is_to_end_goes_on() -> None:
    kept = Kept()
    kept.finish = True
    progress = reporting(kept)
    with progress.kept():
        progress.start("train")
        until(lambda: progress.enough)
        progress.update(step=1)
    assert not progress.cancelled


def test_who_lost_the_run_is_told() -> None:
    kept, said = Kept(), list[str]()
    kept.refuse = [Lost("r")]
    with reporting(kept, lambda: said.append("lost")).kept():
        until(lambda: bool(said))
    assert said == ["lost"]


def test_numbers_are_written_whatever_they_are() -> None:
    progress = reporting(Kept())
    progress.start("train")
    given: dict[str, Any] = {
        "step": np.int64(3),
        "loss": np.float32(0.5),
        "accuracy": float("nan"),
        "candidate": "int8",
    }
    progress.update(**given)
    report = progress.report()
    assert json.loads(json.dumps(report.values, allow_nan=False)) == {
        "step": 3,
        "loss": 0.5,
        "accuracy": "nan",
        "candidate": "int8",
    }
    assert report.step == 3
