"""The sample requests of a bundle."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from glassworks.packaging.assemble import varied_rows
from glassworks.packaging.bundle import Bundle


@pytest.mark.parametrize(
    ("y", "rows"),
    [
        ([0, 0, 0, 1, 2, 1], [0, 3, 4]),
        ([0, 0, 0, 0, 1], [0, 1, 4]),
        ([5, 5, 5, 5], [0, 1, 2]),
        ([7], [0]),
        ([], []),
        ([[1, 0], [1, 0], [1, 1], [0, 1]], [0, 2, 3]),
    ],
)
def test_rows_are_of_different_classes_as_far_as_there_are_some(y: Any, rows: list[int]) -> None:
    assert varied_rows(np.array(y, np.int64), 3) == rows


def test_answers_that_are_pictures_have_no_classes() -> None:
    assert varied_rows(np.zeros((5, 8, 8, 1), np.uint8), 3) == [0, 1, 2]


def test_a_bundle_shows_different_classes(tiny_bundle: Bundle) -> None:
    samples = json.loads((tiny_bundle.folder / "samples.json").read_text(encoding="utf-8"))
    assert len(samples) == 3
    assert len({json.dumps(each["inputs"]) for each in samples}) == 3
