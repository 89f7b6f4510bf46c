"""What a run is given: what to optimize, for how long, at which rates, with how many threads, on which device."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from glassworks.machine import usable_cpus as usable_cpus
from glassworks.training.parallel import Processors

if TYPE_CHECKING:
    import torch

Schedule = Callable[[float], float]
"""From the fraction of the run that is done (0..1) to a factor of the peak learning rate."""
_WORTH = 1.2
"""bfloat16 must be this much faster than float32 before its rounding is accepted."""

_WITHOUT_BF16 = ("NO AVX", "DEFAULT", "AVX2")


@dataclass(frozen=True, kw_only=True)
class Learner:
    """What is optimized. `loss` maps example indices (B) to a scalar; `evaluate` gives validation metrics."""

    network: torch.nn.Module
    optimizers: tuple[torch.optim.Optimizer, ...]
    examples: int
    loss: Callable[[torch.Tensor], torch.Tensor]
    evaluate: Callable[[], Mapping[str, float]]
    parts: Callable[[torch.Tensor], Iterator[Callable[[], torch.Tensor]]] | None = None
    """Parts of which `loss` is the sum; each is computed and differentiated by itself, on one of the `processors`."""
    processors: Processors = field(default_factory=Processors)
    arrange: Callable[[torch.Tensor], torch.Tensor] | None = None
    """Reorders the random order of an epoch, such as texts of like length together."""
    pace: Callable[[float], None] | None = None
    """Called with the fraction done (0..1) before each step: without a budget it follows from the step alone."""
    begun: Callable[[Sequence[Mapping[str, float]]], None] | None = None
    """Called before the first step with the rows of epochs that the checkpoint knows: what was written after it, for a
    reader, is written again."""


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
    largest_gradient: float | None = None
    """A longer gradient (its 2-norm over all weights) is shortened to this length (Pascanu et al. 2013)."""
    clock: Callable[[], float] = time.monotonic


def constant(fraction: float) -> float:
    """The peak rate throughout."""
    return 1.0


def one_cycle(warm_up: float = 0.25, start: float = 0.1, end: float = 0.0) -> Schedule:
    """Linear up to the peak at `warm_up`, then linear down to `end` (Smith and Topin 2018, section 3)."""

    def factor(fraction: float) -> float:
        if fraction < warm_up:
            return start + (1 - start) * fraction / warm_up
        return end + (1 - end) * max(0.0, 1 - fraction) / (1 - warm_up)

    return factor


def cosine(warm_up: float = 0.1, start: float = 0.1, end: float = 0.0) -> Schedule:
    """Linear warm-up, then half a cosine down to `end` (Loshchilov and Hutter 2017, equation 5)."""

    def factor(fraction: float) -> float:
        if fraction < warm_up:
            return start + (1 - start) * fraction / warm_up
        descent = min(1.0, (fraction - warm_up) / (1 - warm_up))
        return end + (1 - end) * 0.5 * (1 + math.cos(math.pi * descent))

    return factor


def choose_device(wanted: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """The GPU when there is one and it is not refused."""
    import torch

    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wanted)


def choose_precision(step: Callable[[bool], None], memory: Path, repeats: int = 5) -> Literal["fp32", "bf16"]:
    """bfloat16 only where a probe shows it faster. `step(bf16)` runs one forward and backward pass.

    There is none where the processor has no such numbers: one step could take as long as the training. The answer is
    kept in the file `memory`, so that the same job on the same machine always trains in the same precision, however
    noisy the machine was at the second run.
    """
    try:
        return "bf16" if json.loads(memory.read_text())["precision"] == "bf16" else "fp32"
    except (OSError, ValueError, KeyError):
        pass
    if not _may_have_bf16():
        return "fp32"
    seconds = {bf16: min(_timed(step, bf16) for _ in range(repeats)) for bf16 in (False, True)}
    precision: Literal["fp32", "bf16"] = "bf16" if seconds[False] > _WORTH * seconds[True] else "fp32"
    memory.write_text(json.dumps({"precision": precision, "fp32_s": seconds[False], "bf16_s": seconds[True]}))
    return precision


def _may_have_bf16() -> bool:
    """A GPU's, or those of a processor with wider vectors than AVX2's; PyTorch emulates them elsewhere."""
    import torch

    return torch.cuda.is_available() or torch.backends.cpu.get_cpu_capability() not in _WITHOUT_BF16


def _timed(step: Callable[[bool], None], bf16: bool) -> float:
    start = time.perf_counter()
    step(bf16)
    return time.perf_counter() - start
