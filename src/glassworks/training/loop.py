"""The one training loop: sampling, schedule, averaging, validation, checkpoints, budget and progress.

A family gives a `Learner` (what to optimize) and a `Plan` (how long and how); the loop knows no more of either.
All randomness comes from PyTorch's generator, seeded once: its state, the sampler's order and every counter are
in each checkpoint, so that a killed run that is started again ends with the same bits.
"""

from __future__ import annotations

import contextlib
import json
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.contracts import Progress
from glassworks.errors import TrainingError
from glassworks.storage import write_atomically
from glassworks.training.averaging import TailAverage
from glassworks.training.checkpoint import load_checkpoint, pack_optimizers, save_checkpoint, unpack_optimizers
from glassworks.training.schedules import Schedule

if TYPE_CHECKING:
    import torch

STATE = "state.safetensors"
METRICS = "metrics.jsonl"
_REPORT_S = 0.2
_SAVING_SHARE = 0.05
"""Checkpoints of a large network are written less often than asked for, so that they take no more of the time."""
_VALIDATION_SHARE = 0.02
_VALIDATION_AFTER_S = 2.0
"""Validation for display alone begins after some time, and takes at most this share of it."""


@dataclass(frozen=True, kw_only=True)
class Learner:
    """What is optimized. `loss` maps example indices (B) to a scalar; `evaluate` gives validation metrics."""

    network: torch.nn.Module
    optimizers: tuple[torch.optim.Optimizer, ...]
    examples: int
    loss: Callable[[torch.Tensor], torch.Tensor]
    evaluate: Callable[[], Mapping[str, float]]
    arrange: Callable[[torch.Tensor], torch.Tensor] | None = None
    """Puts the random order of an epoch into another one, such as texts of like length together."""
    pace: Callable[[float], None] | None = None
    """Hears of the progress, in 0 ... 1, before each step: without a budget it follows from the step alone."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long and how. `budget_s` counts from `started`, a reading of `clock`."""

    epochs: int
    batch_size: int
    schedule: Schedule
    seed: int
    metric: str
    budget_s: float | None = None
    started: float = 0.0
    reserve_s: float = 0.0
    average_tail: float = 0.0
    patience: int | None = None
    checkpoint_every_s: float = 5.0
    drop_last: bool = True
    clock: Callable[[], float] = time.monotonic


@dataclass(kw_only=True)
class _State:
    step: int = 0
    epoch: int = 0
    spent_s: float = 0.0
    best: float = -math.inf
    best_epoch: int = -1
    stopped: bool = False
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How a run ended; the network holds the final weights."""

    steps: int
    resumed: bool
    history: tuple[Mapping[str, float], ...]


def fit(learner: Learner, plan: Plan, folder: Path, progress: Progress) -> Fit:
    """Train until the plan is done; resumes by itself from `folder`'s checkpoint.

    Raises TrainingError when the loss is no longer finite (the last good checkpoint stays), StorageError when
    the disk is full. An interrupt (SIGINT) ends the current step, saves the state and raises KeyboardInterrupt.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        run = _Run(learner, plan, folder, progress)
        resumed = run.restore()
        progress.start("train", run.total)
        with _interrupts() as run.interrupted:
            while not run.done():
                run.epoch()
        run.finish()
    return Fit(steps=run.state.step, resumed=resumed, history=tuple(run.state.history))


@contextlib.contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """Turns the first SIGINT into an event, so that no step is cut in half; the second one acts at once."""
    event, before = threading.Event(), signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is signal.SIG_IGN:
        yield event
        return

    def handle(number: int, frame: object) -> None:
        event.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, handle)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


