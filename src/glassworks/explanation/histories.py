"""Outputs of a history's session for explainers of recommendations, and the search for the smallest removal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from glassworks.contracts import Session
from glassworks.errors import Unsupported

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_REMOVED = 25
"""A longer list is no explanation."""


def asked(session: Session, masks: NDArray[np.float32], *names: str) -> list[NDArray[np.float32]]:
    """Outputs for masks of a history (N 1 H). Raises Unsupported where the example is no history."""
    missing = set(names) - {spec.name for spec in session.signature.outputs}
    if missing:
        raise Unsupported("this method explains recommendations by their history", "choose another method")
    found = session.run({session.signature.inputs[0].name: masks}, list(names))
    return [np.asarray(found[name], np.float32) for name in names]


@dataclass(frozen=True)
class Removal:
    """Entries of the history without which an item is no longer recommended; `found` is false where none was."""

    entries: tuple[int, ...]
    found: bool
    tried: int


def smallest_removal(parts: NDArray[np.float64], kept: Callable[[NDArray[np.bool_]], bool]) -> Removal:
    """A minimal set of entries (H) whose removal loses the item: none of them can be spared.

    `parts` (H) are their contributions, the order in which they are tried; `kept` says, by scoring again with the
    entries that are left, whether the item is still recommended. What is returned was verified by it.
    """
    order = np.argsort(-parts, kind="stable")[: min(MOST_REMOVED, len(parts))]
    left = np.ones(len(parts), np.bool_)
    removed: list[int] = []
    tried = 0
    for entry in order.tolist():
        left[entry] = False
        removed.append(entry)
        tried += 1
        if not kept(left):
            break
    else:
        return Removal((), False, tried)
    for entry in [*removed[:-1]][::-1]:  # the smallest first; the last one is needed
        left[entry] = True
        tried += 1
        if kept(left):
            left[entry] = False
        else:
            removed.remove(entry)
    return Removal(tuple(removed), True, tried)
