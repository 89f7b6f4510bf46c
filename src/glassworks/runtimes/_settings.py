"""What an artifact says of how its engine is to be set up."""

from __future__ import annotations

from collections.abc import Collection

from glassworks.contracts import Artifact
from glassworks.errors import BundleError

THREADS = "engine_threads"
WEIGHT_BITS = "weight_bits"
"""Bits of int8 weights that are used: products of 7 can be added in pairs in 16 bits."""


def setting(artifact: Artifact, key: str, allowed: Collection[str], default: str) -> str:
    """One setting of an artifact. Raises BundleError for a value that its engine does not know."""
    value = artifact.settings.get(key, default)
    if value not in (default, *allowed):
        known = ", ".join(map(repr, allowed))
        raise BundleError(
            f"{artifact.file} asks for {key} = {value[:80]!r}, which is none of {known}", "optimize again"
        )
    return value


def threads_of(artifact: Artifact) -> int:
    """Threads that the engine computes with: those that were found best, never more than it may have."""
    value = artifact.settings.get(THREADS, str(artifact.threads))
    if not (value.isascii() and value.isdecimal() and int(value)):
        raise BundleError(f"{artifact.file} asks for {THREADS} = {value[:80]!r}, no number", "optimize again")
    return min(int(value), artifact.threads)


def fewer_threads(artifact: Artifact) -> tuple[str, ...]:
    """All threads that it may have first, then halves of them."""
    found = [artifact.threads]
    while found[-1] > 1:
        found.append(found[-1] // 2)
    return tuple(map(str, found))
