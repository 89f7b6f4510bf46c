"""What data say themselves of their examples: the part that each belongs to, and the group that must stay together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glassworks.errors import DataError

UNLABELED = "unlabeled"
"""A part whose examples have no labels."""
_NAMES = {
    "train": "train training learn",
    "validation": "validation valid val dev development",
    "test": "test testing eval evaluation holdout",
    UNLABELED: "unlabeled unlabelled unsupervised",
}
_PARTS = {name: part for part, names in _NAMES.items() for name in names.split()}
_WORDS = re.compile(r"[^\W\d_]+|\d+")


@dataclass(frozen=True, kw_only=True)
class Assigned:
    """Of N examples each: `parts` has `train`, `validation`, `test`, or an empty text where the data do not say;
    `groups` the name of the group, empty where it is in none. Each has N entries, or none where nothing is said.
    """

    parts: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @classmethod
    def of(cls, parts: Sequence[str], groups: Sequence[str]) -> Assigned:
        """Without what is empty everywhere."""
        return cls(parts=tuple(parts) if any(parts) else (), groups=tuple(groups) if any(groups) else ())

    def only(self, rows: Iterable[int]) -> Assigned:
        """Of some of the examples."""
        chosen = list(rows)
        parts, groups = (tuple(each[row] for row in chosen) if each else () for each in (self.parts, self.groups))
        return Assigned(parts=parts, groups=groups)

    def keys(self, count: int) -> Iterator[bytes]:
        """Of each of `count` examples what a fingerprint needs to know: empty where nothing is said."""
        for each in zip(*(said or ("",) * count for said in (self.parts, self.groups)), strict=True):
            yield "\0".join(each).encode("utf-8", "surrogatepass") if any(each) else b""

    def joined(self, copies: NDArray[np.int64]) -> NDArray[np.int64]:
        """The groups of `copies` (N), joined where they share a group of these, in chains too."""
        if not self.groups:
            return copies
        from scipy.sparse import csr_matrix
        from scipy.sparse.csgraph import connected_components

        named = [row for row, group in enumerate(self.groups) if group]
        _, group = np.unique([self.groups[row] for row in named], return_inverse=True)
        count = len(copies)
        left, right = np.unique(copies, return_inverse=True)[1], np.arange(count)
        # Examples, then their groups of copies, then the named groups: all are nodes of one graph.
        ends = np.concatenate([count + left, count + int(left.max(initial=0)) + 1 + group])
        begins = np.concatenate([right, np.array(named, np.int64)])
        size = int(ends.max(initial=0)) + 1
        graph = csr_matrix((np.ones(len(ends), np.bool_), (begins, ends)), shape=(size, size))
        found: NDArray[np.int64] = connected_components(graph, directed=False)[1][:count].astype(np.int64)
        return found


NOTHING = Assigned()
"""The data say nothing: parts are dealt."""


def is_part(name: str) -> bool:
    """Whether people call a part of data by that name, such as `val`."""
    return name.strip().lower() in _PARTS


def parts_among(names: Iterable[str]) -> Mapping[str, str]:
    """Of folders side by side, the part that each of them is: those called `val` and the like, and those that differ
    by such a word alone, as `train_images` and `test_images` do."""
    found: dict[str, dict[str, str]] = {}
    for name in names:
        words = [word.casefold() for word in _WORDS.findall(name)]
        said = [word for word in words if word in _PARTS]
        if len(said) == 1:
            found.setdefault(" ".join(word for word in words if word not in said), {})[name] = _PARTS[said[0]]
    plain = found.pop("", {})
    for others in found.values():
        if len({*others.values(), *plain.values()}) > 1:
            plain = {**plain, **others}
    return plain


def part_of(name: str, where: str) -> str:
    """`train`, `validation`, `test` or `unlabeled` by any of its usual names. Raises DataError that says `where`."""
    key = name.strip().lower()
    if key in _PARTS:
        return _PARTS[key]
    said = f"'{name[:40]}', which is no part" if key else "empty"
    raise DataError(
        f"{where}: the part is {said}", "write train, validation, test or unlabeled, or leave data.split out"
    )
