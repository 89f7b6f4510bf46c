"""Learning right answers and how probable a teacher finds each token (Hinton et al. 2015)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from glassworks.families.tuned_language_model.network import Tuned
from glassworks.families.tuned_language_model.objective import Course
from glassworks.families.tuned_language_model.packing import Row, rows_of
from glassworks.families.tuned_language_model.supervised import Supervised
from glassworks.families.tuned_language_model.teaching import read_probabilities

_SMALLEST = 1e-8
"""What is left beside the teacher's most probable tokens is at least so much: its logarithm stays finite."""


class Distilled(Supervised):
    """Half the loss is of the answers' tokens, half the divergence of the student's probabilities from the teacher's:
    of its most probable tokens at each place, and of all others as one.
    """

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        self._taught = [each for item in course.items("train") for each in _of_examples(item, course)]

    def parts(self, network: Tuned, rows: Sequence[int]) -> Iterator[Callable[[], Tensor]]:
        chosen = [self._learning[row] for row in rows]
        targets = sum(int(example.learned[1:].sum()) for example in chosen)

        def part(row: Row) -> Tensor:
            scores = network.scores(row)
            own = functional.cross_entropy(scores, row.targets.to(scores.device), reduction="sum")
            theirs = np.concatenate([self._taught[rows[member]] for member in row.members])
            return (own + divergence(scores, theirs)) / (2 * targets)

        for row in rows_of(chosen, self.course.config.row_tokens, self.course.processors.parts):
            yield partial(part, row)


def divergence(scores: Tensor, theirs: NDArray[Any]) -> Tensor:
    """Kullback and Leibler's, summed over places (A): of probabilities by logits (A V) from those of a teacher, as
    `read_probabilities` has them. Places without any (all probabilities 0) count nothing.
    """
    tokens = torch.from_numpy(theirs["token"].astype(np.int64)).to(scores.device)
    known = torch.from_numpy(theirs["probability"].copy()).to(scores)
    student = scores.log_softmax(1).gather(1, tokens)
    inner = (known.exp() * (known.nan_to_num(neginf=0.0) - student)).sum(1)
    rest, left = (1 - known.exp().sum(1)).clamp(min=0), (1 - student.exp().sum(1)).clamp(min=_SMALLEST)
    outer = torch.xlogy(rest, rest) - rest * left.log()
    return torch.where(known.exp().sum(1) > 0, inner + outer, torch.zeros_like(inner)).sum()


def _of_examples(item: str, course: Course) -> list[NDArray[Any]]:
    """The teacher's probabilities of each example of an item, with places of probability 0 where it gave none."""
    found = []
    for example, taught in zip(course.reading.examples(item), read_probabilities(item), strict=True):
        count = int(example.learned[1:].sum())
        nothing = np.zeros(count, taught.dtype)
        nothing["probability"] = -np.inf
        found.append(taught if len(taught) else nothing)
    return found


def is_taught(items: Sequence[str]) -> bool:
    """Whether a teacher's probabilities are in the items of a split."""
    return any(read_probabilities(item) for item in items[:1])
