"""What answers are worth: known figures, hand computation, and what must hold of any two texts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies

from glassworks.catalog import get
from glassworks.contracts import Answered, Choice, Grader
from glassworks.errors import InputError
from glassworks.language.evaluation.graders.text_similarity import similarity, words_of


def graded(name: str, said: str, expected: str, **options: Any) -> dict[str, float]:
    grader = get(Grader, name)
    return dict(grader.grade(Answered(text=said), expected, grader.options(**options)))


@pytest.mark.parametrize(
    ("said", "expected", "exact", "normalized"),
    [
        ("Paris", "Paris", 1, 1),
        (" Paris\n", "Paris", 1, 1),
        ("paris.", "Paris", 0, 1),
        ("The  Eiffel tower!", "eiffel tower", 0, 1),
        ("１２", "12", 0, 1),
        ("Rome", "Paris", 0, 0),
        ("", "Paris", 0, 0),
        ("?", "!", 0, 0),
    ],
)
def test_exact_match_and_what_is_normalized(said: str, expected: str, exact: int, normalized: int) -> None:
    assert graded("exact_match", said, expected) == {"exact_match": exact, "normalized_match": normalized}


def test_what_is_normalized_can_be_said() -> None:
    assert graded("exact_match", "A", "a", normalize=())["normalized_match"] == 0
    assert graded("exact_match", "A", "a", normalize=("case",))["normalized_match"] == 1


@pytest.mark.parametrize(("operation", "found"), [("eq", 0), ("ne", 1), ("like", 0), ("ilike", 1)])
def test_string_check(operation: str, found: int) -> None:
    assert graded("string_check", "The Answer is 42", "answer", operation=operation) == {"string_check": found}
    assert graded("string_check", "42", "42")["string_check"] == 1


def test_multiple_choice_is_as_lm_eval_computes_it() -> None:
    """Its formulas: the argmax of sums, and of sums over the characters of each choice."""
    random, grader = np.random.default_rng(0), get(Grader, "multiple_choice")
    for _ in range(50):
        texts = ["a" * int(size) + str(number) for number, size in enumerate(random.integers(1, 30, 4))]
        sums = random.normal(-20, 10, 4)
        choices = [
            Choice(text=text, log_probability=float(each), tokens=1) for text, each in zip(texts, sums, strict=True)
        ]
        gold = int(random.integers(4))
        found = grader.grade(Answered(choices=tuple(choices)), texts[gold], grader.options())
        lengths = np.array([float(len(text)) for text in texts])
        assert found == {
            "acc": float(np.argmax(sums) == gold),
            "acc_norm": float(np.argmax(sums / lengths) == gold),
        }


def test_an_answer_that_is_no_choice_is_refused() -> None:
    grader = get(Grader, "multiple_choice")
    with pytest.raises(InputError, match="'c' is none of the choices"):
        grader.grade(Answered(choices=(Choice(text="a", log_probability=-1, tokens=1),)), "c", grader.options())


def test_fields_of_json() -> None:
    expected = '{"name": "Ann", "age": 30, "tags": ["a", "b"], "none": null}'
    assert graded("fields", expected, expected)["all_fields"] == 1
    found = graded("fields", ' {"age": 30.0, "name": " Ann", "tags": ["a", "c"], "more": true} ', expected)
    assert found["valid_json"] == 1
    assert found["all_fields"] == 0
    # Right: name, age, the first tag. Five values were expected, five are given.
    assert found["field_f1"] == pytest.approx(2 * 3 / 10)
    alone = {name: value for name, value in found.items() if name.startswith("field ")}
    assert alone == {"field name": 1, "field age": 1, "field tags": 0, "field none": 0}


@pytest.mark.parametrize(
    "said", ["", "Ann", "[1]", '{"a": NaN}', '```json\n{"a": 1}\n```', '{"a": 1} and more', "[" * 9000]
)
def test_what_is_no_json_object_has_no_field(said: str) -> None:
    found = graded("fields", said, '{"a": 1}')
    assert found == {"valid_json": 0, "all_fields": 0, "field_f1": 0, "field a": 0}


def test_fields_that_are_named() -> None:
    found = graded("fields", '{"a": true}', '{"a": 1, "b": 2}', each=("a", "c"))
    assert found["field a"] == 0, "true is no 1"
    assert math.isnan(found["field c"])
    with pytest.raises(InputError, match="no JSON object"):
        graded("fields", "{}", "Paris")


@pytest.mark.parametrize(
    ("metric", "said", "known", "value"),
    [
        # rapidfuzz 3.14: fuzz.ratio / 100
        ("fuzzy_match", "kitten", "sitting", 0.6153846153846154),
        ("fuzzy_match", "the cat sat", "the bat sat on", 0.8),
        # sacrebleu 2.6: sentence_bleu / 100, of the same words
        ("bleu", "the cat sat on a mat", "the cat sat on the mat", 0.537284965911771),
        ("bleu", "the cat", "the cat sat on the mat", 0.1353352832366127),
        ("bleu", "a b x d", "a b c d", 0.35355339059327373),
        # nltk 3.9: sentence_gleu
        ("gleu", "the cat sat on a mat", "the cat sat on the mat", 0.6111111111111112),
        # rouge-score 0.1.2: fmeasure, without stemming
        ("rouge_1", "the cat sat on a mat", "the cat sat on the mat", 0.8333333333333334),
        ("rouge_2", "the cat sat on a mat", "the cat sat on the mat", 0.6),
        ("rouge_l", "on the mat sat the cat", "the cat sat on the mat", 0.5),
    ],
)
def test_similarity_is_as_others_compute_it(metric: Any, said: str, known: str, value: float) -> None:
    assert similarity(metric, said, known) == pytest.approx(value)


METRICS: list[Any] = ["fuzzy_match", "bleu", "gleu", "rouge_1", "rouge_2", "rouge_l"]


@given(one=strategies.text(alphabet="ab 今天", max_size=12), other=strategies.text(alphabet="ab 今天", max_size=12))
def test_similarity_is_a_share_and_whole_for_the_same(one: str, other: str) -> None:
    for metric in METRICS:
        assert 0 <= similarity(metric, one, other) <= 1 + 1e-12
        if metric == "fuzzy_match" or len(words_of(one)) >= 2:
            assert similarity(metric, one, one) == pytest.approx(1)


def test_signs_of_chinese_are_words() -> None:
    assert words_of("It's 今天!") == ["it", "'", "s", "今", "天", "!"]
    assert similarity("rouge_1", "今天好", "今天不好") == pytest.approx(2 * 3 / 7)
