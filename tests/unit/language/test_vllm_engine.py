"""vLLM keeps the contract of engines, and tells transformers' log-probabilities."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.language.engine_contract import PROMPT, EngineContract, first, log_softmax, whole
from tests.unit.language.tiny_models import logits, tiny

from glassworks.errors import Overloaded
from glassworks.language.hf_folder import HuggingFaceFolder
from glassworks.language.sampling import Sampling
from glassworks.language.vllm_settings import VllmSettings

if importlib.util.find_spec("vllm") is None:
    pytest.skip("vllm is not installed", allow_module_level=True)

from glassworks.language.vllm_engine import VllmEngine, VllmScorer

CONTEXT = 4096
HEAD_WIDTH = 32
"""The least that vLLM computes with on a CPU."""


@pytest.fixture(scope="module")
def model() -> Any:
    return tiny("llama", max_position_embeddings=CONTEXT, head_dim=HEAD_WIDTH)


@pytest.fixture(scope="module")
def folder(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    model.save_pretrained(path)
    return path


def settings(folder: Path) -> VllmSettings:
    architecture = HuggingFaceFolder(folder).architecture
    return VllmSettings(cache_tokens=8192, architecture=architecture, context=CONTEXT, step_tokens=96)


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[VllmEngine]:
    opened = VllmEngine(folder, settings(folder))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def scorer(engine: VllmEngine) -> VllmScorer:
    return VllmScorer(engine)


class TestVllm(EngineContract):
    """The engine for GPUs."""

    @pytest.fixture
    def fresh(self, folder: Path) -> Callable[[], VllmEngine]:
        return lambda: VllmEngine(folder, settings(folder))


def test_prompts_are_scored_as_by_transformers(model: Any, scorer: VllmScorer) -> None:
    ids = np.random.default_rng(0).integers(0, 61, 300).tolist()
    theirs = log_softmax(logits(model, [ids]))[0]
    found = scorer.score(ids, alternatives=3)
    assert [each.id for each in found] == ids[1:]
    np.testing.assert_allclose([each.log_probability for each in found], theirs[range(299), ids[1:]], atol=1e-4)
    best = np.sort(theirs[:-1], axis=1)[:, ::-1][:, :3]
    np.testing.assert_allclose([[value for _, value in each.alternatives] for each in found], best, atol=1e-4)
    ranks = (theirs[:-1] > theirs[range(299), ids[1:]][:, None]).sum(axis=1) + 1
    assert [each.rank for each in found] == ranks.tolist()
    assert scorer.score(ids[:1]) == []


def test_a_prompt_that_fills_the_context_is_scored(scorer: VllmScorer) -> None:
    assert len(scorer.score(np.random.default_rng(0).integers(0, 61, CONTEXT).tolist())) == CONTEXT - 1


def test_a_bias_moves_the_choice_and_alternatives_are_those_before_it(scorer: VllmScorer) -> None:
    plain = list(scorer.generate(PROMPT, Sampling(max_tokens=1), {}, alternatives=2))[-1]
    (best, _), (second, value) = plain.alternatives[0]
    pushed = list(scorer.generate(PROMPT, Sampling(max_tokens=1), {best: -100.0}, alternatives=2))[-1]
    assert plain.ids == (best,)
    assert pushed.ids == (second,)
    assert pushed.log_probabilities[0] == pytest.approx(value)
    assert pushed.alternatives == plain.alternatives


def test_it_tells_what_it_need_not_compute_again(engine: VllmEngine) -> None:
    ids = np.random.default_rng(2).integers(0, 61, 128).tolist()
    assert [first(engine.generate(ids, Sampling(max_tokens=4))).cached for _ in range(2)] == [0, 96]


def test_settings_that_narrow_the_choice(engine: VllmEngine) -> None:
    greedy = whole(engine.generate(PROMPT, Sampling(max_tokens=8)))[0]
    for narrow in ({"top_k": 1}, {"top_p": 1e-6}, {"min_p": 1.0}):
        sampling = Sampling(max_tokens=8, temperature=1.5, seed=3, **narrow)
        assert whole(engine.generate(PROMPT, sampling))[0] == greedy


def test_an_engine_that_fails_begins_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = VllmEngine(folder, settings(folder))
    expected = whole(engine.generate(PROMPT, Sampling(max_tokens=3)))

    def failing() -> None:
        raise RuntimeError("the device is gone")

    monkeypatch.setattr(engine._engine, "step", failing)
    with pytest.raises(Overloaded, match="the device is gone"):
        whole(engine.generate(PROMPT, Sampling(max_tokens=3)))
    assert whole(engine.generate(PROMPT, Sampling(max_tokens=3))) == expected
    engine.close()
