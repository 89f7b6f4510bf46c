"""A text as explainers see it: words that are the text, values that are kept, padding that has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.unit.text.texts import PREPROCESSING, Counting, strings, tokenization

from glassworks.contracts import Session, Signature, TensorSpec
from glassworks.errors import InputError
from glassworks.text.session import TextSession
from glassworks.text.subject import TextSubject
from glassworks.text.words import word_spans

Array = NDArray[np.generic]
WIDTH = 3


def spec(name: str) -> TensorSpec:
    return TensorSpec(name=name, datatype="FP32", shape=(-1,))


class Embed(Session):
    """Token id t becomes (t, 1, 2), the token that fills up included; an n-gram says its number for both labels."""

    def __init__(self, ngrams: bool) -> None:
        names = ("ids", "pieces") if ngrams else ("ids",)
        outputs = ("vectors", "says") if ngrams else ("vectors",)
        self.signature = Signature(inputs=tuple(map(spec, names)), outputs=tuple(map(spec, outputs)))

    def run(self, tensors: Mapping[str, Array], outputs: Sequence[str] | None = None) -> dict[str, Array]:
        ids = np.asarray(tensors["ids"], np.float32)
        found: dict[str, Array] = {"vectors": np.stack([ids, np.ones_like(ids), 2 * np.ones_like(ids)], axis=2)}
        if "pieces" in tensors:
            ngrams = np.asarray(tensors["pieces"] % 97, np.float32)
            found["says"] = np.stack([ngrams, -ngrams], axis=2)
        return found


class Gradient(Session):
    """Scores are sums of all vectors; the gradient is one everywhere."""

    signature = Signature(inputs=(spec("vectors"), spec("target")), outputs=(spec("scores"), spec("gradient")))

    def run(self, tensors: Mapping[str, Array], outputs: Sequence[str] | None = None) -> dict[str, Array]:
        vectors = np.asarray(tensors["vectors"], np.float32)
        total = vectors.sum(axis=(1, 2))
        return {"scores": np.stack([total, -total], axis=1), "gradient": np.ones_like(vectors)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("subject")


def subject(folder: Path, text: str | bytes, *, ngrams: bool = False, **changes: Any) -> TextSubject:
    settings = {"max_windows": 2**20, **changes}
    predictor = TextSession(Counting(), tokenization(folder, **settings), {**PREPROCESSING, **settings})
    sessions: dict[str, Session] = {"predict": predictor, "embed": Embed(ngrams), "gradient": Gradient()}
    return TextSubject({"text": np.array([text], object)}, sessions.__getitem__, None)


def test_words_are_the_text_on_a_thousand_strings() -> None:
    for text in strings():
        spans = word_spans(text)
        assert "".join(text[begin:end] for begin, end in spans) == text
        assert all(begin < end for begin, end in spans) or text == ""
        assert [begin for begin, _ in spans[1:]] == [end for _, end in spans[:-1]]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("这是一个关于人工智能的文章", ["这是", "一个", "关于", "人工智能", "的", "文章"]),
        ("a  good book", ["a  ", "good ", "book"]),
        ("  a", ["  ", "a"]),
        ("e\u0301te\u0301 ok", ["e\u0301te\u0301 ", "ok"]),
        ("很好👍🏽！", ["很", "好", "👍🏽", "！"]),
        ("👩\u200d👧 ok", ["👩\u200d👧 ", "ok"]),
        ("", [""]),
    ],
)
def test_words_are_readable(text: str, wanted: list[str]) -> None:
    assert [text[begin:end] for begin, end in word_spans(text)] == wanted


@pytest.mark.parametrize("ngrams", [False, True])
def test_the_sum_over_words_is_the_sum_over_tokens(ngrams: bool, folder: Path) -> None:
    generator = np.random.default_rng(0)
    for text in strings(150)[5:]:
        one = subject(folder, text, ngrams=ngrams)
        view = one.view("gradient")
        values = generator.normal(size=view.example.shape).astype(np.float32)
        special = view.example == view.baseline
        values[special] = 0
        placed = one.align("gradient", values)
        assert placed.shape == (1, 1, len(one.spans))
        assert float(placed.sum(dtype=np.float64)) == pytest.approx(float(values.sum(dtype=np.float64)), abs=1e-4)


def test_the_baseline_has_no_ngram_whatever_the_id_of_padding(folder: Path) -> None:
    one = subject(folder, "the book", ngrams=True, pad=60_000)
    assert not one.view("gradient").baseline[0, :, WIDTH:].any()


def test_a_token_over_two_words_is_shared_by_characters(folder: Path) -> None:
    one = subject(folder, "龘")
    one.text, one.spans = "abcd", ((0, 1), (1, 4))
    one.view("gradient")
    window = one._windows[0]
    object.__setattr__(window, "offsets", np.array([[0, 4]]))
    assert np.allclose(one.align("gradient", np.full((1, 1, 2), 4.0, np.float32)), [[[2.0, 6.0]]])


def test_special_tokens_and_padding_have_no_value(folder: Path) -> None:
    one = subject(folder, "the book", prefix=[7], suffix=[8])
    view = one.view("gradient")
    assert np.array_equal(view.example[0, [0, -1]], view.baseline[0, [0, -1]])
    assert (view.baseline[0, 1:-1] == [0, 1, 2]).all(), "everything else becomes the token that fills up"
    values = np.zeros_like(view.example)
    values[0, [0, -1]] = 100
    assert not one.align("gradient", values).any()
    empty = subject(folder, "")
    assert empty.align("gradient", np.ones_like(empty.view("gradient").example)).tolist() == [[[0.0]]]


def test_nothing_is_filled_up_while_explaining(folder: Path) -> None:
    """The vectors are those of the text's own tokens, window by window."""
    text = "龘" * 30
    one = subject(folder, text)
    windows = tokenization(folder, max_windows=2**20).windows(text)
    assert one.view("gradient").example.shape == (1, sum(len(window.ids) for window in windows), WIDTH)


