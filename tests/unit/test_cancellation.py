"""A release that another thread cancels, in any stage: nothing is published, and the same call goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.patience import PATIENCE_S

from glassworks import flow
from glassworks.catalog import get
from glassworks.contracts import Family, Progress
from glassworks.errors import Cancelled
from glassworks.registry import Registry


class CancelledIn(Progress):
    """Another thread cancels it as soon as a stage begins, or as soon as the stage reports its first values."""

    def __init__(self, stage: str, *, reported: bool) -> None:
        self._stage, self._reported = stage, reported
        self._current = ""

    def start(self, stage: str, total: int | None = None) -> None:
        super().start(stage, total)
        self._current = stage
        if stage == self._stage and not self._reported:
            self._from_another_thread()

    def update(self, **values: float | str) -> None:
        if self._current == self._stage and self._reported:
            self._from_another_thread()
        super().update(**values)

    def _from_another_thread(self) -> None:
        other = threading.Thread(target=self.cancel)
        other.start()
        other.join(PATIENCE_S)


def home(folder: Path) -> Registry:
    """A registry of its own."""
    return Registry.open({"GLASSWORKS_HOME": str(folder)})


def test_a_cancelled_release_goes_on_to_the_same_weights_and_a_search_publishes_nothing(tmp_path: Path) -> None:
    tiny = get(Family, "recurrent_text").tiny(tmp_path)
    optimization = tiny.optimization.model_copy(update={"budget": 0.1, "batch_sizes": (1,), "enabled": False})
    job = tiny.model_copy(update={"optimization": optimization})
    registry = home(tmp_path / "home")
    for progress in (CancelledIn("train", reported=True), CancelledIn("measure", reported=False)):
        with pytest.raises(Cancelled, match="nothing is half-written"):
            flow.release(job, registry, progress)
        assert registry.models() == ()
    again = flow.release(job, registry)
    assert again.model.resumed
    assert again.model.weights_sha256 == flow.release(job, home(tmp_path / "whole")).model.weights_sha256
    for progress in (
        CancelledIn("optimize: accuracy", reported=True),
        CancelledIn("optimize: latency at batch 1", reported=False),
    ):
        with pytest.raises(Cancelled):
            flow.optimize(job.name, {"minimize": "size"}, registry, progress)
        assert [version.version for version in registry.versions(job.name)] == [1]
    assert flow.optimize(job.name, {"minimize": "size"}, registry)[1].version == 2


@pytest.mark.parametrize("stage", ["tune", "fit", "compare"])
def test_a_cancelled_recommender_too(tmp_path: Path, stage: str) -> None:
    tiny = get(Family, "collaborative").tiny(tmp_path)
    job = tiny.model_copy(update={"model": {"algorithm": "item_knn", "refit": False}})
    registry = home(tmp_path / "home")
    with pytest.raises(Cancelled):
        flow.release(job, registry, CancelledIn(stage, reported=False))
    assert registry.models() == ()
    again, never = flow.release(job, registry), flow.release(job, home(tmp_path / "never"))
    assert again.model.weights_sha256 == never.model.weights_sha256


def test_what_was_cancelled_stays_so_and_others_are_not() -> None:
    progress: Progress = Progress()
    steps: list[Callable[[], None]] = [progress.check, lambda: progress.start("data"), lambda: progress.update(step=1)]
    for step in steps:
        step()
    progress.cancel()
    for step in steps:
        with pytest.raises(Cancelled):
            step()
    progress.finish("what is done is done")
    Progress().check()
