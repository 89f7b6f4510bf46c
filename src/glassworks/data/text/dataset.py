"""Labelled texts become a data set: checked, and split without leaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Dataset, Split
from glassworks.data.splits import NEEDED, Dealt, Shares, deal, few, strata
from glassworks.data.text.checks import check_texts, contradictory
from glassworks.data.text.collection import Texts
from glassworks.data.text.duplicates import Copies, find_copies
from glassworks.data.text.keys import TextData
from glassworks.data.text.reader import Columns, read_lines, read_texts
from glassworks.data.text.sameness import plain
from glassworks.errors import DataError

if TYPE_CHECKING:
    from glassworks.config import Job


def prepare_texts(texts: Texts, *, validation: float, test: float, seed: int, per_class: int | None = None) -> Dataset:
    """Check and split; each split's `x` is an object array (N) of str.

    `train` and `validation` keep at most `per_class` texts of each class; `test` stays whole.

    Texts with different labels are left out; of texts that are the same only the first is kept, so that
    no part counts one text twice; near copies are in one part. Raises DataError when nothing can be measured.
    """
    copies = find_copies(texts.texts, texts.same)
    dealt = split_rows(texts, copies, Shares(validation=validation, test=test, seed=seed))
    parts = few(dealt.parts, strata(texts.targets), per_class, seed)
    return Dataset(
        name=texts.source,
        fingerprint=texts.fingerprint,
        classes=texts.classes,
        splits={name: as_split(texts, rows) for name, rows in parts.items()},
        findings=tuple(map(str, (*dealt.findings, *check_texts(texts, copies).findings))),
    )


def split_rows(texts: Texts, copies: Copies, shares: Shares) -> Dealt:
    """The rows of each part. Raises DataError when nothing can be measured."""
    rows = kept_rows(texts, copies)
    kinds = strata(texts.targets[rows])
    counts = np.array([len(np.unique(copies.near[rows][kinds == each])) for each in np.unique(kinds)])
    if len(rows) == 0 or ((counts < NEEDED).all() and not texts.assigned.parts):
        raise DataError(
            f"'{texts.source}': no class has {NEEDED} distinct texts, one each to train, validate and test",
            "add texts; copies of the same one do not count; or name the column of classes: data.label = ...",
        )
    dealt = deal(texts.targets[rows], copies.near[rows], texts.assigned.only(rows), texts.classes, shares)
    return replace(dealt, parts={name: rows[part] for name, part in dealt.parts.items()})


def kept_rows(texts: Texts, copies: Copies) -> NDArray[np.int64]:
    """The first text of each group of the same ones, in each part that the data assign it to, unless its group has
    different labels."""
    kept = np.zeros(len(texts), np.bool_)
    part = np.unique(texts.assigned.parts or [""] * len(texts), return_inverse=True)[1]
    kept[np.unique(np.stack([copies.same, part]), axis=1, return_index=True)[1]] = True
    for members in contradictory(texts, copies):
        kept[members] = False
    return np.flatnonzero(kept).astype(np.int64)


def labelled_split(texts: Texts, labels: Sequence[str]) -> Split:
    """All texts of another source; `y` counts in `labels`. Raises DataError for a label that is not among them."""
    number = {name: index for index, name in enumerate(labels)}
    unknown = [name for name in texts.classes if name not in number]
    if unknown:
        raise DataError(
            f"'{texts.source}' holds labels that the model does not know: {', '.join(unknown[:5])}; "
            f"it knows {', '.join(list(labels)[:20])}",
            "give texts with the model's labels, or train a model with these",
        )
    translate = np.array([number[name] for name in texts.classes], np.int64)
    if texts.multi_label:
        targets = np.zeros((len(texts), len(labels)), np.int64)
        targets[:, translate] = texts.targets
    else:
        targets = translate[texts.targets]
    return Split(x=_array(texts.texts), y=targets)


def as_split(texts: Texts, rows: NDArray[np.int64]) -> Split:
    """Some rows."""
    return Split(x=_array([texts.texts[row] for row in rows]), y=texts.targets[rows])


def _array(texts: Sequence[str]) -> NDArray[np.object_]:
    found = np.empty(len(texts), object)
    found[:] = texts
    return found


def prepare_job(job: Job) -> Dataset:
    """The job's data."""
    data = TextData.of(job)
    columns = Columns.of(data)
    dataset = prepare_texts(
        read_texts(data.source, columns),
        validation=data.validation,
        test=data.test,
        seed=data.seed,
        per_class=data.per_class,
    )
    return replace(dataset, preprocessing={"columns": columns.kept()})


def further_texts(job: Job, dataset: Dataset) -> list[str]:
    """The distinct texts of `data.unlabeled` that are not near copies of a text in a split by their letters alone."""
    data = TextData.of(job)
    if not data.unlabeled:
        return []
    seen = {plain(text) for split in dataset.splits.values() for text in split.x.tolist()}
    found = {plain(text): text for text in reversed(read_lines(data.unlabeled, Columns.of(data).of_one_file()))}
    return [text for key, text in reversed(found.items()) if key not in seen]


def read_split(source: str, preprocessing: Mapping[str, Any], labels: Sequence[str]) -> Split:
    """All texts of another source in the columns that `preprocessing` names."""
    return labelled_split(read_texts(source, Columns.of_bundle(preprocessing), min_classes=1), labels)
