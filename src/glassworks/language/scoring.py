"""Log-probabilities of tokens from the graph that is served: of a prompt's own tokens, and of those that could follow.

The served graph gets a second end: hidden vectors of the wanted positions, log-softmax, the most probable tokens.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op

from glassworks.errors import BundleError
from glassworks.language.decoder_graph import exact, integer_input
from glassworks.language.engine import Engine, Scoring, TokenScore, Variants, alternatives_of
from glassworks.language.forcing import BatchedVariants
from glassworks.language.parameters import MOST_ALTERNATIVES
from glassworks.language.prompt_scores import OUTPUTS, STEP_TOKENS, PromptScores, State, scores
from glassworks.language.request import NO_TOKENS
from glassworks.language.sampling import Generated, Sampling

_AT_ONCE, _SILENCE_S = 8, 0.05
"""Answers that are scored together: each has a cache of its own. Seconds between parts of those that wait."""
_SURE = {True: 2.0, False: 0.05}
"""By how many nats the most probable token must lead for the engine to write it too: where it rounds to 8 bits or to
bfloat16, what this graph does not, and elsewhere, where sums in another order differ by some 1e-4."""
_ROUNDED = ("i8", "u8", "i4", "u4", "nf4")


class Scorer(Scoring):
    """The second end of the graph in `folder`. Thread-safe: each call has a cache of its own."""

    def __init__(
        self, folder: Path, threads: int, precision: str = "fp32", kv_cache: str = "f32", engine: Engine | None = None
    ) -> None:
        """`engine` writes what needs no biases, so that log-probabilities change no answer."""
        self._engine = engine
        self._turns, self._lock = threading.Semaphore(_AT_ONCE), threading.Lock()
        core = ov.Core()
        model = core.read_model(folder / "openvino_model.xml")
        rounded = precision != "fp32" or kv_cache != "f32" or any(map(_is_rounded, model.get_ops()))
        self._sure = _SURE[rounded]
        graph = scoring_graph(model)
        properties = exact(threads, precision, kv_cache, integers=False)
        self._compiled = core.compile_model(graph, "CPU", properties)
        self._prompts = PromptScores(self._compiled)

    def score(self, ids: Sequence[int], alternatives: int = 0) -> list[TokenScore]:
        """Each token but the first, given those before it. One after the other: more would not be done sooner, and
        each has log-probabilities of all tokens in memory.
        """
        with self._lock:
            return scores(State(self._compiled), ids, alternatives)

    def read(self, ids: Sequence[int], alternatives: int = 0) -> tuple[list[TokenScore], State]:
        return self._prompts.read(ids, alternatives)

    def variants(self, base: Sequence[int]) -> Variants:
        return BatchedVariants(self._compiled, base)

    def embed(self, ids: Sequence[int]) -> NDArray[np.float32]:
        state, total = State(self._compiled), np.float32(0)
        for start in range(0, len(ids), STEP_TOKENS):
            part = ids[start : start + STEP_TOKENS]
            answer = state.feed(part, list(range(len(part))), part)
            total = total + answer["hidden"][0].sum(axis=0)
        return np.asarray(total / len(ids), np.float32)

    def generate(
        self,
        ids: Sequence[int],
        sampling: Sampling,
        bias: Mapping[int, float],
        alternatives: int = 0,
        begun: State | None = None,
    ) -> Generator[Generated, None, None]:
        """An answer token by token, with `bias` added to the logits of tokens; alternatives are those before it.

        While the prompt is computed, parts without tokens come, so that it can be closed then too.
        """
        while not self._turns.acquire(timeout=_SILENCE_S):
            yield NO_TOKENS
        try:
            if self._engine and not bias and _is_first_alone(sampling):
                yield from self._first(self._engine, ids, sampling, alternatives, begun)
            elif self._engine and not bias:
                parts = self._engine.generate(ids, replace(sampling, logprobs=False))
                yield from self._beside(parts, ids, alternatives, begun)
            else:
                yield from self._alone(ids, sampling, bias, alternatives, begun)
        finally:
            self._turns.release()

    def _alone(
        self,
        ids: Sequence[int],
        sampling: Sampling,
        bias: Mapping[int, float],
        alternatives: int,
        begun: State | None,
    ) -> Generator[Generated, None, None]:
        """An answer written here."""
        state, chooser = begun or State(self._compiled), _Chooser(sampling, bias, ids)
        yield from _read(state, ids)
        token = ids[-1]
        for count in range(1, sampling.max_tokens + 1):
            answer = state.feed([token], [0], [0])
            row = np.array(answer["log_probabilities"][0, 0])
            token = chooser.next(row, float(answer["normalizer"][0, 0]))
            if token in sampling.stop_ids:
                yield Generated(ids=(), log_probabilities=(), finish_reason="stop")
                return
            yield Generated(
                ids=(token,),
                log_probabilities=(float(row[token]),),
                finish_reason="length" if count == sampling.max_tokens else "",
                alternatives=(alternatives_of(answer, 0, alternatives),),
            )

    def _first(
        self, engine: Engine, ids: Sequence[int], sampling: Sampling, alternatives: int, begun: State | None
    ) -> Generator[Generated, None, None]:
        """The most probable token behind a prompt, as harnesses ask for one they do not read. The engine is asked only
        where it could find another one the most probable: else the prompt would be computed twice for nothing.
        """
        state = begun or State(self._compiled)
        yield from _read(state, ids)
        answer = state.feed([ids[-1]], [0], [0])
        row, others = np.array(answer["log_probabilities"][0, 0]), alternatives_of(answer, 0, alternatives)
        if float(answer["top"][0, 0, 0] - answer["top"][0, 0, 1]) > self._sure:
            token = int(answer["top_ids"][0, 0, 0])
            ends = token in sampling.stop_ids
            yield Generated(
                ids=() if ends else (token,),
                log_probabilities=() if ends else (float(row[token]),),
                alternatives=() if ends else (others,),
                finish_reason="stop" if ends else "length",
            )
            return
        with closing(engine.generate(ids, replace(sampling, logprobs=False))) as parts:
            for part in parts:
                values = tuple(float(row[token]) for token in part.ids)
                yield replace(part, log_probabilities=values, alternatives=tuple(others for _ in part.ids))

    def _beside(
        self, parts: Generator[Generated, None, None], ids: Sequence[int], alternatives: int, begun: State | None
    ) -> Generator[Generated, None, None]:
        """The engine's answer, each of its tokens scored here."""
        with closing(parts):
            first = next(parts)  # the engine reads the prompt while it is read here
            state, last = begun or State(self._compiled), ids[-1]
            yield from _read(state, ids)
            for part in chain([first], parts):
                values, others = list[float](), []
                for token in part.ids:
                    answer = state.feed([last], [0], [token])
                    values.append(float(answer["target"][0, 0]))
                    others.append(alternatives_of(answer, 0, alternatives))
                    last = token
                yield replace(part, log_probabilities=tuple(values), alternatives=tuple(others))


