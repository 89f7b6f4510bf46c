"""What this machine offers to training: processors within the cgroup, a GPU, quick bfloat16."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

_WORTH = 1.2
"""bfloat16 must be this much faster than float32 before its rounding is accepted."""

_WITHOUT_BF16 = ("NO AVX", "DEFAULT", "AVX2")


def usable_cpus(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Processors that this process may use: its affinity, limited by the cgroup's quota."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return cpus
    return cpus if quota == "max" else max(1, min(cpus, math.ceil(int(quota) / int(period))))


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
