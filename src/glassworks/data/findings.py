"""What is found in pictures and in texts alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from glassworks.sentences import Sentence, sentence

TINY = 10
"""Examples of a class: fewer are few."""
_IMBALANCED = 3.0
SHOWN = 3
"""Names in a sentence."""


def copied(code: str, copies: int, examples: int) -> Sentence:
    """How many examples are copies, and their share."""
    return sentence(code, n=copies, total=examples, percent=round(100 * copies / examples, 1))


def of_classes(counts: Mapping[str, int], tiny: int, names: str, imbalance: float) -> Iterator[Sentence]:
    """Classes of few examples, which `names` names, and the largest class beside the smallest."""
    if tiny:
        yield sentence("finding.tiny-classes", n=tiny, least=TINY, names=names)
    if imbalance >= _IMBALANCED:
        largest, smallest = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
        yield sentence("finding.imbalanced", largest=largest, smallest=smallest, times=round(imbalance, 1))


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" ... (+{more:,})" if more > 0 else "")
