"""The one training loop: sampling, schedule, averaging, validation, checkpoints, budget and progress.

A family gives a `Learner` (what to optimize) and a `Plan` (how long and how); the loop knows no more of either.
All randomness comes from PyTorch's generator, seeded once: its state, the sampler's order and every counter are
in each checkpoint, so that a killed run that is started again ends with the same bits.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.contracts import Progress
from glassworks.errors import Cancelled, TrainingError
from glassworks.progress import interrupts_cancel
from glassworks.storage import storage_errors, write_atomically
from glassworks.training.checkpoint import RunState
from glassworks.training.plan import Learner, Plan

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
class Fit:
    """How a run ended; the network holds the final weights."""

    steps: int
    resumed: bool
    history: tuple[Mapping[str, float], ...]


def fit(learner: Learner, plan: Plan, folder: Path, progress: Progress) -> Fit:
    """Train until the plan is done; resumes by itself from `folder`'s checkpoint.

    Once `progress.suffice` was called it ends after the current step, with the best weights of validation or the
    averaged ones where there are any. Raises TrainingError when the loss is no longer finite (the last good checkpoint
    stays), StorageError when the disk is full, and Cancelled once `progress` was cancelled, as an interrupt (SIGINT)
    does: the current step ends and the state is saved before.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        run = _Run(learner, plan, folder, progress)
        resumed = run.restore()
        if learner.begun is not None:
            learner.begun(run.state.counters.history)
        progress.start("train", run.state.total)
        with interrupts_cancel(progress):
            run.go()
    counters = run.state.counters
    return Fit(steps=counters.step, resumed=resumed, history=tuple(counters.history))


