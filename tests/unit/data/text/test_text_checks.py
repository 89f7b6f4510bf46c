"""What the checks of texts say, on injected faults and on the reviews whose faults are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from glassworks.data.intervals import wilson
from glassworks.data.text.checks import TextReport, check_texts
from glassworks.data.text.collection import Texts, collect
from glassworks.data.text.reader import Columns, Row, read_texts
from glassworks.data.text.study import study_texts
from glassworks.data.text.synthetic import synthetic_text

LABELS = ("negative", "positive")


def synthetic(count: int, wrong: int, copies: int = 1) -> tuple[list[Row], set[str]]:
    """Rows with synthetic words and the names of those whose label was turned."""
    generator = np.random.default_rng(0)
    rows, turned = [], set()
    for number in range(count):
        text = synthetic_text(generator, LABELS[number % 2], int(generator.integers(8, 24)))
        if number < wrong:
            turned.add(f"{number}.0")
        label = LABELS[(number + (number < wrong)) % 2]
        rows += [Row(f"{number}.{copy}", text, label) for copy in range(copies)]
    return rows, turned


def studied(texts: Texts) -> TextReport:
    return study_texts(texts, validation=0.2, test=0.2, seed=0)


def test_the_report_counts_what_was_injected() -> None:
    rows = [
        *(Row(f"r{n}", f"a review with the number {n * 7919} in it", "a") for n in range(30)),
        Row("copy", "A review, with the number 7919 in it!", "a"),
        Row("turned", "a review with the number 0 in it", "b"),
        Row("near", "a review with the number 55433 in it ok", "b"),
        Row("empty", "  ", "b"),
        Row("none", "x", ""),
    ]
    report = check_texts(collect("test", rows, Columns(same="letters")))
    assert (report.examples, report.distinct, report.duplicates) == (33, 31, 2)
    assert report.near_duplicates >= 1
    assert report.contradictions == 1
    shown = "a review with the number 0 in it"
    assert report.contradictory == ((f"r0 (a): {shown}", f"turned (b): {shown}"),)
    assert report.unreadable == (("empty", "the text is empty"), ("none", "the label is empty"))
    assert report.class_counts == {"a": 31, "b": 2}
    assert (report.imbalance, report.tiny_classes) == (15.5, ("b",))
    assert report.lengths == {"smallest": 32, "median": 37, "p95": 37, "p99": 38, "largest": 39}
    assert (report.honest_split, report.random_split, report.candidates) == (None, None, None)
    starts = ("contradictory labels: 1 texts", "2 rows are left out", "2 of 33 examples (6.1%)", "", "1 classes", "cla")
    assert all(str(found).startswith(start) for found, start in zip(report.findings, starts, strict=True)), (
        report.findings
    )


def test_nothing_is_found_in_good_texts() -> None:
    words = np.random.default_rng(0).integers(10**12, size=(40, 5))
    rows = [Row(str(n), " ".join(map(str, each)), "ab"[n % 2]) for n, each in enumerate(words.tolist())]
    assert check_texts(collect("test", rows)).findings == ()


def test_the_reviews_hold_every_line_about_twice() -> None:
    """35,123 lines; 17,410 lines differ and 47 have both labels when compared as they are."""
    texts = read_texts("sample:zh-reviews")
    report = check_texts(replace(texts, same="letters"))
    assert (report.examples, len(set(texts.texts))) == (35_123, 17_410)
    both = {text for text, y in zip(texts.texts, texts.targets, strict=True) if y} & {
        text for text, y in zip(texts.texts, texts.targets, strict=True) if not y
    }
    assert len(both) == 47
    assert (report.distinct, report.duplicates, report.contradictions) == (17_376, 17_747, 51)


def test_what_a_leaking_split_would_have_pretended() -> None:
    """Labels are thrown, so that nobody can be right on more than half of the texts that were not seen."""
    generator = np.random.default_rng(0)
    rows = []
    for number in range(150):
        text, label = synthetic_text(generator, "negative", 14), LABELS[int(generator.integers(2))]
        rows += [Row(f"{number}.{copy}", text, label) for copy in range(3)]
    report = studied(collect("test", rows))
    honest, random = report.honest_split, report.random_split
    assert honest is not None and random is not None
    assert honest.examples == pytest.approx(30, abs=3)
    assert random.examples == pytest.approx(90, abs=3)
    assert honest.value < 0.75 < 0.85 < random.value
    assert random.interval[0] < random.value < random.interval[1]
    (reported,) = [str(finding) for finding in report.findings if "n-gram" in str(finding)]
    assert f"would have pretended {random.value:.1%}" in reported
    assert f"is right on {honest.value:.1%}" in reported


def test_injected_wrong_labels_are_candidates_and_none_is_removed() -> None:
    rows, turned = synthetic(300, wrong=15, copies=2)
    texts = collect("test", rows)
    report = studied(texts)
    assert report.candidates
    listed = [candidate.name for candidate in report.candidates]
    assert len(turned & set(listed)) >= 11
    assert len(turned & set(listed[:15])) >= 10
    chances = [candidate.probability for candidate in report.candidates]
    assert chances == sorted(chances)
    first = report.candidates[0]
    assert texts.texts[texts.names.index(first.name)] == first.text
    assert {first.label, first.suggested} == set(LABELS)
    assert all(candidate.label == texts.labels(texts.names.index(candidate.name)) for candidate in report.candidates)
    assert report.examples == 600
    assert str(report.findings[-1]).startswith(f"{len(listed)} of 300 labels look wrong")


def test_candidates_of_many_labels_are_of_one_label_each() -> None:
    rows, turned = synthetic(300, wrong=12)
    multi_label = [row._replace(label="positive|all" if row.label == "positive" else "all") for row in rows]
    report = studied(collect("test", multi_label, Columns(separator="|")))
    assert report.candidates
    assert {candidate.label for candidate in report.candidates} <= {"positive", "not positive"}
    assert len(turned & {candidate.name for candidate in report.candidates}) >= 8
    assert all({c.label, c.suggested} == {"positive", "not positive"} for c in report.candidates)
    labels = {row.name: row.label for row in rows}
    assert all((c.label == "positive") == (labels[c.name] == "positive") for c in report.candidates)
    assert all(c.probability < 0.5 for c in report.candidates)


def test_a_class_whose_texts_all_contradict_another_is_survived() -> None:
    rows, _ = synthetic(60, wrong=0)
    report = studied(collect("test", [*rows, Row("x", rows[0].text, "third")]))
    assert report.contradictions == 1
    assert report.honest_split is not None


@pytest.mark.parametrize(("hits", "n"), [(46, 100), (1, 2), (2231, 2598), (0, 10), (10, 10)])
def test_wilson(hits: int, n: int) -> None:
    """The bounds are where the share lies 1.96 standard errors of the bound away, or the share itself at 0 and 1."""
    low, high = wilson(hits, n)
    for bound in (low, high):
        if bound not in (0.0, 1.0):
            assert abs(hits / n - bound) == pytest.approx(1.959964 * (bound * (1 - bound) / n) ** 0.5, rel=1e-5)
    assert low <= hits / n <= high
    assert (low == 0) == (hits == 0)
    assert (high == 1) == (hits == n)
