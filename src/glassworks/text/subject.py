"""A text as explainers see it: values belong to its words, which together are the text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Session, Signature, Subject, TensorSpec, View
from glassworks.errors import InputError
from glassworks.text.parts import sections
from glassworks.text.session import INPUT, TextSession
from glassworks.text.tokenization import Tokenization, Window
from glassworks.text.words import word_spans

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors

    Floats = NDArray[np.float32]

_KEEP = 0.5
_MOST_WORDS = 2048


class TextSubject(Subject):
    """For `predict`, words (1 1 U): 1 is there, 0 is taken out of the text. For `gradient`, the vectors of the tokens
    of all windows (1 T D), against those of padding; special tokens stay as they are.
    """

    kind: ClassVar[str] = "texts"

    def __init__(self, tensors: Tensors, sessions: Callable[[str], Session], baseline: float | Array | None) -> None:
        if baseline is not None:
            raise InputError("a text has no baseline", "leave it out: words are taken out, tokens become nothing")
        answering = sessions("predict")
        predictor = answering.within()
        if not isinstance(predictor, TextSession):
            raise InputError("this model takes no texts", "explain it with its own task")
        self.input, self._sessions, self._predictor = INPUT, sessions, predictor
        value = tensors[INPUT][0]
        self.text = predictor.read(value)
        self.spans, self.sections = explainable_words(self.text), sections(self.text, predictor.parts)
        self.outputs = answering.run({INPUT: np.array([value], object)})
        self._windows: list[Window] = []

    def view(self, role: str) -> View:
        if role != "predict":
            return self._vectors()
        ones = np.ones((1, 1, len(self.spans)), np.float32)
        return View(
            session=WithoutWords(self._probabilities, self.text, self.spans), example=ones, baseline=np.zeros_like(ones)
        )

    def _probabilities(self, texts: Sequence[str]) -> Floats:
        return self._predictor.probabilities(self._predictor.scores(texts))

    def align(self, role: str, values: Floats) -> Floats:
        if role == "predict":
            return values
        # A token's value is split among its characters and summed by word, which keeps the total.
        characters = np.zeros(len(self.text) + 1, np.float64)
        spans = np.concatenate([window.offsets for window in self._windows])
        for amount, (begin, end) in zip(values[0].sum(axis=1, dtype=np.float64), spans.tolist(), strict=True):
            if end > begin:
                characters[begin:end] += amount / (end - begin)
        words = np.add.reduceat(characters, [begin for begin, _ in self.spans])
        return words.astype(np.float32).reshape(1, 1, -1)

    def _vectors(self) -> View:
        tokenization, embed = self._predictor.tokenization, self._sessions("embed")
        self._windows = tokenization.windows(self.text)
        parts = [_embedded(tokenization, embed, window) for window in self._windows]
        example = np.concatenate(parts)[None]
        special = np.concatenate([window.offsets[:, 0] == window.offsets[:, 1] for window in self._windows])
        # The id of padding, and 0, which is no n-gram.
        fills = zip(embed.signature.inputs, (tokenization.pad, 0), strict=False)
        nothing = embed.run({spec.name: np.full((1, 1), fill, np.int64) for spec, fill in fills})
        blank = np.zeros(example.shape[2], np.float32)
        vector = nothing[embed.signature.outputs[0].name][0, 0]
        blank[: len(vector)] = vector
        baseline = np.where(special[:, None], example[0], blank)[None].astype(np.float32)
        session = _Windowed(
            self._sessions("gradient"), [(len(w.ids), w.weight) for w in self._windows], self._predictor
        )
        return View(session=session, example=example, baseline=baseline)


def explainable_words(text: str) -> tuple[tuple[int, int], ...]:
    """The words of a text. Raises InputError where there are too many to take each out."""
    found = tuple(word_spans(text))
    if len(found) > _MOST_WORDS:
        raise InputError(f"the text has {len(found):,} words, at most {_MOST_WORDS:,} are explained", "send a part")
    return found


def _embedded(tokenization: Tokenization, embed: Session, window: Window) -> Floats:
    """Vectors of a window's tokens (T D); where the model has n-grams, their scores stand beside (T D + K).

    The scores of an n-gram are split among the tokens that it overlaps.
    """
    names = [spec.name for spec in embed.signature.inputs]
    tensors = {names[0]: window.ids[None]}
    if len(names) == 1:
        return np.asarray(embed.run(tensors)[embed.signature.outputs[0].name][0], np.float32)
    found = embed.run({**tensors, names[1]: window.ngrams[None]})
    vectors, says = (np.asarray(found[spec.name][0], np.float32) for spec in embed.signature.outputs)
    said = np.zeros((len(window.ids), says.shape[1]), np.float32)
    covers = _cover(window)
    np.add.at(
        said, covers[:, 1], says[covers[:, 0]] / np.bincount(covers[:, 0], minlength=len(says))[covers[:, 0], None]
    )
    return np.concatenate([vectors, said], axis=1)


def _cover(window: Window) -> NDArray[np.int64]:
    """Pairs (n-gram, token): the tokens that each n-gram overlaps; where there is none, the last one before it."""
    begins, ends = window.offsets[:, 0], window.offsets[:, 1]
    real = np.flatnonzero(ends > begins)
    pairs = []
    for ngram, (begin, end) in enumerate(window.ngram_offsets.tolist()):
        touched = np.flatnonzero((begins < end) & (ends > begin))
        if not len(touched):
            touched = np.append(real[:1], real[ends[real] <= begin])[-1:]
        pairs += [(ngram, int(token)) for token in touched] or [(ngram, 0)]
    return np.array(pairs, np.int64)


class WithoutWords(Session):
    """Rows (N 1 U) say which words stay; the `scores` (N K) are of the text that remains."""

    def __init__(self, scores: Callable[[Sequence[str]], Floats], text: str, spans: Sequence[tuple[int, int]]) -> None:
        self._scores, self._words = scores, [text[begin:end] for begin, end in spans]
        self.signature = Signature(
            inputs=(TensorSpec(name="words", datatype="FP32", shape=(-1, 1, len(spans))),),
            outputs=(TensorSpec(name="scores", datatype="FP32", shape=(-1, -1)),),
        )

    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, Array]:
        rows = np.asarray(tensors["words"], np.float32)[:, 0] > _KEEP
        texts = ["".join(word for word, kept in zip(self._words, row, strict=True) if kept) for row in rows]
        distinct = list(dict.fromkeys(texts))
        rows_of = {text: row for row, text in enumerate(distinct)}
        scores = self._scores(distinct)
        return {self.signature.outputs[0].name: scores[[rows_of[text] for text in texts]]}


class _Windowed(Session):
    """The gradient graph on vectors of all windows (N T D): scores are averaged as the predictor averages them."""

    def __init__(self, graph: Session, windows: Sequence[tuple[int, int]], predictor: TextSession) -> None:
        self._graph, self._windows, self._temperature = graph, windows, predictor.temperature
        self.signature = graph.signature

    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, Array]:
        name = self.signature.inputs[0].name
        total = sum(weight for _, weight in self._windows) * self._temperature
        scores, gradients, begin = np.zeros(1, np.float32), list["Array"](), 0
        for length, weight in self._windows:
            part: Mapping[str, Array] = {
                name: np.ascontiguousarray(tensors[name][:, begin : begin + length]),
                "target": tensors["target"],
            }
            found = self._graph.run(part)
            scores = scores + np.asarray(found["scores"], np.float32) * (weight / total)
            gradients.append(np.asarray(found["gradient"], np.float32) * (weight / total))
            begin += length
        return {"scores": np.asarray(scores, np.float32), "gradient": np.concatenate(gradients, axis=1)}
