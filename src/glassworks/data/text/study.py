"""What a classifier tells about labelled texts: what a leaking split would have pretended, which labels look wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from glassworks.catalog import require
from glassworks.contracts import Measurement
from glassworks.data.intervals import wilson
from glassworks.data.splits import NEEDED, Shares, split, strata
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
    copies = copies or find_copies(texts.texts)
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
    """Confident learning (Northcutt et al. 2021) on out-of-fold probabilities; the least probable label first."""
    targets = texts.targets[rows]
    probabilities = cross_validated(counts[row[rows]], targets, near[rows], len(texts.classes))
    if texts.multi_label:
        found = list(_of_many_labels(texts, rows, targets, probabilities))
    else:
        found = list(_of_one_label(texts, rows, targets, probabilities))
    return tuple(sorted(found, key=lambda candidate: candidate.probability))


def _of_one_label(
    texts: Texts, rows: NDArray[np.int64], targets: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> Iterator[LabelCandidate]:
    present, known = np.unique(targets, return_inverse=True)
    among = probabilities[:, present] / probabilities[:, present].sum(axis=1, keepdims=True)
    for index in _issues(known, among):
        best = texts.classes[present[among[index].argmax()]]
        given = texts.classes[targets[index]]
        yield _candidate(texts, int(rows[index]), given, best, float(among[index, known[index]]))


def _of_many_labels(
    texts: Texts, rows: NDArray[np.int64], targets: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> Iterator[LabelCandidate]:
    """Each label for itself: the text has it, or not."""
    for label, name in enumerate(texts.classes):
        own, yes = targets[:, label], probabilities[:, label]
        if min(own.sum(), (1 - own).sum()) < NEEDED:
            continue
        for index in _issues(own, np.stack([1 - yes, yes], axis=1)):
            names = (f"not {name}", name)
            chance = float(yes[index] if own[index] else 1 - yes[index])
            yield _candidate(texts, int(rows[index]), names[own[index]], names[1 - own[index]], chance)


def _issues(known: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    require(("cleanlab",), "finding labels that look wrong", extra="text")
    from cleanlab.filter import find_label_issues

    if probabilities.shape[1] < 2:
        return np.zeros(0, np.int64)
    return np.asarray(
        find_label_issues(known, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1), np.int64
    )


def _candidate(texts: Texts, row: int, label: str, suggested: str, probability: float) -> LabelCandidate:
    return LabelCandidate(
        name=texts.names[row],
        label=label,
        suggested=suggested,
        probability=round(probability, 6),
        text=texts.texts[row],
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