def test_scores_of_windows_are_averaged_as_the_predictor_does(folder: Path) -> None:
    one = subject(folder, "龘" * 30, temperature=2.0)
    view = one.view("gradient")
    answer = view.session.run({"vectors": view.example, "target": np.zeros(1, np.int64)})
    weights = np.array([window.weight for window in one._windows])
    sums = np.array([4.0 * len(window.ids) for window in one._windows])  # each token is (1, 1, 2)
    assert answer["scores"][0, 0] == pytest.approx((weights * sums).sum() / weights.sum() / 2)
    step = np.zeros_like(view.example)
    step[0, 3, 0] = 0.5
    moved = view.session.run({"vectors": view.example + step, "target": np.zeros(1, np.int64)})
    slope = float(moved["scores"][0, 0] - answer["scores"][0, 0]) / 0.5
    assert float(answer["gradient"][0, 3, 0]) == pytest.approx(slope, rel=1e-4)


def test_what_ngrams_say_is_kept(folder: Path) -> None:
    one = subject(folder, "the book arrived 满意", ngrams=True)
    said = one.view("gradient").example[0, :, WIDTH:].sum(axis=0)
    (window,) = one._windows
    assert said[0] == pytest.approx(float((window.ngrams % 97).sum()), rel=1e-5)
    assert said[1] == pytest.approx(-float((window.ngrams % 97).sum()), rel=1e-5)


def test_words_are_taken_out_of_the_text(folder: Path) -> None:
    one = subject(folder, "the book arrived")
    view = one.view("predict")
    rows = np.array([[[1, 0, 1]], [[0, 0, 0]], [[1, 1, 1]], [[1, 0, 1]]], np.float32)
    answer = view.session.run({"words": rows})["scores"]
    predictor = one._predictor
    for row, text in zip(answer, ("the arrived", "", "the book arrived", "the arrived"), strict=True):
        assert np.allclose(row, predictor.run({"text": np.array([text], object)})["probabilities"][0])
    assert np.array_equal(view.example, np.ones((1, 1, 3)))
    assert not view.baseline.any()


def test_values_of_words_stay_where_they_are(folder: Path) -> None:
    values = np.array([[[1.0, 2.0]]], np.float32)
    assert subject(folder, "a b").align("predict", values) is values


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"\xff", "a text is not valid UTF-8: byte 0"),
        ("a\udfff", "half of a pair"),
        ("a b " * 1100, "the text has 2,200 words, at most 2,048 are explained"),
    ],
)
def test_bad_texts_are_refused_in_two_lines(text: str | bytes, problem: str, folder: Path) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        subject(folder, text)
    assert str(caught.value).count("\n") == 1


def test_a_text_has_no_baseline(folder: Path) -> None:
    with pytest.raises(InputError, match="a text has no baseline"):
        TextSubject({"text": np.array(["a"], object)}, lambda role: Gradient(), 0.0)
