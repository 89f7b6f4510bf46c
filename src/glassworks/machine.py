"""What this machine, or the group of processes that this one is limited with, can still give."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from pathlib import Path

_CGROUP, _MEMINFO, _STAT = Path("/sys/fs/cgroup"), Path("/proc/meminfo"), Path("/proc/stat")
_WATCHED_S = 0.5
_UNLIMITED = 2**60
# What the engines choose their kernels by: int8 results differ between machines with and without these.
_INSTRUCTIONS = (
    *("avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "avx_vnni"),
    *("avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16"),
    *("neon", "asimd", "asimddp", "asimdhp", "i8mm", "bf16", "sve", "sve2"),
)


class _Agreed:
    """Processors that this process is to compute with, whatever it may use; 0 is no such number."""

    cpus = 0


def instruction_set(cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[str, ...]:
    """The flags of the first processor that engines choose by, sorted; empty where the system has no list."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return tuple(sorted(set(_INSTRUCTIONS).intersection(value.split())))
    return ()


def usable_cpus(cgroup: Path = _CGROUP) -> int:
    """Processors to compute with: those agreed on, else those of this process's affinity within the group's quota."""
    if _Agreed.cpus:
        return _Agreed.cpus
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return cpus
    return cpus if quota == "max" else max(1, min(cpus, math.ceil(int(quota) / int(period))))


def compute_with(cpus: int) -> None:
    """Let `usable_cpus` say this from now on: sums over other numbers of threads differ in their last bits."""
    _Agreed.cpus = cpus


def free_cpus(stat: Path = _STAT, watched_s: float = _WATCHED_S) -> int:
    """Those of `usable_cpus` that others leave idle, by what they did for a moment; at least one.

    With more threads than free processors each waits for the slowest at every product.
    """
    usable = usable_cpus()
    before = _idle_ticks(stat)
    time.sleep(watched_s)
    after = _idle_ticks(stat)
    if before is None or after is None:
        return usable
    mine = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [*after]
    shares = ((after[cpu][0] - before[cpu][0]) / max(1, after[cpu][1] - before[cpu][1]) for cpu in mine if cpu in after)
    return max(1, min(usable, round(sum(shares))))


def _idle_ticks(stat: Path) -> dict[int, tuple[int, int]] | None:
    """By processor: ticks in which it was idle, and all of them; None where the system does not say."""
    try:
        lines = stat.read_text(encoding="ascii").splitlines()
        rows = [line.split() for line in lines if line.startswith("cpu") and line[3:4].isdecimal()]
        return {int(row[0][3:]): (int(row[4]) + int(row[5]), sum(map(int, row[1:9]))) for row in rows} or None
    except (OSError, ValueError, IndexError):
        return None


def computed_s(process: int, proc: Path = Path("/proc")) -> float | None:
    """Seconds that all threads of a process have computed; None where the system does not say."""
    try:
        # The name, in brackets, may have blanks in it.
        fields = (proc / str(process) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None


def leave_a_processor() -> None:
    """Keep this process, and those that it starts, off one processor where there are more; their idle threads sleep."""
    if hasattr(os, "sched_setaffinity"):
        first, *others = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, others or [first])
    # Threads of OpenMP that wait spin otherwise, and two of them on one processor keep each other from working.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def give_way_in_memory(score: int, path: Path = Path("/proc/self/oom_score_adj")) -> None:
    """Where memory runs out, let the system end this process, and those that it starts, before others: 0 to 1000. Linux
    alone can be told so."""
    with contextlib.suppress(OSError):
        path.write_text(str(score), encoding="ascii")


def available_bytes(cgroup: Path = _CGROUP, meminfo: Path = _MEMINFO) -> int | None:
    """Memory that can still be taken; None where the system does not say."""
    found = [each for each in (_of_machine(meminfo, "MemAvailable"), _left_in_group(cgroup)) if each is not None]
    return min(found) if found else None


def total_bytes(meminfo: Path = _MEMINFO) -> int | None:
    """Memory of the machine; None where the system does not say."""
    return _of_machine(meminfo, "MemTotal")


def _of_machine(meminfo: Path, name: str) -> int | None:
    try:
        for line in meminfo.read_text(encoding="ascii").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return None


def _left_in_group(cgroup: Path) -> int | None:
    """In version 2 of control groups and in version 1. Files that are only cached are given back when they must be."""
    for folder, limit, used, cached in (
        (cgroup, "memory.max", "memory.current", "inactive_file"),
        (cgroup / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        most, taken = _number(folder / limit), _number(folder / used)
        if most and taken and most < _UNLIMITED:
            return max(0, most - max(0, taken - _cached(folder / "memory.stat", cached)))
    return None


def _cached(statistics: Path, name: str) -> int:
    try:
        lines = statistics.read_text(encoding="ascii").splitlines()
        return next((int(line.split()[1]) for line in lines if line.startswith(f"{name} ")), 0)
    except (OSError, ValueError):
        return 0


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None  # no such file, or "max"


def modules_path() -> str:
    """Where a process finds the modules that this one finds, but none of the folder where it was started."""
    own = sys.path if sys.flags.safe_path else sys.path[1:]
    return os.pathsep.join(str(Path(folder).absolute()) for folder in own if folder)
