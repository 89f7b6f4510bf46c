"""What a cell holds where nothing is known."""

from __future__ import annotations

import math

from glassworks.data.tabular.format import TableFormat

WORDS = frozenset(
    "#N/A;#N/A N/A;#NA;-1.#IND;-1.#QNAN;-NaN;-nan;1.#IND;1.#QNAN;<NA>;N/A;NA;NULL;NaN;NaT;None;n/a;nan;null".split(";")  # noqa: SIM905
)
"""What pandas.read_csv takes for missing, and writes for it (`keep_default_na`)."""


def missing_words(form: TableFormat) -> frozenset[str]:
    """The words that stand for nothing where one of few is expected, as in labels: those given, else the usual ones."""
    return WORDS if form.na is None else frozenset(map(str.strip, form.na))


def is_missing(value: object, words: frozenset[str]) -> bool:
    """Whether a cell holds nothing, or a word for it."""
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or (isinstance(value, str) and (not value.strip() or value.strip() in words))
