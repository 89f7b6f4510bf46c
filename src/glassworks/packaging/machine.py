"""The instruction sets of this machine, on which the numbers of a bundle depend, and its processor's name."""

from __future__ import annotations

from pathlib import Path

from glassworks.machine import instruction_set as instruction_set


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The name of the first processor; empty where the system does not say."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
