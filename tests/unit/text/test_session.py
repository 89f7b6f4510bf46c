"""Texts in, probabilities and label sets out: batches of like length, windows averaged, bad texts refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.text.texts import PREPROCESSING, Counting, strings, tokenization

from glassworks.errors import DataError, InputError
from glassworks.tasks.text_classification import TextClassification
from glassworks.text.session import TextSession, batches
from glassworks.text.tokenization import signature


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("session")


def session(folder: Path, graph: Counting, **changes: Any) -> TextSession:
    return TextSession(graph, tokenization(folder, **changes), {**PREPROCESSING, **changes})


def asked(one: TextSession, texts: list[Any]) -> dict[str, Any]:
    given = np.empty(len(texts), object)
    given[:] = texts
    return one.run({"text": given})


def test_a_batch_equals_its_texts_and_their_order(folder: Path) -> None:
    one = session(folder, Counting(), max_windows=2**20)
    texts = strings(200)
    together = asked(one, texts)
    for row, text in enumerate(texts):
        alone = asked(one, [text])
        assert np.allclose(alone["probabilities"][0], together["probabilities"][row], atol=1e-6)
    assert np.allclose(together["probabilities"].sum(axis=1), 1, atol=1e-6)
    assert together["probabilities"].dtype == np.float32
    assert together["label_set"].dtype == np.bool_


def test_texts_of_like_length_are_computed_together(folder: Path) -> None:
    graph = Counting()
    one = session(folder, graph, max_tokens=400, max_windows=1)
    generator = np.random.default_rng(0)
    lengths = generator.integers(5, 300, 200)
    asked(one, ["龘" * int(length) for length in lengths])
    assert sum(rows for rows, _ in graph.shapes) == 200
    assert max(rows for rows, _ in graph.shapes) <= 32
    computed = sum(rows * steps for rows, steps in graph.shapes)
    assert computed <= 1.25 * lengths.sum()
    assert computed < 0.65 * 200 * lengths.max()


def test_every_window_is_in_one_batch(folder: Path) -> None:
    windows = [tokenization(folder, max_tokens=400).windows("龘" * length)[0] for length in [3, 200, 4, 3, 190, 7] * 20]
    found = batches(windows)
    assert sorted(index for batch in found for index in batch) == list(range(120))
    assert batches([]) == []


def test_windows_are_averaged_by_their_tokens(folder: Path) -> None:
    one = session(folder, Counting())
    text = "龘" * 16 + "the book arrived on monday "
    windows = one.tokenization.windows(text)
    assert len(windows) > 1
    weights = np.array([window.weight for window in windows])
    means = np.array([window.ids.mean() / 100 for window in windows])
    assert one.scores([text])[0, 1] == pytest.approx((weights * means).sum() / weights.sum(), rel=1e-5)


def test_temperature_divides_scores(folder: Path) -> None:
    cold, warm = (session(folder, Counting(), temperature=each) for each in (1.0, 4.0))
    assert np.allclose(cold.scores(["the book"]), 4 * warm.scores(["the book"]), rtol=1e-6)


@pytest.mark.parametrize("multi_label", [False, True])
def test_label_sets_hold_what_is_not_ruled_out(multi_label: bool, folder: Path) -> None:
    one = session(folder, Counting(), several=multi_label, threshold=0.45)
    for text in ("the book", "", "monday 满意"):
        answer = asked(one, [text])
        score = float(one.scores([text])[0, 1])
        wanted = (
            [0.5, 1 / (1 + math.exp(-score))]
            if multi_label
            else [1 / (1 + math.exp(score)), 1 / (1 + math.exp(-score))]
        )
        assert np.allclose(answer["probabilities"][0], wanted, atol=1e-6)
        assert answer["label_set"][0].tolist() == [each >= 0.45 for each in wanted]


def test_only_what_is_asked_for_comes_back(folder: Path) -> None:
    one = session(folder, Counting())
    assert list(one.run({"text": np.array([b"a"], object)}, ["label_set"])) == ["label_set"]
    assert one.signature == signature(2)
    assert [spec.datatype for spec in (*one.signature.inputs, *one.signature.outputs)] == ["BYTES", "FP32", "BOOL"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"ab\xff", "a text is not valid UTF-8: byte 2"),
        ("\u597d".encode("gb18030"), "a text is not valid UTF-8: byte 0"),
        ("a\ud800", "a text is not valid Unicode: character 1 is half of a pair"),
        ("word " * 200_000, "at most 100 are read"),
    ],
)
def test_bad_texts_are_refused_in_two_lines(text: bytes | str, problem: str, folder: Path) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        asked(session(folder, Counting()), ["fine", text])
    assert str(caught.value).count("\n") == 1


def test_nothing_and_nothing_but_spaces_have_the_answer_of_no_token(folder: Path) -> None:
    one = session(folder, Counting())
    answer = asked(one, ["", b"", " \n\t"])["probabilities"]
    assert np.allclose(answer, 0.5)


def test_answers_are_for_people() -> None:
    task = TextClassification()
    outputs = {"probabilities": np.array([[0.1, 0.7, 0.2]], np.float32), "label_set": np.array([[False, True, True]])}
    (answer,) = task.answer(outputs, ("a", "b", "c"))
    assert answer["label"] == "b"
    assert answer["probability"] == pytest.approx(0.7)
    assert [label for label, _ in answer["top"]] == ["b", "c", "a"]
    assert answer["label_set"] == ["b", "c"]


def test_files_are_read_as_utf8_with_or_without_a_mark() -> None:
    task = TextClassification()
    assert task.decode(b"\xef\xbb\xbf\xe5\xa5\xbd", {}).item() == "好"
    with pytest.raises(InputError, match="the text is not valid UTF-8: byte 6"):
        task.decode("好人".encode() + b"\xff", {})


def test_multi_label_scores_are_measured_by_pairs_and_by_sets() -> None:
    task = TextClassification()
    scores = np.array([[0.9, 0.2], [0.6, 0.4]], np.float32)
    measured = task.measure(scores, np.array([[1, 0], [0, 1]], np.int64))
    assert measured["accuracy"].value == 0.5
    assert measured["accuracy"].examples == 2
    assert measured["micro_f1"].value == 0.5
    assert measured["macro_f1"].value == pytest.approx((2 / 3 + 0) / 2)
    assert measured["exact_match"].value == 0.5
    assert measured["log_loss"].value == pytest.approx(-np.mean(np.log([0.9, 0.8, 0.4, 0.4])), rel=1e-6)
    with pytest.raises(DataError, match="there are no examples to measure"):
        task.measure(np.zeros((0, 2), np.float32), np.zeros(0, np.int64))
