"""Answers and log-probabilities are those of transformers, alone and among others, and cancelling frees everything."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest
import torch
from tests.patience import PATIENCE_S
from tests.unit.language.tiny_models import logits, tiny

from glassworks.errors import Overloaded
from glassworks.language.continuous_batching import ContinuousBatching, EngineSettings
from glassworks.language.decoder_graph import build
from glassworks.language.hf_folder import HuggingFaceFolder
from glassworks.language.sampling import Generated, Sampling
from glassworks.language.scoring import Scorer

PROMPT = [7, 3, 60, 12, 5, 1]


@pytest.fixture(scope="module")
def model() -> Any:
    return tiny("llama", max_position_embeddings=4096)


@pytest.fixture(scope="module")
def folder(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    model.save_pretrained(path)
    opened = HuggingFaceFolder(path)
    openvino.save_model(build(opened.architecture, opened.weight), path / "openvino_model.xml", compress_to_fp16=False)
    return path


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[ContinuousBatching]:
    opened = ContinuousBatching(folder, EngineSettings(cache_tokens=8192, threads=1))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def scorer(folder: Path) -> Scorer:
    return Scorer(folder, threads=1)


def whole(parts: Iterator[Generated]) -> tuple[list[int], list[float], str]:
    """Ids, log-probabilities and why it ended; that is said once, at the end."""
    found = list(parts)
    assert [bool(part.finish_reason) for part in found] == [False] * (len(found) - 1) + [True]
    ids = [token for part in found for token in part.ids]
    return ids, [value for part in found for value in part.log_probabilities], found[-1].finish_reason


def greedy(model: Any, ids: list[int], count: int) -> list[int]:
    """By transformers, token by token."""
    settings = {"max_new_tokens": count, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    with torch.no_grad():
        found: list[int] = model.generate(torch.tensor([ids]), **settings)[0, len(ids) :].tolist()
    return found


def log_softmax(scores: Any) -> Any:
    shifted = scores - scores.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def test_greedy_answers_and_their_probabilities(model: Any, engine: ContinuousBatching, scorer: Scorer) -> None:
    expected = greedy(model, PROMPT, 12)
    ids, values, reason = whole(engine.generate(PROMPT, Sampling(max_tokens=12)))
    assert (ids, reason) == (expected, "length")
    ours = whole(scorer.generate(PROMPT, Sampling(max_tokens=12), {}))
    assert (ours[0], ours[2]) == (expected, "length")
    theirs = log_softmax(logits(model, [PROMPT + ids]))[0, len(PROMPT) - 1 : -1]
    np.testing.assert_allclose(values, theirs[range(12), ids], atol=1e-4)
    np.testing.assert_allclose(ours[1], theirs[range(12), ids], atol=1e-4)


def test_a_stop_token_ends_the_answer_and_is_not_told(model: Any, engine: ContinuousBatching, scorer: Scorer) -> None:
    expected = greedy(model, PROMPT, 12)
    stop = expected[5]
    settings = Sampling(max_tokens=12, stop_ids=frozenset({stop}))
    cut = expected[: expected.index(stop)]
    assert whole(engine.generate(PROMPT, settings))[::2] == (cut, "stop")
    assert whole(scorer.generate(PROMPT, settings, {}))[::2] == (cut, "stop")


def test_prompts_are_scored_as_by_transformers_over_any_number_of_steps(model: Any, scorer: Scorer) -> None:
    ids = np.random.default_rng(0).integers(0, 61, 300).tolist()
    theirs = log_softmax(logits(model, [ids]))[0]
    found = scorer.score(ids, alternatives=3)
    assert [each.id for each in found] == ids[1:]
    np.testing.assert_allclose([each.log_probability for each in found], theirs[range(299), ids[1:]], atol=1e-4)
    best = np.sort(theirs[:-1], axis=1)[:, ::-1][:, :3]
    np.testing.assert_allclose([[value for _, value in each.alternatives] for each in found], best, atol=1e-4)
    assert all(
        theirs[row, token] == pytest.approx(value, abs=1e-4)
        for row, each in enumerate(found)
        for token, value in each.alternatives
    )


def test_a_bias_moves_the_choice_and_alternatives_are_those_before_it(scorer: Scorer, model: Any) -> None:
    plain = list(scorer.generate(PROMPT, Sampling(max_tokens=1), {}, alternatives=2))[-1]
    (best, _), (second, value) = plain.alternatives[0]
    pushed = list(scorer.generate(PROMPT, Sampling(max_tokens=1), {best: -100.0}, alternatives=2))[-1]
    assert plain.ids == (best,)
    assert pushed.ids == (second,)
    assert pushed.log_probabilities[0] == pytest.approx(value)
    assert pushed.alternatives == plain.alternatives


def test_answers_do_not_depend_on_what_else_is_in_the_batch(engine: ContinuousBatching) -> None:
    settings = [
        Sampling(max_tokens=20, temperature=temperature, seed=seed) for temperature in (0, 1.0) for seed in (1, 2)
    ]
    alone = [whole(engine.generate(PROMPT, each)) for each in settings]
    assert alone[2][0] != alone[3][0]
    found: dict[int, Any] = {}

    def ask(number: int) -> None:
        found[number] = whole(engine.generate(PROMPT, settings[number % 4]))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    for number, (ids, values, reason) in found.items():
        expected = alone[number % 4]
        assert (ids, reason) == (expected[0], expected[2])
        np.testing.assert_allclose(values, expected[1], atol=1e-4)
    assert len(found) == 16


def test_cancelled_answers_leave_nothing_behind(engine: ContinuousBatching) -> None:
    expected = whole(engine.generate(PROMPT, Sampling(max_tokens=5)))
    for length in (6, 3000):
        ids = np.random.default_rng(length).integers(0, 61, length).tolist()
        for taken in (0, 1, 2):
            answer = engine.generate(ids, Sampling(max_tokens=500))
            for _ in range(taken):
                next(answer)
            answer.close()
    end = time.monotonic() + PATIENCE_S
    while engine.open_requests and time.monotonic() < end:
        time.sleep(0.01)
    assert engine.open_requests == 0
    assert whole(engine.generate(PROMPT, Sampling(max_tokens=5))) == expected


def test_a_closed_engine_says_so(folder: Path) -> None:
    engine = ContinuousBatching(folder, EngineSettings(cache_tokens=512, threads=1))
    answer = engine.generate(PROMPT, Sampling(max_tokens=400))
    next(answer)
    engine.close()
    with pytest.raises(Overloaded, match="closed"):
        list(answer)
    with pytest.raises(Overloaded, match="closed"):
        next(engine.generate(PROMPT, Sampling(max_tokens=1)))
