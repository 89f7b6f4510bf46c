"""What a classifier tells about labelled texts: what a leaking split would have pretended, which labels look wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Measurement
from glassworks.data.intervals import wilson
from glassworks.data.label_issues import label_issues
from glassworks.data.splits import Shares, split, strata
from glassworks.data.text.baseline import Counts, choose_texts, count_ngrams, cross_validated, fit_baseline
from glassworks.data.text.checks import LabelCandidate, TextReport, check_texts
from glassworks.data.text.collection import Texts
from glassworks.data.text.dataset import kept_rows, split_rows
from glassworks.data.text.duplicates import Copies, find_copies
from glassworks.sentences import Sentence, sentence

_SHOWN = 60


def study_texts(texts: Texts, *, validation: float, test: float, seed: int, copies: Copies | None = None) -> TextReport:
    """`check_texts`, and what it takes a classifier to see; the split is the one that a job would learn from.

    `copies` are those of `find_copies`, where the caller has them already. Raises MissingLibrary, and DataError when
    the texts cannot be split.
    """
    copies = copies or find_copies(texts.texts, texts.same)
    report = check_texts(texts, copies)
    dealt = split_rows(texts, copies, Shares(validation=validation, test=test, seed=seed))
    everything = np.arange(len(texts))
    naive = split(strata(texts.targets), everything, validation, test, seed)
    number: dict[str, int] = {}
    row = np.array([number.setdefault(text, len(number)) for text in texts.texts], np.int64)
    distinct = count_ngrams(list(number))
    honest_split, random_split = (_measured(texts, distinct, row, parts) for parts in (dealt.parts, naive))
    kept = kept_rows(texts, copies)
    candidates = _candidates(texts, distinct, row, kept[choose_texts(len(kept))], copies.near)
    found = {"honest_split": honest_split, "random_split": random_split, "candidates": candidates}
    studied = report.model_copy(update=found)
    return studied.model_copy(update={"findings": (*dealt.findings, *report.findings, *_findings(studied, len(kept)))})


def _measured(
    texts: Texts, counts: Counts, row: NDArray[np.int64], parts: Mapping[str, NDArray[np.int64]]
) -> Measurement:
    """Accuracy on the test rows of a classifier fitted on the training rows and chosen on the validation rows."""
    train = parts["train"][choose_texts(len(parts["train"]))]
    validation, test, y = parts["validation"], parts["test"], texts.targets
    fitted = fit_baseline(counts[row[train]], y[train], counts[row[validation]], y[validation], len(texts.classes))
    probabilities = fitted.probabilities(counts[row[test]])
    predicted = probabilities >= 0.5 if texts.multi_label else probabilities.argmax(axis=1)
    right = predicted == y[test]
    low, high = wilson(int(right.sum()), right.size)
    return Measurement(value=float(right.mean()), interval=(low, high), examples=len(test))


def _candidates(
    texts: Texts, counts: Counts, row: NDArray[np.int64], rows: NDArray[np.int64], near: NDArray[np.int64]
) -> tuple[LabelCandidate, ...]:
    """Labels that look wrong to classifiers that saw neither the text nor a copy of it."""
    targets = texts.targets[rows]
    probabilities = cross_validated(counts[row[rows]], targets, near[rows], len(texts.classes))
    return tuple(
        LabelCandidate(
            name=texts.names[rows[issue.row]],
            label=issue.label,
            suggested=issue.suggested,
            probability=round(issue.probability, 6),
            text=texts.texts[rows[issue.row]],
        )
        for issue in label_issues(targets, probabilities, texts.classes)
    )


def _findings(report: TextReport, kept: int) -> Iterator[Sentence]:
    honest, random = report.honest_split, report.random_split
    if honest and random:
        code = "finding.split-pretends" if random.value > honest.interval[1] else "finding.split-agrees"
        yield sentence(code, honest=_percent(honest), random=_percent(random))
    if report.candidates:
        first = report.candidates[0]
        example = f"{first.name} ({first.label}): {first.text[:_SHOWN]}"
        yield sentence("finding.suspects", n=len(report.candidates), total=kept, example=example)


def _percent(value: Measurement) -> str:
    low, high = value.interval
    return f"{value.value:.1%} [{low:.1%}, {high:.1%}]"
