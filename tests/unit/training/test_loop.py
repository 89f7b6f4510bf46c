"""The loop on a small regression: resumes to the bit, keeps its budget, stops on divergence, tells its progress."""

from __future__ import annotations

import _thread
import itertools
import json
import os
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.patience import PATIENCE_S
from torch import Tensor, nn

from glassworks.contracts import Progress
from glassworks.errors import Cancelled, StorageError, TrainingError
from glassworks.training.checkpoint import load_checkpoint, save_checkpoint
from glassworks.training.loop import STATE, fit
from glassworks.training.muon import Muon, orthogonalize
from glassworks.training.plan import Learner, Plan, constant, cosine, one_cycle


class Recorder(Progress):
    """Keeps what is reported."""

    def __init__(self) -> None:
        self.updates: list[Mapping[str, float | str]] = []

    def start(self, stage: str, total: int | None = None) -> None:
        super().start(stage, total)
        self.total = total

    def update(self, **values: float | str) -> None:
        self.updates.append(values)
        super().update(**values)


def learner(hook: Callable[[int], None] = lambda step: None, rate: float = 0.01) -> Learner:
    """A network with dropout and batch normalization (state and randomness in every step) on a fixed problem."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.Dropout(0.2), nn.ReLU(), nn.Linear(16, 1))
        x = torch.randn(96, 4)
    y = x.sum(dim=1, keepdim=True)
    matrices = [p for p in network.parameters() if p.ndim == 2]
    others = [p for p in network.parameters() if p.ndim == 1]
    counter = itertools.count()

    def loss(indices: Tensor) -> Tensor:
        hook(next(counter))
        error: Tensor = (network(x[indices]) - y[indices]).square().mean()
        return error

    def evaluate() -> Mapping[str, float]:
        network.eval()
        with torch.no_grad():
            value = -float((network(x) - y).square().mean())
        network.train()
        return {"accuracy": value}

    return Learner(
        network=network,
        optimizers=(torch.optim.AdamW(others, lr=rate), Muon(matrices, lr=rate)),
        examples=96,
        loss=loss,
        evaluate=evaluate,
    )


PLAN = Plan(
    epochs=6, batch_size=16, schedule=one_cycle(), seed=3, metric="accuracy", average_tail=0.5, checkpoint_every_s=0.0
)


def weights(trained: Learner) -> bytes:
    """All state of a network as bytes."""
    return b"".join(tensor.numpy().tobytes() for tensor in trained.network.state_dict().values())


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    runs = [learner() for _ in range(3)]
    for number, (run, seed) in enumerate(zip(runs, (3, 3, 4), strict=True)):
        (tmp_path / str(number)).mkdir()
        fit(run, replace(PLAN, seed=seed), tmp_path / str(number), Recorder())
    assert weights(runs[0]) == weights(runs[1])
    assert weights(runs[0]) != weights(runs[2])


@pytest.mark.parametrize("patience", [None, 3])
@pytest.mark.parametrize("stop", [1, 5, 6, 7, 17, 20, 35])
def test_a_run_that_was_stopped_anywhere_ends_with_the_same_bits(
    tmp_path: Path, stop: int, patience: int | None
) -> None:
    plan = replace(PLAN, patience=patience)
    whole, resumed = learner(), learner()
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    fit(whole, plan, tmp_path / "whole", Recorder())

    class Killed(Exception):
        """Stands for a kill between two checkpoints."""

    def kill(step: int) -> None:
        if step == stop:
            raise Killed

    with pytest.raises(Killed):
        fit(learner(kill), plan, tmp_path / "parts", Recorder())
    result = fit(resumed, plan, tmp_path / "parts", Recorder())
    assert result.resumed
    assert weights(whole) == weights(resumed)
    assert result.steps <= 36


@pytest.mark.parametrize("patience", [None, 3])
@pytest.mark.parametrize("stop", [0, 4, 5, 6, 17])
def test_training_that_is_good_enough_ends_at_its_step_and_stays_ended(
    tmp_path: Path, stop: int, patience: int | None
) -> None:
    """What it has learned is what it would have had there; who goes on after a kill ends there too."""
    plan, progress = replace(PLAN, patience=patience, checkpoint_every_s=1e9), Progress()
    early, again = learner(lambda step: progress.suffice() if step == stop else None), learner()
    assert fit(early, plan, tmp_path, progress).steps == stop + 1
    assert fit(again, plan, tmp_path, Progress()).steps == stop + 1
    assert weights(early) == weights(again)
    assert not early.network.training


def test_an_interrupt_ends_the_step_saves_and_resumes_to_the_same_bits(tmp_path: Path) -> None:
    plan = replace(PLAN, checkpoint_every_s=1e9)
    whole, resumed = learner(), learner()
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    fit(whole, plan, tmp_path / "whole", Recorder())

    def interrupt(step: int) -> None:
        if step == 10:
            # As the command line does it; a real signal is sent to real processes in tests/integration.
            _thread.interrupt_main(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Cancelled):
        fit(learner(interrupt), plan, tmp_path / "parts", Recorder())
    assert signal.getsignal(signal.SIGINT) is before
    _, values = load_checkpoint(tmp_path / "parts" / STATE)
    assert values["step"] == 11
    fit(resumed, plan, tmp_path / "parts", Recorder())
    assert weights(whole) == weights(resumed)


@pytest.mark.parametrize("moment", ["between steps", "while it reports"])
def test_a_run_that_another_thread_cancels_saves_and_resumes_to_the_same_bits(tmp_path: Path, moment: str) -> None:
    plan = replace(PLAN, checkpoint_every_s=1e9)
    whole, resumed = learner(), learner()
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    fit(whole, plan, tmp_path / "whole", Progress())
    progress = Progress()

    def cancel(step: int) -> None:
        if step == 10:
            other = threading.Thread(target=progress.cancel)
            other.start()
            other.join(PATIENCE_S)

    if moment == "while it reports":
        progress = CancelsItself()
    with pytest.raises(Cancelled) as stopped:
        fit(learner(cancel), plan, tmp_path / "parts", progress)
    assert "same command" in stopped.value.mend
    assert fit(resumed, plan, tmp_path / "parts", Progress()).resumed
    assert weights(whole) == weights(resumed)


class CancelsItself(Progress):
    """As if somebody cancelled at the very moment in which an epoch is reported."""

    def update(self, **values: float | str) -> None:
        self.cancel()
        super().update(**values)


def test_divergence_is_told_and_the_last_good_checkpoint_stays(tmp_path: Path) -> None:
    def poison(step: int) -> None:
        if step >= 20:
            raise_to_infinity()

    broken = learner(poison)

    def raise_to_infinity() -> None:
        with torch.no_grad():
            next(broken.network.parameters()).fill_(float("nan"))

    with pytest.raises(TrainingError) as told:
        fit(broken, PLAN, tmp_path, Recorder())
    assert "training diverged at step" in told.value.problem
    assert str(tmp_path / STATE) in told.value.problem
    assert "learning_rate" in told.value.mend
    tensors, _ = load_checkpoint(tmp_path / STATE)
    assert all(torch.isfinite(tensor).all() for name, tensor in tensors.items() if tensor.is_floating_point())


def test_the_budget_ends_the_schedule_in_time(tmp_path: Path) -> None:
    now = itertools.count(0.0, 0.01)
    clock = now.__next__
    trained = learner()
    plan = replace(
        PLAN, epochs=10_000, budget_s=8.0, started=0.0, reserve_s=0.1, clock=clock, schedule=one_cycle(end=0.0)
    )
    result = fit(trained, plan, tmp_path, Recorder())
    assert 7.5 <= next(now) <= 8.0 * 1.03
    assert result.steps < 10_000
    rates = [group["lr"] for optimizer in trained.optimizers for group in optimizer.param_groups]
    assert all(rate < 0.01 * 0.05 for rate in rates)


def test_early_stopping_keeps_the_best_weights(tmp_path: Path) -> None:
    trained = learner(rate=0.05)
    values = iter([0.1, 0.5, 0.4, 0.3, 0.2])
    snapshots: list[bytes] = []

    def evaluate() -> Mapping[str, float]:
        snapshots.append(weights(trained))
        return {"accuracy": next(values)}

    stopping = replace(trained, evaluate=evaluate)
    result = fit(stopping, replace(PLAN, patience=3, average_tail=0.0), tmp_path, Recorder())
    assert len(result.history) == 5
    assert weights(trained) == snapshots[1]


def test_metrics_are_json_lines_without_repetition_after_resuming(tmp_path: Path) -> None:
    class Killed(Exception):
        """Stands for a kill."""

    def kill(step: int) -> None:
        if step == 20:
            raise Killed

    with pytest.raises(Killed):
        fit(learner(kill), PLAN, tmp_path, Recorder())
    fit(learner(), PLAN, tmp_path, Recorder())
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[-1]["loss"] < rows[0]["loss"]


def test_a_full_disk_is_told_and_the_old_checkpoint_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / STATE
    save_checkpoint(path, {"a": torch.ones(3)}, {"step": 1})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="the disk is full") as told:
        save_checkpoint(path, {"a": torch.zeros(3)}, {"step": 2})
    assert "free some space" in told.value.mend
    assert load_checkpoint(path)[1] == {"step": 1}
    assert [each.name for each in tmp_path.iterdir()] == [STATE]


def test_a_damaged_checkpoint_is_told(tmp_path: Path) -> None:
    (tmp_path / STATE).write_bytes(b"not a checkpoint")
    with pytest.raises(TrainingError, match="cannot be read") as told:
        fit(learner(), PLAN, tmp_path, Recorder())
    assert "--fresh" in told.value.mend


def test_progress_says_loss_speed_and_time_left(tmp_path: Path) -> None:
    now = itertools.count(0.0, 0.1)
    told = Recorder()
    fit(learner(), replace(PLAN, clock=now.__next__), tmp_path, told)
    assert told.total == 36
    live = [row for row in told.updates if "examples_per_s" in row]
    assert live
    assert {"step", "loss", "left_s"} <= live[0].keys()
    assert float(live[-1]["left_s"]) < float(live[0]["left_s"])


def test_orthogonalization_brings_singular_values_near_one() -> None:
    generator = torch.Generator().manual_seed(0)
    for shape in ((16, 40), (40, 16)):
        values = torch.linalg.svdvals(orthogonalize(torch.randn(shape, generator=generator), 6))
        assert 0.6 < float(values.min()) <= float(values.max()) < 1.3


def test_schedules_begin_peak_and_end_where_they_say() -> None:
    assert constant(0.3) == 1
    for schedule in (one_cycle(warm_up=0.2, start=0.1, end=0.05), cosine(warm_up=0.2, start=0.1, end=0.05)):
        assert schedule(0.0) == pytest.approx(0.1)
        assert schedule(0.2) == pytest.approx(1.0)
        assert schedule(1.0) == pytest.approx(0.05)
        assert schedule(0.1) == pytest.approx(0.55)
