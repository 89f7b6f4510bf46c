"""Answers and log-probabilities are those of transformers, alone and among others, and cancelling frees everything."""

from __future__ import annotations

import gc
import queue
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import pytest
from tests.patience import until
from tests.unit.language.engine_contract import PROMPT, EngineContract, first, greedy, log_softmax, whole
from tests.unit.language.tiny_models import logits, tiny

from glassworks.errors import Overloaded
from glassworks.language import continuous_batching, prompt_scores
from glassworks.language.continuous_batching import ContinuousBatching, EngineSettings
from glassworks.language.decoder_graph import build
from glassworks.language.hf_folder import HuggingFaceFolder
from glassworks.language.request import Request
from glassworks.language.sampling import Sampling
from glassworks.language.scoring import Scorer


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


def test_what_prompts_have_in_common_is_read_once(
    folder: Path, scorer: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values and answers are those of each prompt alone, whatever was read before; a beginning is computed once."""
    fed, feed = list[int](), prompt_scores.State.feed

    def counted(state: Any, ids: Any, *rest: Any) -> Any:
        fed.append(len(ids))
        return feed(state, ids, *rest)

    random = np.random.default_rng(1)
    question = random.integers(0, 61, 200).tolist()
    prompts = [question + random.integers(0, 61, 20).tolist() for _ in range(3)]
    prompts += [prompts[0], prompts[0][:50], question[:5], random.integers(0, 61, 40).tolist()]
    alone = [scorer.score(each, 2) for each in prompts]
    answers = [whole(scorer.generate(each, Sampling(max_tokens=4), {})) for each in prompts]
    for each in prompts * 2:
        scores, begun = scorer.read(each, 2)
        assert [score.id for score in scores] == each[1:]
        wanted = alone[prompts.index(each)]
        np.testing.assert_allclose(
            [score.log_probability for score in scores], [score.log_probability for score in wanted], atol=1e-5
        )
        assert [score.alternatives[0][0] for score in scores] == [score.alternatives[0][0] for score in wanted]
        ids, values, _ = whole(scorer.generate(each, Sampling(max_tokens=4), {}, 0, begun))
        assert ids == answers[prompts.index(each)][0]
        np.testing.assert_allclose(values, answers[prompts.index(each)][1], atol=1e-5)
    other = Scorer(folder, threads=1)
    monkeypatch.setattr(prompt_scores.State, "feed", counted)
    for each in prompts[:3]:
        other.read(each)
    assert sum(fed) == 219 + 2 * 20


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


class TestContinuousBatching(EngineContract):
    """The engine for CPUs."""

    @pytest.fixture
    def fresh(self, folder: Path) -> Callable[[], ContinuousBatching]:
        return lambda: ContinuousBatching(folder, EngineSettings(cache_tokens=512, threads=1))


def test_it_knows_what_it_need_not_compute_again(folder: Path) -> None:
    engine = ContinuousBatching(folder, EngineSettings(cache_tokens=512, threads=1))
    ids = np.random.default_rng(2).integers(0, 61, 128).tolist()
    ask = Sampling(max_tokens=4)
    assert [first(engine.generate(ids, ask)).cached for _ in range(2)] == [0, 96]
    answer = whole(engine.generate(ids, Sampling(max_tokens=65)))[0]
    assert first(engine.generate([*ids, *answer], ask)).cached == 192
    assert first(engine.generate([*ids[:40], *ids], ask)).cached == 32
    for seed in range(3, 8):
        first(engine.generate(np.random.default_rng(seed).integers(0, 61, 128).tolist(), ask))
    assert first(engine.generate(ids, ask)).cached == 0
    engine.close()


def test_closing_it_in_the_middle_of_an_answer_leaks_nothing(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The pipeline itself says so on standard error when it ends."""
    engine = ContinuousBatching(folder, EngineSettings(cache_tokens=512, threads=1))
    answer = engine.generate([5, 9, 33], Sampling(max_tokens=400))
    next(answer)
    engine.close()
    with pytest.raises(Overloaded):
        list(answer)
    del engine, answer
    gc.collect()
    assert "leaked" not in "".join(capfd.readouterr())


def test_equal_prompts_a_step_apart_are_answered_alike_to_the_bit(
    engine: ContinuousBatching, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine finds even half a block in its cache, of what is under way; the last token would be computed alone."""
    twins: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    step = engine._deliver

    def delivered() -> Any:
        given = step()
        with suppress(queue.Empty):
            twins.get_nowait()()
            until(lambda: bool(engine._new), "a prompt that waits")
        return given

    monkeypatch.setattr(engine, "_deliver", delivered)
    for length in range(34, 58):
        ids = np.random.default_rng(length).integers(0, 61, length).tolist()
        ask = partial(lambda prompt: whole(engine.generate(prompt, Sampling(max_tokens=3))), ids)
        alone = ask()
        with ThreadPoolExecutor(1) as pool:
            found: list[Future[Any]] = []
            twins.put(partial(_submit, pool, ask, found))
            assert ask() == alone
            assert found[0].result() == alone


def _submit(pool: ThreadPoolExecutor, ask: Callable[[], Any], found: list[Future[Any]]) -> None:
    found.append(pool.submit(ask))


def test_one_token_again_is_the_same_to_the_bit(engine: ContinuousBatching) -> None:
    for length in range(36, 58):
        ids = np.random.default_rng(1000 + length).integers(0, 61, length).tolist()
        first_time, again = (whole(engine.generate(ids, Sampling(max_tokens=1))) for _ in range(2))
        assert first_time == again
        assert len(again[0]) == 1


def test_every_answer_comes_as_it_is_written(engine: ContinuousBatching) -> None:
    """Of many at once, none arrives when the others are long ahead."""
    counts, furthest = [0] * 8, 0

    def follow(row: int) -> None:
        nonlocal furthest
        for part in engine.generate([row, *PROMPT], Sampling(max_tokens=200)):
            counts[row] += len(part.ids)
            furthest = max(furthest, max(counts) - min(counts))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(follow, range(8)))
    assert counts == [200] * 8
    assert furthest < 40


def test_slow_steps_read_fewer_tokens_and_answers_stay_the_same(
    engine: ContinuousBatching, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = np.random.default_rng(77).integers(0, 61, 700).tolist()
    expected = whole(engine.generate(ids, Sampling(max_tokens=5)))
    monkeypatch.setattr(continuous_batching, "_STEP_S", 1e-9)
    slow = ContinuousBatching(folder, EngineSettings(cache_tokens=2048, threads=1))
    try:
        parts = list(slow.generate(ids, Sampling(max_tokens=5)))
    finally:
        slow.close()
    assert whole(iter(parts)) == expected
    assert slow._room == EngineSettings(cache_tokens=1, threads=1).step_tokens  # nothing is read any more
    assert len([part for part in parts if not part.ids]) > 10  # it could have been closed at each of the chunks


def test_prompts_that_wait_for_each_other_cost_nobody_an_answer(folder: Path) -> None:
    """A prompt that is held back for a step comes with all of its tokens known, and takes what room there is."""
    draw = np.random.default_rng(3)
    long, short, whole_blocks, two = (draw.integers(0, 61, length).tolist() for length in (150, 32, 96, 2))
    for _ in range(3):
        engine = ContinuousBatching(folder, EngineSettings(cache_tokens=4096, threads=1))
        try:
            with ThreadPoolExecutor(5) as pool:
                with engine._work:
                    asked = [pool.submit(_answered, engine, ids) for ids in (long, long, short, whole_blocks, two)]
                    time.sleep(0.05)
                assert [len(each.result()[0]) for each in asked] == [30] * 5
        finally:
            engine.close()


def _answered(engine: ContinuousBatching, ids: list[int]) -> Any:
    return whole(engine.generate(ids, Sampling(max_tokens=30)))


def test_who_reads_slowly_is_not_waited_for(engine: ContinuousBatching) -> None:
    request = Request(ids=[1], sampling=Sampling(max_tokens=9))
    request.waiting = False
    engine._give_way([request])
    assert request.slow > 1
    assert request.pardoned()
    while request.pardoned():
        pass
    assert not request.pardoned()


def test_scored_answers_are_the_engines_own(engine: ContinuousBatching, folder: Path) -> None:
    """With the log-probabilities of the scorer, for eight at a time, and closed in the middle."""
    scorer = Scorer(folder, threads=1, engine=engine)
    for sampling in (Sampling(max_tokens=12), Sampling(max_tokens=12, temperature=1.0, seed=5)):
        plain = whole(engine.generate(PROMPT, sampling))
        ids, values, reason = whole(scorer.generate(PROMPT, sampling, {}, 2))
        assert (ids, reason) == (plain[0], plain[2])
        np.testing.assert_allclose(values, plain[1], atol=1e-4)
        scored = scorer.score([*PROMPT, *ids])[len(PROMPT) - 1 :]
        np.testing.assert_allclose(values, [each.log_probability for each in scored], atol=1e-5)
    begun = [scorer.generate(PROMPT, Sampling(max_tokens=200), {}, 1) for _ in range(8)]
    for each in begun:
        first(each)
    waiting = scorer.generate(PROMPT, Sampling(max_tokens=3), {}, 1)
    assert next(waiting).ids == ()
    for each in begun:
        each.close()
    assert len(whole(waiting)[0]) == 3
    until(lambda: engine.open_requests == 0, "an engine without requests")


def test_one_scored_token_is_the_engines_own_and_seldom_asked_of_it(
    engine: ContinuousBatching, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[Sequence[int]]()
    ask = engine.generate

    def counted(ids: Sequence[int], sampling: Sampling) -> Any:
        asked.append(ids)
        return ask(ids, sampling)

    scorer, one = Scorer(folder, threads=1, engine=engine), Sampling(max_tokens=1)
    prompts = [[1 + number % 7, *PROMPT[: 1 + number % len(PROMPT)], 2 + number] for number in range(24)]
    plain = [whole(ask(each, one)) for each in prompts]
    monkeypatch.setattr(engine, "generate", counted)
    for prompt, (ids, values, reason) in zip(prompts, plain, strict=True):
        for begun in (None, scorer.read(prompt, 2)[1]):
            found = whole(scorer.generate(prompt, one, {}, 2, begun))
            assert (found[0], found[2]) == (ids, reason)
            np.testing.assert_allclose(found[1], values, atol=1e-4)
        ending = Sampling(max_tokens=1, stop_ids=frozenset(ids))
        assert whole(scorer.generate(prompt, ending, {}, 2)) == ([], [], "stop")
    assert len(asked) < 0.2 * 3 * len(prompts)
    asked.clear()
    scorer._sure = 1e6  # as if all tokens were nearly as probable
    assert whole(scorer.generate(prompts[0], one, {}, 2))[0] == plain[0][0]
    assert asked == [prompts[0]]
    asked.clear()
    assert len(whole(scorer.generate(prompts[0], Sampling(max_tokens=1, temperature=1.0), {}, 2))[0]) == 1
    assert len(asked) == 1, "what is drawn by chance is the engine's"
