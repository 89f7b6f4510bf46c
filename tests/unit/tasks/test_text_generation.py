"""Perplexity, and answers as people see them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from glassworks.errors import DataError
from glassworks.tasks.text_generation import TextGeneration

TASK = TextGeneration()


def test_perplexity_counts_tokens_not_texts() -> None:
    """Of uniform choices among 8 tokens it is 8, whatever the lengths of the texts; resampling changes nothing then."""
    counts = np.array([3, 500, 1])
    scores = np.stack([-counts * math.log(8), counts], axis=1)
    (measured,) = TASK.measure(scores, np.zeros(3, np.int64)).values()
    assert measured.value == pytest.approx(8)
    assert measured.interval == pytest.approx((8, 8))
    assert (measured.examples, measured.higher_is_better) == (3, False)


def test_the_interval_covers_the_true_value() -> None:
    """Texts of 100 tokens whose mean log-probability varies between texts: 95 % of intervals are to hold the truth."""
    random, inside = np.random.default_rng(0), 0
    for _ in range(200):
        means = random.normal(-3, 0.5, size=60)
        scores = np.stack([100 * means, np.full(60, 100)], axis=1)
        low, high = TASK.measure(scores, np.zeros(60, np.int64))["perplexity"].interval
        inside += low <= math.exp(3) <= high
    assert 180 <= inside <= 200


def test_texts_without_a_second_token_measure_nothing() -> None:
    with pytest.raises(DataError, match="no text has two tokens"):
        TASK.measure(np.array([[0.0, 0], [0.0, 0]]), np.zeros(2, np.int64))


def test_what_compares_answers_is_short() -> None:
    texts = np.array(["long " * 100] * 40, object)
    compared = TASK.compared(texts)
    assert len(compared) == 8
    assert max(map(len, compared)) <= 64
    assert [TASK.unlimited({"max_tokens": most})["max_tokens"] for most in (512, 8)] == [32, 8]


def test_an_answer_is_its_text() -> None:
    outputs = {
        "generated": np.array(["猫".encode(), b""], object),
        "finish_reason": np.array([b"stop", b"length"], object),
    }
    answers = TASK.answer(outputs, ())
    assert answers == [{"generated": "猫", "finish_reason": "stop"}, {"generated": "", "finish_reason": "length"}]
    assert TASK.present(answers[0]).headline == "猫"
