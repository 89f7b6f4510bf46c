"""What a session says of an answer's tokens: log-probabilities are transformers' own, biases and penalties count."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.unit.language.test_gguf import write as write_gguf
from tests.unit.language.test_importing import add_tokenizer
from tests.unit.language.test_tokenizer import byte_level
from tests.unit.language.tiny_models import logits, tiny

from glassworks.contracts import Chunk
from glassworks.errors import InputError
from glassworks.language.continuous_batching import EngineSettings
from glassworks.language.importing import bring, write
from glassworks.language.session import INPUT, LanguageSession
from glassworks.language.tokenizer import LanguageTokenizer

TEXT = "The quick 零"


@pytest.fixture(scope="module")
def model() -> Any:
    """With weights that are written without loss."""
    found = tiny("llama", vocab_size=330, max_position_embeddings=256)
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.copy_(parameter.half())
    return found


@pytest.fixture(scope="module")
def session(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanguageSession]:
    path: Path = tmp_path_factory.mktemp("model")
    write_gguf(path / "m.gguf", model, "llama")
    add_tokenizer(path / "m.gguf", byte_level())
    write(bring(path / "m.gguf", "here"), path)
    opened = LanguageSession(path, path, EngineSettings(cache_tokens=4096, threads=1))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def ids() -> list[int]:
    return LanguageTokenizer(byte_level()).encode(TEXT)


def streamed(session: LanguageSession, **parameters: Any) -> list[Chunk]:
    return list(session.stream({INPUT: np.array([TEXT.encode()], object)}, parameters))


def listed(chunks: list[Chunk], name: str) -> list[dict[str, Any]]:
    return [each for chunk in chunks if name in chunk.outputs for each in json.loads(chunk.outputs[name].tolist()[0])]


def text_of(chunks: list[Chunk]) -> str:
    return b"".join(chunk.outputs["generated"].tolist()[0] for chunk in chunks if "generated" in chunk.outputs).decode()


def log_softmax(scores: Any) -> Any:
    shifted = scores - scores.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def test_log_probabilities_by_engine_and_by_scores_are_those_of_transformers(
    session: LanguageSession, model: Any, ids: list[int]
) -> None:
    plain = listed(streamed(session, logprobs=True, max_tokens=12), "logprobs")
    scored = listed(streamed(session, logprobs=True, top_logprobs=4, max_tokens=12), "logprobs")
    answer = [each["id"] for each in plain]
    assert (len(plain), [each["id"] for each in scored]) == (12, answer)
    theirs = log_softmax(logits(model, [ids + answer]))[0, len(ids) - 1 : -1]
    for entries in (plain, scored):
        np.testing.assert_allclose([each["logprob"] for each in entries], theirs[range(12), answer], atol=1e-3)
    for row, entry in enumerate(scored):
        best = np.argsort(-theirs[row], kind="stable")[:4].tolist()
        assert [each["id"] for each in entry["top"]] == best
        np.testing.assert_allclose([each["logprob"] for each in entry["top"]], theirs[row, best], atol=1e-3)
    assert not any(each["top"] for each in plain)


def test_bytes_of_tokens_are_exact(session: LanguageSession) -> None:
    chunks = streamed(session, logprobs=True, max_tokens=40)
    tokenizer = LanguageTokenizer(byte_level())
    entries = listed(chunks, "logprobs")
    assert all(bytes(each["bytes"]) == tokenizer.bytes_of(each["id"]) for each in entries)
    content = b"".join(bytes(each["bytes"]) for each in entries if each["id"] not in tokenizer.special_ids)
    assert content.decode(errors="replace") == text_of(chunks)


def test_a_stop_string_cuts_the_log_probabilities_with_the_text(session: LanguageSession) -> None:
    everything = listed(streamed(session, logprobs=True, max_tokens=40), "logprobs")
    text = text_of(streamed(session, max_tokens=40))
    for at in range(3, 15):
        stop = text[at : at + 2]
        chunks = streamed(session, logprobs=True, max_tokens=40, stop=stop)
        entries, shown = listed(chunks, "logprobs"), text_of(chunks)
        assert entries == everything[: len(entries)]
        lengths = [read_of(entries[:count]) for count in (len(entries) - 1, len(entries))]
        assert lengths[0] < len(shown) <= lengths[1] or not shown
        assert chunks[-1].finish_reason == "stop"


def read_of(entries: list[dict[str, Any]]) -> int:
    """How many characters can be read of these tokens."""
    return len(LanguageTokenizer(byte_level()).decoder().feed(each["id"] for each in entries))


def test_prompts_are_scored_with_ranks(session: LanguageSession, model: Any, ids: list[int]) -> None:
    chunks = streamed(session, prompt_logprobs=3, max_tokens=1)
    entries = json.loads(chunks[1].outputs["prompt_logprobs"].tolist()[0])
    theirs = log_softmax(logits(model, [ids]))[0]
    assert [each["id"] for each in entries] == ids
    assert (entries[0]["logprob"], entries[0]["rank"], entries[0]["top"]) == (None, None, [])
    for row, entry in enumerate(entries[1:]):
        assert entry["logprob"] == pytest.approx(theirs[row, entry["id"]], abs=1e-3)
        assert entry["rank"] == 1 + (theirs[row] > theirs[row, entry["id"]]).sum()
        assert [each["id"] for each in entry["top"]] == np.argsort(-theirs[row], kind="stable")[:3].tolist()
    (without,) = listed(streamed(session, prompt_logprobs=0, max_tokens=1), "prompt_logprobs")[:1]
    assert without["top"] == []


def test_a_bias_forbids_and_forces(session: LanguageSession) -> None:
    first = listed(streamed(session, logprobs=True, max_tokens=1), "logprobs")[0]["id"]
    for bias in ({first: -100}, {str(first): -100.0}):
        assert listed(streamed(session, logprobs=True, max_tokens=1, logit_bias=bias), "logprobs")[0]["id"] != first
    forced = listed(streamed(session, logprobs=True, max_tokens=5, logit_bias={"70": 100}), "logprobs")
    assert [each["id"] for each in forced] == [70] * 5


@pytest.mark.parametrize("penalty", [{"repetition_penalty": 1.6}, {"frequency_penalty": 1.5, "presence_penalty": 0.5}])
def test_penalties_by_engine_and_by_scores_are_alike(session: LanguageSession, penalty: dict[str, float]) -> None:
    plain = text_of(streamed(session, max_tokens=30))
    by_engine = text_of(streamed(session, max_tokens=30, **penalty))
    by_scores = text_of(streamed(session, max_tokens=30, logprobs=True, top_logprobs=1, **penalty))
    assert by_scores == by_engine != plain


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"top_logprobs": 2}, "without logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs is 21"),
        ({"logprobs": 1}, "logprobs is 1"),
        ({"prompt_logprobs": -1}, "prompt_logprobs is -1"),
        ({"logit_bias": [1]}, "logit_bias is [1]"),
        ({"logit_bias": {"x": 1}}, "a token of logit_bias is 'x'"),
        ({"logit_bias": {"330": 1}}, "a token of logit_bias is 330"),
        ({"logit_bias": {"1" * 5000: 1}}, "a token of logit_bias is '1111"),
        ({"logit_bias": {"3": 101}}, "logit_bias of 3 is 101"),
        ({"repetition_penalty": 0}, "repetition_penalty is 0"),
        ({"prompt_ids": [1, 330]}, "prompt_ids holds 330"),
        ({"prompt_ids": []}, "empty"),
        ({"prompt_ids": [1], "messages": []}, "messages and prompt_ids"),
        ({"tokenize": "yes"}, "tokenize is 'yes'"),
    ],
)
def test_what_is_wrong_is_refused_before_the_first_chunk(
    session: LanguageSession, parameters: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as refused:
        next(session.stream({INPUT: np.array([b"a"], object)}, parameters))
    assert said in refused.value.problem