class _Run:
    """One fit: the steps over its state."""

    def __init__(self, learner: Learner, plan: Plan, folder: Path, progress: Progress) -> None:
        self.learner, self.plan, self.folder, self.progress = learner, plan, folder, progress
        self.batch = min(plan.batch_size, learner.examples)
        count = learner.examples / self.batch
        self.per_epoch = max(1, math.floor(count) if plan.drop_last else math.ceil(count))
        self.state = RunState(learner.network, learner.optimizers, plan.average_tail, self.per_epoch * plan.epochs)
        self.rates = [group["lr"] for group in self._groups()]
        self.start = plan.clock()
        self.before_s = self.start - plan.started if plan.budget_s else 0.0
        self.saved = self.reported = self.start
        self.reported_step = 0
        self.validation_s = self.saving_s = 0.0

    def _groups(self) -> list[dict[str, Any]]:
        # Asked for anew each time: loading an optimizer's state replaces its groups.
        return [group for optimizer in self.learner.optimizers for group in optimizer.param_groups]

    def spent(self) -> float:
        return self.state.counters.spent_s + self.plan.clock() - self.start

    def fraction(self) -> float:
        """What is done, in 0..1: by steps, or by time where the budget ends first."""
        share = self.state.counters.step / self.state.total
        if self.plan.budget_s is None:
            return share
        room = self.plan.budget_s - self.before_s - self.plan.reserve_s
        return max(share, self.spent() / room) if room > 0 else 1.0

    def done(self) -> bool:
        return self.state.counters.stopped or self.fraction() >= 1

    def go(self) -> None:
        """Every epoch there is still; a cancelled run is saved before it stops."""
        try:
            while not self.done():
                self.epoch()
                if self.progress.enough:  # kept, so that who goes on after a kill ends here too
                    self.state.counters.stopped = True
                    self.save()
        except Cancelled:
            self.save()
            raise
        self.state.finish()

    def epoch(self) -> None:
        """The rest of the current epoch, then validation."""
        import torch

        first = self.state.counters.step % self.per_epoch
        if first == 0:
            order = torch.randperm(self.learner.examples)
            self.state.order = order if self.learner.arrange is None else self.learner.arrange(order)
        total = torch.zeros((), dtype=torch.float32, device=next(self.learner.network.parameters()).device)
        self.learner.network.train()
        for index in range(first, self.per_epoch):
            fraction = self.fraction()
            if fraction >= 1 or (self.progress.enough and index > first):
                break
            total += self._step(index, fraction)
            if self.progress.cancelled:
                self._require_finite(float(total))
                self.progress.check()
            now = self.plan.clock()
            if now - self.reported >= _REPORT_S:
                self._report(now, float(total) / (index + 1 - first))
            if self._due(now) and index + 1 < self.per_epoch:
                self._require_finite(float(total))
                self.save()
        taken = (self.state.counters.step - 1) % self.per_epoch + 1 - first
        self._end_epoch(float(total) / max(1, taken))

    def _step(self, index: int, fraction: float) -> torch.Tensor:
        if self.learner.pace is not None:
            self.learner.pace(fraction)
        factor = self.plan.schedule(fraction)
        for group, rate in zip(self._groups(), self.rates, strict=True):
            group["lr"] = rate * factor
        for optimizer in self.learner.optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss = self._differentiated(self.state.order[index * self.batch : (index + 1) * self.batch])
        for optimizer in self.learner.optimizers:
            optimizer.step()
        self.state.counters.step += 1
        if self.plan.average_tail:
            self.state.average.update(fraction)
        return loss

    def _differentiated(self, rows: torch.Tensor) -> torch.Tensor:
        """The loss of some examples; the parameters have its gradient then."""
        import torch

        if self.learner.parts is None:
            loss = self.learner.loss(rows)
            loss.backward()  # type: ignore[no-untyped-call]
            total = loss.detach()
        else:
            total = self.learner.processors.differentiated(self.learner.network, self.learner.parts(rows))
        if self.plan.largest_gradient is not None:
            torch.nn.utils.clip_grad_norm_(self.learner.network.parameters(), self.plan.largest_gradient)
        return total

    def _report(self, now: float, loss: float) -> None:
        self._require_finite(loss)
        step = self.state.counters.step
        speed = (step - self.reported_step) * self.batch / max(1e-9, now - self.reported)
        fraction = max(1e-9, self.fraction())
        left = self.spent() * (1 - fraction) / fraction
        self.progress.update(step=step, loss=loss, examples_per_s=speed, left_s=max(0.0, left))
        self.reported, self.reported_step = now, step

    def _require_finite(self, loss: float) -> None:
        if math.isfinite(loss):
            return
        kept = self.folder / STATE
        where = f"the last good checkpoint is {kept}" if kept.exists() else "no checkpoint had been written yet"
        raise TrainingError(
            f"training diverged at step {self.state.counters.step}: the loss is {loss}; {where}",
            "lower training.learning_rate (try a tenth), and look at the data with 'glassworks data check'",
        )

    def _end_epoch(self, loss: float) -> None:
        self._require_finite(loss)
        counters = self.state.counters
        counters.epoch = math.ceil(counters.step / self.per_epoch)
        row = {"epoch": float(counters.epoch), "step": float(counters.step), "loss": loss}
        if self.plan.patience or self._shows_validation():
            row |= self._validate()
        row["seconds"] = self.spent()
        counters.history.append(row)
        if self.plan.patience:
            self._compare_with_best(row[self.plan.metric], self.plan.patience)
        log = self.folder / METRICS
        with storage_errors(log), log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        if self._due(self.plan.clock()):
            self.save()
        self.progress.update(**row)

    def _shows_validation(self) -> bool:
        spent = self.spent()
        return spent > _VALIDATION_AFTER_S and self.validation_s <= _VALIDATION_SHARE * spent

    def _validate(self) -> dict[str, float]:
        start = self.plan.clock()
        with self.state.average.applied():
            metrics = dict(self.learner.evaluate())
        self.validation_s += self.plan.clock() - start
        return metrics

    def _compare_with_best(self, value: float, patience: int) -> None:
        counters = self.state.counters
        if value > counters.best:
            counters.best, counters.best_epoch = value, counters.epoch
            self.state.remember_best()
        counters.stopped = counters.epoch - counters.best_epoch >= patience

    def _due(self, now: float) -> bool:
        return now - self.saved >= max(self.plan.checkpoint_every_s, self.saving_s / _SAVING_SHARE)

    def save(self) -> None:
        """Write the complete state, all or nothing; only after a loss that is a number."""
        start = self.plan.clock()
        self.state.save(self.folder / STATE, self.spent())
        self.saved = self.plan.clock()
        self.saving_s = self.saved - start

    def restore(self) -> bool:
        """Take up the checkpoint of an unfinished run, if there is one."""
        path, log = self.folder / STATE, self.folder / METRICS
        if not path.exists():
            log.unlink(missing_ok=True)
            return False
        self.state.load(path)
        # What was logged after the checkpoint is done again.
        lines = "".join(json.dumps(row) + "\n" for row in self.state.counters.history)
        write_atomically(log, lines.encode())
        return True