class _Run:
    """One fit: its state and the steps over it."""

    def __init__(self, learner: Learner, plan: Plan, folder: Path, progress: Progress) -> None:
        import torch

        self.learner, self.plan, self.folder, self.report = learner, plan, folder, progress
        self.state = _State()
        self.average = TailAverage(learner.network, plan.average_tail)
        batch = min(plan.batch_size, learner.examples)
        count = learner.examples / batch
        self.per_epoch = max(1, math.floor(count) if plan.drop_last else math.ceil(count))
        self.total = self.per_epoch * plan.epochs
        self.batch = batch
        self.order = torch.empty(0, dtype=torch.int64)
        self.best: dict[str, torch.Tensor] = {}
        self.rates = [group["lr"] for group in self._groups()]
        self.start = plan.clock()
        self.before_s = self.start - plan.started if plan.budget_s else 0.0
        self.saved = self.reported = self.start
        self.reported_step = 0
        self.validation_s = self.saving_s = 0.0
        self.interrupted = threading.Event()

    def _groups(self) -> list[dict[str, Any]]:
        # Asked for anew each time: loading an optimizer's state replaces its groups.
        return [group for optimizer in self.learner.optimizers for group in optimizer.param_groups]

    def spent(self) -> float:
        return self.state.spent_s + self.plan.clock() - self.start

    def along(self) -> float:
        """Progress in 0..1: by steps, or by time where the budget ends first."""
        share = self.state.step / self.total
        if self.plan.budget_s is None:
            return share
        room = self.plan.budget_s - self.before_s - self.plan.reserve_s
        return max(share, self.spent() / room) if room > 0 else 1.0

    def done(self) -> bool:
        return self.state.stopped or self.along() >= 1

    def epoch(self) -> None:
        """The rest of the current epoch, then validation."""
        import torch

        place = self.state.step % self.per_epoch
        if place == 0:
            self.order = torch.randperm(self.learner.examples)
            if self.learner.arrange is not None:
                self.order = self.learner.arrange(self.order)
        total = torch.zeros((), dtype=torch.float32, device=next(self.learner.network.parameters()).device)
        self.learner.network.train()
        for index in range(place, self.per_epoch):
            along = self.along()
            if along >= 1:
                break
            total += self._step(index, along)
            if self.interrupted.is_set():
                self.save(float(total))
                raise KeyboardInterrupt
            now = self.plan.clock()
            if now - self.reported >= _REPORT_S:
                self._tell(now, float(total) / (index + 1 - place))
            if self._due(now) and index + 1 < self.per_epoch:
                self.save(float(total))
        taken = (self.state.step - 1) % self.per_epoch + 1 - place
        self._end_epoch(float(total) / max(1, taken))

    def _step(self, index: int, along: float) -> torch.Tensor:
        if self.learner.pace is not None:
            self.learner.pace(along)
        factor = self.plan.schedule(along)
        for group, rate in zip(self._groups(), self.rates, strict=True):
            group["lr"] = rate * factor
        loss = self.learner.loss(self.order[index * self.batch : (index + 1) * self.batch])
        for optimizer in self.learner.optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        for optimizer in self.learner.optimizers:
            optimizer.step()
        self.state.step += 1
        if self.plan.average_tail:
            self.average.update(along)
        return loss.detach()

    def _tell(self, now: float, loss: float) -> None:
        self._require_finite(loss)
        steps = self.state.step - self.reported_step
        speed = steps * self.batch / max(1e-9, now - self.reported)
        along = max(1e-9, self.along())
        left = self.spent() * (1 - along) / along
        self.report.update(step=self.state.step, loss=loss, examples_per_s=speed, left_s=max(0.0, left))
        self.reported, self.reported_step = now, self.state.step

    def _require_finite(self, loss: float) -> None:
        if math.isfinite(loss):
            return
        kept = self.folder / STATE
        where = f"the last good checkpoint is {kept}" if kept.exists() else "no checkpoint had been written yet"
        raise TrainingError(
            f"training diverged at step {self.state.step}: the loss is {loss}; {where}",
            "lower training.learning_rate (try a tenth), and look at the data with 'glassworks data check'",
        )

    def _end_epoch(self, loss: float) -> None:
        self._require_finite(loss)
        state = self.state
        state.epoch = math.ceil(state.step / self.per_epoch)
        row = {"epoch": float(state.epoch), "step": float(state.step), "loss": loss}
        if self.plan.patience or self._shows_validation():
            row |= self._validate()
        row["seconds"] = self.spent()
        state.history.append(row)
        if self.plan.patience:
            self._remember_best(row[self.plan.metric])
        self.report.update(**row)
        with (self.folder / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        if self._due(self.plan.clock()):
            self.save(loss)

    def _shows_validation(self) -> bool:
        spent = self.spent()
        return spent > _VALIDATION_AFTER_S and self.validation_s <= _VALIDATION_SHARE * spent

    def _validate(self) -> dict[str, float]:
        start = self.plan.clock()
        with self.average.applied():
            metrics = dict(self.learner.evaluate())
        self.validation_s += self.plan.clock() - start
        return metrics

    def _remember_best(self, value: float) -> None:
        state = self.state
        if value > state.best:
            state.best, state.best_epoch = value, state.epoch
            source = {**self.learner.network.state_dict(), **self.average.tensors}
            self.best = {name: tensor.detach().clone() for name, tensor in source.items()}
        state.stopped = state.epoch - state.best_epoch >= (self.plan.patience or math.inf)

    def finish(self) -> None:
        """Leave the final weights in the network: the best, the averaged, or the last."""
        if self.best:
            self.learner.network.load_state_dict(self.best)
        else:
            self.average.copy_into_network()
        self.learner.network.eval()

    def _due(self, now: float) -> bool:
        return now - self.saved >= max(self.plan.checkpoint_every_s, self.saving_s / _SAVING_SHARE)

    def save(self, loss: float) -> None:
        """Write the complete state, all or nothing; never one whose loss is no number."""
        import torch

        self._require_finite(loss)
        start = self.plan.clock()
        tensors, numbers = pack_optimizers(self.learner.optimizers)
        parts: dict[str, Mapping[str, torch.Tensor]] = {
            "network": self.learner.network.state_dict(),
            "optimizer": tensors,
            "average": self.average.tensors,
            "best": self.best,
            "sampler": {"order": self.order, "random": torch.get_rng_state()},
        }
        flat = {f"{part}/{name}": tensor for part, named in parts.items() for name, tensor in named.items()}
        state = self.state
        values: dict[str, Any] = {**vars(state), "spent_s": self.spent(), "numbers": numbers, "total": self.total}
        values["averaged"] = self.average.count
        values["best"] = None if math.isinf(state.best) else state.best
        save_checkpoint(self.folder / STATE, flat, values)
        self.saved = self.plan.clock()
        self.saving_s = self.saved - start

    def restore(self) -> bool:
        """Take up the checkpoint of an unfinished run, if there is one."""
        import torch

        path = self.folder / STATE
        if not path.exists():
            (self.folder / METRICS).unlink(missing_ok=True)
            return False
        flat, values = load_checkpoint(path)
        parts: dict[str, dict[str, torch.Tensor]] = {}
        for key, tensor in flat.items():
            part, _, name = key.partition("/")
            parts.setdefault(part, {})[name] = tensor
        numbers, averaged = values.pop("numbers"), values.pop("averaged")
        if values.pop("total") != self.total:
            raise TrainingError(f"{path} belongs to another plan", "give the same command, or --fresh to start again")
        values["best"] = -math.inf if values["best"] is None else values["best"]
        self.state = _State(**values)
        self.learner.network.load_state_dict(parts["network"])
        unpack_optimizers(self.learner.optimizers, parts.get("optimizer", {}), numbers)
        self.average.load(parts.get("average", {}), averaged)
        self.best = parts.get("best", {})
        self.order = parts["sampler"]["order"]
        torch.set_rng_state(parts["sampler"]["random"])
        # What was logged after the checkpoint is done again.
        lines = "".join(json.dumps(row) + "\n" for row in self.state.history)
        write_atomically(self.folder / METRICS, lines.encode())
        return True
