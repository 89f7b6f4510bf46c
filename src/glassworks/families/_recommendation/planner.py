"""Which algorithm the size of the data allows, and why."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

Form = Literal["dual", "primal", ""]

_FLOPS = 2e10
"""Of one core in float32, on the safe side."""
_DUAL_USERS, _PRIMAL_ITEMS = 20_000, 20_000
_PATIENCE_S = 600.0
_SHARE = 0.6
"""Of the memory, so much may be planned with."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`seconds` and `size_bytes` are estimates of one fit."""

    algorithm: str
    form: Form
    seconds: float
    size_bytes: int
    reason: str


def plan(users: int, items: int, likes: int, *, memory_bytes: int, cores: int = 1) -> Plan:
    """EASE in the smaller of its two forms where that fits into memory and ten minutes, else iALS.

    `items` counts those that somebody likes, `likes` the pairs.
    """
    dual = _ease("dual", users, users * users * (users / 3 + 2 * items), 4 * users * (users + 3 * items), cores)
    primal = _ease("primal", items, items**3, 4 * items * items * 2, cores)
    fits = [
        each
        for each, side, most in ((dual, users, _DUAL_USERS), (primal, items, _PRIMAL_ITEMS))
        if side <= most and each.size_bytes <= _SHARE * memory_bytes and each.seconds <= _PATIENCE_S
    ]
    if fits:
        chosen = min(fits, key=lambda each: each.seconds)
        why = "fewer users than items" if chosen.form == "dual" else "fewer items than users"
        return _because(chosen, f"EASE in its {chosen.form} form, exact: {why}", users, items, likes)
    return _because(ials(users, items, likes), "iALS: EASE would take too much memory or time", users, items, likes)


def ials(users: int, items: int, likes: int, factors: int = 64, iterations: int = 15) -> Plan:
    """Of implicit ALS with conjugate gradients."""
    work = iterations * 2 * (likes * factors * 16 + (users + items) * factors * factors * 8)
    size = 4 * factors * (users + items) + 24 * likes
    return Plan(algorithm="ials", form="", seconds=work / _FLOPS, size_bytes=size, reason="")


def memory_of_machine() -> int:
    """What is there in all, in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _ease(form: Form, side: int, work: float, size: int, cores: int) -> Plan:
    return Plan(algorithm="ease", form=form, seconds=work / _FLOPS / cores, size_bytes=size, reason="")


def _because(found: Plan, why: str, users: int, items: int, likes: int) -> Plan:
    size = f"{found.size_bytes / 2**20:,.0f} MiB" if found.size_bytes < 2**30 else f"{found.size_bytes / 2**30:.1f} GiB"
    counts = f"{users:,} users, {items:,} liked items, {likes:,} likes"
    reason = f"{why} ({counts}); about {size} and {found.seconds:,.1f} s a fit"
    return Plan(
        algorithm=found.algorithm, form=found.form, seconds=found.seconds, size_bytes=found.size_bytes, reason=reason
    )
