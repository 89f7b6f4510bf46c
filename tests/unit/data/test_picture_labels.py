"""Wrong labels of pictures, planted into right ones, are found first; right ones are left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from glassworks.data.collection import Pictures
from glassworks.data.duplicates import find_duplicates
from glassworks.data.picture_labels import picture_label_issues
from glassworks.data.reader import Reading, read_pictures

PLANTED = 30


def digits() -> Pictures:
    return read_pictures("sample:digits", Reading())


def test_planted_labels_are_found_before_others() -> None:
    right = digits()
    generator = np.random.default_rng(5)
    rows = generator.choice(len(right), PLANTED, replace=False)
    labels = right.labels.copy()
    labels[rows] = (labels[rows] + generator.integers(1, 10, PLANTED)) % 10
    wrong = replace(right, labels=labels)
    issues, looked = picture_label_issues(wrong, find_duplicates(wrong.looks).near)
    found = [issue.row for issue in issues]
    assert looked == len(right)
    assert len(set(rows) & set(found)) >= 0.8 * PLANTED
    assert len(set(rows) & set(found[:PLANTED])) >= 0.8 * PLANTED
    assert len(found) <= 2 * PLANTED
    suggested = {issue.row: issue.suggested for issue in issues}
    said_right = [suggested.get(row) == right.classes[right.labels[row]] for row in rows]
    assert sum(said_right) >= 0.7 * PLANTED
    first = issues[0]
    assert first.label == right.classes[labels[first.row]]
    assert [issue.probability for issue in issues] == sorted(issue.probability for issue in issues)


def test_several_labels_are_looked_at_each_for_itself() -> None:
    right = digits()
    labels = np.stack([right.labels % 2, right.labels >= 5], axis=1).astype(np.int64)
    labels[7, 1] = 1 - labels[7, 1]
    both = replace(right, labels=labels, classes=("odd", "large"))
    issues, _ = picture_label_issues(both, find_duplicates(both.looks).near)
    (mine,) = [issue for issue in issues if issue.row == 7]
    assert {mine.label, mine.suggested} == {"large", "not large"}


def test_where_nothing_can_be_learned_nothing_is_found() -> None:
    few = digits()
    one = replace(few, labels=np.zeros_like(few.labels), classes=("only",))
    assert picture_label_issues(one, np.arange(len(few))) == ((), 0)
    assert picture_label_issues(few, np.zeros(len(few), np.int64)) == ((), 0)
