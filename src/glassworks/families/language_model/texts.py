"""The texts that a language model is measured on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.contracts import Dataset, Split
from glassworks.data.splits import PARTS, split
from glassworks.data.text.reader import Columns, read_lines
from glassworks.data.text.sameness import plain
from glassworks.errors import DataError
from glassworks.families.language_model.settings import LanguageData

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glassworks.config import Job


def prepare(job: Job) -> Dataset:
    """Distinct texts in three parts, each cut off after `measured_bytes`. Raises DataError with fewer than three."""
    data = LanguageData.of(job)
    texts = list({plain(text): text for text in reversed(read_lines(data.source, Columns.of(data)))}.values())[::-1]
    if len(texts) < len(PARTS):
        raise DataError(
            f"'{data.source}' holds {len(texts)} distinct texts, three are needed",
            "give texts of the kind that the model will read: its forms are compared on them",
        )
    alike, alone = np.zeros(len(texts), np.int64), np.arange(len(texts), dtype=np.int64)
    parts = split(alike, alone, data.validation, data.test, data.seed)
    random = np.random.default_rng(data.seed)
    chosen = {name: _within(texts, random.permutation(rows), data.measured_bytes) for name, rows in parts.items()}
    return Dataset(
        name=data.source,
        fingerprint=hashlib.sha256("\0".join(texts).encode("utf-8", "replace")).hexdigest(),
        classes=(),
        splits={name: _split(each) for name, each in chosen.items()},
        findings=(
            f"{sum(map(len, chosen.values()))} of {len(texts)} texts are read, {data.measured_bytes:,} bytes a part",
        ),
    )


def read(source: str, preprocessing: Mapping[str, Any]) -> Split:
    """The texts of another source. Raises DataError."""
    return _split(read_lines(source, Columns.of_bundle(preprocessing)))


def _within(texts: Sequence[str], order: Iterable[Any], most: int) -> list[str]:
    """Texts in that order until so many bytes are there: at least one."""
    kept, size = list[str](), 0
    for row in order:
        kept.append(texts[row])
        size += len(texts[row].encode("utf-8", "replace"))
        if size >= most:
            break
    return kept


def _split(texts: Sequence[str]) -> Split:
    x: NDArray[Any] = np.empty(len(texts), object)
    x[:] = texts
    return Split(x=x, y=np.zeros(len(texts), np.int64))
