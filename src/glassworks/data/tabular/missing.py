"""What a cell holds where nothing is known."""

from __future__ import annotations

import math
from itertools import chain

from glassworks.data.tabular.format import TableFormat

WORDS = frozenset(
    "#N/A;#N/A N/A;#NA;-1.#IND;-1.#QNAN;-NaN;-nan;1.#IND;1.#QNAN;<NA>;N/A;NA;NULL;NaN;NaT;None;n/a;nan;null".split(";")  # noqa: SIM905
)
"""What pandas.read_csv takes for missing, and writes for it (`keep_default_na`)."""

_INVISIBLE = "".join(
    chain(
        (sign for sign in map(chr, range(0x3001)) if sign.isspace()),
        map(
            chr,
            (0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2060, 0xFEFF, *range(0x202A, 0x202F), *range(0x2066, 0x206A)),
        ),
    )
)
"""Blanks, and signs without width: those between words, and those that say the direction of writing."""


def trimmed(text: str) -> str:
    """A name or a label without what cannot be seen around it."""
    return text.strip(_INVISIBLE)


def missing_words(form: TableFormat) -> frozenset[str]:
    """The words that stand for nothing where one of few is expected, as in labels: those given, else the usual ones."""
    return WORDS if form.na is None else frozenset(map(str.strip, form.na))


def is_missing(value: object, words: frozenset[str]) -> bool:
    """Whether a cell holds nothing, or a word for it."""
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or (isinstance(value, str) and (not trimmed(value) or trimmed(value) in words))
