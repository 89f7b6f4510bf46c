"""Rules come before the best k: which items may be recommended at all, and whose scores are raised."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from glassworks.recommendation.items import Items, Mask
from glassworks.recommendation.requests import Request


@dataclass
class Eligible:
    """The items that may be recommended, and how many each rule left, which explains a shortage."""

    mask: Mask
    left: list[tuple[str, int]] = field(default_factory=list)

    def keep(self, mask: Mask, rule: str) -> None:
        """Drop all others."""
        self.mask = self.mask & mask
        self.left.append((rule, int(np.count_nonzero(self.mask))))

    def reason(self, k: int) -> str:
        """Why there are fewer than k."""
        if not self.left:
            return f"there are only {len(self.mask):,} items"
        steps = ", ".join(f"{count:,} after '{rule}'" for rule, count in self.left)
        return f"of {len(self.mask):,} items {steps}; {k:,} were asked for"


def eligible(request: Request, items: Items, seen: NDArray[np.int64]) -> Eligible:
    """Every rule of a request. Raises InputError for a column that items do not have."""
    found = Eligible(np.ones(len(items), np.bool_))
    if request.allow is not None:
        found.keep(_at(items, items.ids.indices(request.allow)), "allow")
    for column, condition in request.where.items():
        found.keep(items.mask(column, condition), f"where {column}")
    if request.deny:
        found.keep(~_at(items, items.ids.indices(request.deny)), "deny")
    if request.seen == "only":
        found.keep(_at(items, seen), "seen only")
    elif request.seen == "exclude" and len(seen):
        found.keep(~_at(items, seen), "not seen")
    return found


def boosted(request: Request, items: Items, scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scores with boosts; a score below 0 rises by a factor above 1 too."""
    if not request.boost:
        return scores
    found = scores.copy()
    for boost in request.boost:
        mask = _at(items, items.ids.indices(boost.items)) if boost.items else np.ones(len(items), np.bool_)
        for column, condition in boost.where.items():
            mask = mask & items.mask(column, condition)
        found[mask] += (boost.factor - 1) * np.abs(found[mask])
    return found


def _at(items: Items, indices: NDArray[np.int64]) -> Mask:
    mask = np.zeros(len(items), np.bool_)
    mask[indices] = True
    return mask