def _is_first_alone(sampling: Sampling) -> bool:
    """Whether the most probable token is asked for, and no more."""
    unchanged = not sampling.grammar and sampling.repetition_penalty == 1
    return sampling.max_tokens == 1 and sampling.temperature <= 0 and unchanged


def _is_rounded(node: Any) -> bool:
    """Whether an operation of a graph holds weights of few bits."""
    return (
        node.get_type_name() == "Constant"
        and node.get_element_type().get_type_name() in _ROUNDED
        and (node.get_output_size() == 1 and np.prod(node.get_output_shape(0)) > 1)
    )


def _read(state: State, ids: Sequence[int]) -> Generator[Generated, None, None]:
    """All of a prompt but its last token, as far as that is not done."""
    for start in range(state.seen, max(len(ids) - 1, 0), STEP_TOKENS):
        state.feed(ids[start : min(start + STEP_TOKENS, len(ids) - 1)], [0], [0])
        yield Generated(ids=(), log_probabilities=())


class _Chooser:
    """Samples as openvino-genai does: penalties, temperature, then the k, p and min-p that are left in."""

    def __init__(self, sampling: Sampling, bias: Mapping[int, float], prompt: Sequence[int]) -> None:
        self._sampling, self._random = sampling, np.random.default_rng(sampling.seed)
        self._bias = np.array([*bias], np.int64), np.array([*bias.values()], np.float32)
        self._counts: dict[int, int] = {}
        self._seen = set(prompt)

    def next(self, log_probabilities: NDArray[np.float32], normalizer: float) -> int:
        """The next token by the log-probabilities of all (V), which are the logits less the normalizer."""
        sampling, scores = self._sampling, log_probabilities + np.float32(normalizer)
        scores[self._bias[0]] += self._bias[1]
        if sampling.repetition_penalty != 1:
            seen = np.array([*self._seen], np.int64)
            factor = np.where(scores[seen] > 0, 1 / sampling.repetition_penalty, sampling.repetition_penalty)
            scores[seen] *= factor.astype(np.float32)
        for token, count in self._counts.items():
            scores[token] -= sampling.presence_penalty + sampling.frequency_penalty * count
        token = int(scores.argmax()) if sampling.temperature <= 0 else self._sampled(scores / sampling.temperature)
        self._counts[token] = self._counts.get(token, 0) + 1
        self._seen.add(token)
        return token

    def _sampled(self, scores: NDArray[np.float32]) -> int:
        sampling = self._sampling
        order = np.argsort(-scores, kind="stable")
        if sampling.top_k:
            order = order[: sampling.top_k]
        shares = np.exp(scores[order].astype(np.float64) - scores[order[0]])
        shares /= shares.sum()
        kept = (shares.cumsum() - shares < sampling.top_p) & (shares >= sampling.min_p * shares[0])
        shares = np.where(kept, shares, 0)
        return int(self._random.choice(order, p=shares / shares.sum()))


