"""The instruction sets of this machine, on which the numbers of a bundle depend."""

from __future__ import annotations

from pathlib import Path

# What the engines choose their kernels by: int8 results differ between machines with and without these.
_RELEVANT = (
    *("avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "avx_vnni"),
    *("avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16"),
    *("neon", "asimd", "asimddp", "asimdhp", "i8mm", "bf16", "sve", "sve2"),
)


def instruction_set(cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[str, ...]:
    """The relevant flags of the first processor, sorted; empty where the system has no list."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return tuple(sorted(set(_RELEVANT).intersection(value.split())))
    return ()
