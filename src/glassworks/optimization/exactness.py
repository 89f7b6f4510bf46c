"""How exact a precision is, as the passes that make it declare."""

from __future__ import annotations

from glassworks.catalog import found
from glassworks.contracts import Pass
from glassworks.contracts.step import EXACT, EXACT_BITS


def exactness(precision: str) -> int:
    """Bits that its numbers are exact to; 0 for one that no pass makes, such as a pass that is no longer installed."""
    declared = [each.exactness for each in found(Pass).values() if each.precision == precision]
    return EXACT_BITS if precision == EXACT else max(declared, default=0)