def scoring_graph(model: ov.Model) -> ov.Model:
    """The decoder with inputs `positions` and `targets` (N P) more, and the outputs `log_probabilities` (N P V),
    `top` and `top_ids` (N P 20), `target`, its `rank` and the `normalizer` that was subtracted from the logits (each
    N P), and the `hidden` vectors (N P D), instead of logits. Raises BundleError for a graph of another kind.
    """
    logits = model.output("logits").get_node().input_value(0)
    product = logits.get_node()
    while product.get_type_name() == "Convert":
        product = product.input_value(0).get_node()
    if product.get_type_name() != "MatMul":
        raise BundleError("the graph's logits are no product of hidden vectors", "import the model again")
    positions, targets = integer_input("positions"), integer_input("targets")
    hidden = op.gather(product.input_value(0), positions, op.constant(np.int64(1)), 1)
    product.input(0).replace_source_output(hidden.output(0))
    scores = op.log_softmax(op.convert(logits, "f32"), 2)
    size = op.minimum(op.constant(np.int64(MOST_ALTERNATIVES)), op.gather(op.shape_of(scores), _number(2), _number(0)))
    top = op.topk(scores, size, 2, "max", "value", index_element_type="i64")
    column = op.gather_elements(scores, op.unsqueeze(targets, _number(2)), 2)
    better = op.reduce_sum(op.convert(op.greater(scores, column), "i64"), _number(2), keep_dims=False)
    first = (op.gather(each, _number(0), _number(2)) for each in (op.convert(logits, "f32"), scores))
    found = [scores.output(0), *top.outputs(), op.squeeze(column, _number(2)).output(0)]
    found += [op.add(better, _number(1)).output(0), op.subtract(*first).output(0), op.convert(hidden, "f32").output(0)]
    results = []
    for name, output in zip(OUTPUTS, found, strict=True):
        result = op.result(output)
        result.output(0).set_names({name})
        results.append(result)
    return ov.Model(results, model.get_sinks(), [*model.get_parameters(), positions, targets], "scoring")


def _number(value: int) -> Any:
    return op.constant(np.int64(value))
