"""What every engine of a language model must keep, as tests: subclass it and give the fixtures `engine`, `fresh` and
`model`. `model` is a decoder of transformers with the same weights and 61 tokens.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from tests.patience import PATIENCE_S, until
from tests.unit.language.tiny_models import logits

from glassworks.errors import InputError, Overloaded
from glassworks.language.engine import Engine
from glassworks.language.sampling import Generated, Sampling

PROMPT = [7, 3, 60, 12, 5, 1]
Whole = tuple[list[int], list[float], str]


def whole(parts: Iterator[Generated]) -> Whole:
    """Ids, log-probabilities and why it ended; that is said once, at the end."""
    found = list(parts)
    assert [bool(part.finish_reason) for part in found] == [False] * (len(found) - 1) + [True]
    ids = [token for part in found for token in part.ids]
    return ids, [value for part in found for value in part.log_probabilities], found[-1].finish_reason


def first(parts: Iterator[Generated]) -> Generated:
    """The first part with tokens."""
    return next(part for part in parts if part.ids)


def greedy(model: Any, ids: list[int], count: int) -> list[int]:
    """By transformers, token by token."""
    settings = {"max_new_tokens": count, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    with torch.no_grad():
        found: list[int] = model.generate(torch.tensor([ids]), **settings)[0, len(ids) :].tolist()
    return found


def log_softmax(scores: Any) -> Any:
    shifted = scores - scores.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def at_once(asks: Sequence[Callable[[], Whole]]) -> list[Whole]:
    """The answers of all, asked for at the same time."""
    found: dict[int, Whole] = {}

    def ask(number: int) -> None:
        found[number] = asks[number]()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(asks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    return [found[number] for number in range(len(asks))]


class EngineContract:
    """Greedy and seeded answers are what they are alone; every way to end frees everything and costs nobody else."""

    def test_greedy_answers_and_their_probabilities_are_transformers_own(self, engine: Engine, model: Any) -> None:
        ids, values, reason = whole(engine.generate(PROMPT, Sampling(max_tokens=12)))
        assert (ids, reason) == (greedy(model, PROMPT, 12), "length")
        theirs = log_softmax(logits(model, [PROMPT + ids]))[0, len(PROMPT) - 1 : -1]
        np.testing.assert_allclose(values, theirs[range(12), ids], atol=1e-3)

    def test_an_answer_of_one_token(self, engine: Engine, model: Any) -> None:
        assert whole(engine.generate(PROMPT, Sampling(max_tokens=1)))[0] == greedy(model, PROMPT, 1)

    def test_a_stop_token_ends_it_and_is_not_among_the_tokens(self, engine: Engine, model: Any) -> None:
        expected = greedy(model, PROMPT, 12)
        for stop in (expected[5], expected[0]):
            found = whole(engine.generate(PROMPT, Sampling(max_tokens=12, stop_ids=frozenset({stop, 9}))))
            assert found[::2] == (
                expected[: min(expected.index(each) for each in (stop, 9) if each in expected)],
                "stop",
            )

    def test_answers_do_not_depend_on_what_else_is_asked(self, engine: Engine) -> None:
        settings = [Sampling(max_tokens=20, temperature=heat, seed=seed) for heat in (0, 1.0) for seed in (1, 2)]
        alone = [whole(engine.generate(PROMPT, each)) for each in settings]
        assert alone[0][0] == alone[1][0]
        assert alone[2][0] != alone[3][0]
        asks = [partial(self.answer, engine, each) for each in settings * 4]
        for number, found in enumerate(at_once(asks)):
            expected = alone[number % 4]
            assert (found[0], found[2]) == (expected[0], expected[2])
            np.testing.assert_allclose(found[1], expected[1], atol=1e-4)

    def test_a_repeated_prompt_is_answered_alike(self, engine: Engine) -> None:
        ids = np.random.default_rng(1).integers(0, 61, 200).tolist()
        assert len({tuple(whole(engine.generate(ids, Sampling(max_tokens=8)))[0]) for _ in range(3)}) == 1

    def test_penalties_change_what_is_said(self, engine: Engine) -> None:
        plain = whole(engine.generate(PROMPT, Sampling(max_tokens=20)))[0]
        for penalty in (
            Sampling(max_tokens=20, repetition_penalty=2.0),
            Sampling(max_tokens=20, presence_penalty=2.0),
            Sampling(max_tokens=20, frequency_penalty=2.0),
        ):
            assert len(set(self.answer(engine, penalty)[0])) > len(set(plain))

    def answer(self, engine: Engine, sampling: Sampling) -> Whole:
        return whole(engine.generate(PROMPT, sampling))

    def test_cancelled_answers_leave_nothing_behind(self, engine: Engine) -> None:
        expected = whole(engine.generate(PROMPT, Sampling(max_tokens=5)))
        for length in (6, 3000):
            ids = np.random.default_rng(length).integers(0, 61, length).tolist()
            for taken in (0, 1, 2):
                answer = engine.generate(ids, Sampling(max_tokens=500))
                for _ in range(taken):
                    next(answer)
                answer.close()
        until(lambda: engine.open_requests == 0, "an engine without requests")
        assert whole(engine.generate(PROMPT, Sampling(max_tokens=5)))[::2] == expected[::2]

    def test_who_waits_hears_of_it(self, engine: Engine) -> None:
        ids = np.random.default_rng(5).integers(0, 61, 3500).tolist()
        answer = engine.generate(ids, Sampling(max_tokens=2))
        assert next(answer).ids == ()
        answer.close()

    def test_what_is_refused_costs_itself_alone(self, engine: Engine) -> None:
        expected = whole(engine.generate(PROMPT, Sampling(max_tokens=200)))
        other = engine.generate(PROMPT, Sampling(max_tokens=200))
        begun = first(other)
        with pytest.raises(InputError, match="refuses"):
            whole(engine.generate(PROMPT, Sampling(max_tokens=5, temperature=1.0, top_p=7.0)))
        ids, _, reason = whole(other)
        assert ([*begun.ids, *ids], reason) == (expected[0], expected[2])
        until(lambda: engine.open_requests == 0, "an engine without requests")

    def test_a_closed_engine_says_so(self, fresh: Callable[[], Engine]) -> None:
        engine = fresh()
        answer = engine.generate(PROMPT, Sampling(max_tokens=400))
        first(answer)
        engine.close()
        with pytest.raises(Overloaded, match="closed"):
            list(answer)
        with pytest.raises(Overloaded, match="closed"):
            next(engine.generate(PROMPT, Sampling(max_tokens=1)))
