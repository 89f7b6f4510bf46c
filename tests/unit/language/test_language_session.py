"""A language session: parts are the whole, limits are said with both counts, what is unknown is refused by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from tests.unit.language.test_chat_template import CHAT
from tests.unit.language.test_gguf import write as write_gguf
from tests.unit.language.test_importing import add_tokenizer
from tests.unit.language.test_tokenizer import byte_level
from tests.unit.language.tiny_models import logits, tiny

from glassworks.contracts import Chunk, Opening
from glassworks.errors import InputError
from glassworks.language.continuous_batching import EngineSettings
from glassworks.language.evaluation.asking import Asking
from glassworks.language.evaluation.rows import Example
from glassworks.language.importing import bring, write
from glassworks.language.session import INPUT, OUTPUT, PROMPT_LOGPROBS, LanguageSession
from glassworks.language.tokenizer import LanguageTokenizer

CONTEXT = 256


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanguageSession]:
    path, written = tmp_path_factory.mktemp("model"), tmp_path_factory.mktemp("written")
    write_gguf(path / "m.gguf", tiny("llama", vocab_size=330, max_position_embeddings=CONTEXT), "llama")
    add_tokenizer(path / "m.gguf", byte_level())
    write(bring(path / "m.gguf", "here"), written)
    opened = LanguageSession(written, written, EngineSettings(cache_tokens=4096, threads=1))
    yield opened
    opened.close()


def streamed(session: LanguageSession, text: str, **parameters: Any) -> list[Chunk]:
    return list(session.stream({INPUT: np.array([text.encode()], object)}, parameters))


def text_of(chunks: list[Chunk]) -> str:
    return "".join(chunk.outputs[OUTPUT].tolist()[0].decode() for chunk in chunks if OUTPUT in chunk.outputs)


def test_the_parts_are_the_whole_and_end_once(session: LanguageSession) -> None:
    chunks = streamed(session, "The quick", max_tokens=40)
    assert [bool(chunk.finish_reason) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert (chunks[-1].finish_reason, chunks[-1].completion_tokens) == ("length", 40)
    assert chunks[-1].prompt_tokens == len(LanguageTokenizer(byte_level()).encode("The quick"))
    everything = text_of(streamed(session, "The quick"))
    assert everything.startswith(text_of(chunks).rstrip("\ufffd"))
    whole = session.run({INPUT: np.array([b"The quick", b"other", b"The quick"], object)})[OUTPUT].tolist()
    assert [whole[0].decode(), whole[2].decode()] == [everything, everything]


def test_a_stop_string_ends_it_and_is_not_shown(session: LanguageSession) -> None:
    everything = text_of(streamed(session, "The quick", max_tokens=60))
    stop = everything[10:12]
    chunks = streamed(session, "The quick", max_tokens=60, stop=[stop])
    assert text_of(chunks) == everything[: everything.index(stop)]
    assert chunks[-1].finish_reason == "stop"


def test_a_conversation_is_rendered_by_the_models_template(session: LanguageSession) -> None:
    chunks = streamed(session, "", messages=CHAT, max_tokens=3)
    assert chunks[-1].prompt_tokens > 20
    with pytest.raises(InputError, match="no JSON"):
        streamed(session, "", messages="[")


def test_seeds_repeat_and_differ(session: LanguageSession) -> None:
    one, again, other = (
        text_of(streamed(session, "a", temperature=1.0, seed=seed, max_tokens=20)) for seed in (1, 1, 2)
    )
    assert one == again != other


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"max_tokens": CONTEXT}, "256 of the answer do not fit into 256"),
        ({"max_tokens": 0}, "max_tokens is 0"),
        ({"temperature": 2.1}, "temperature is 2.1"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"top_k": 1.5}, "top_k is 1.5"),
        ({"stop": ["a"] * 5}, "stop is"),
        ({"stop": [""]}, "stop holds ''"),
        ({"best_of": 2}, "the parameter 'best_of' is not known"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(
    session: LanguageSession, parameters: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as refused:
        streamed(session, "The quick", **parameters)
    assert said in refused.value.problem


ONE_TOKEN: list[dict[str, Any]] = [
    {"temperature": 1e-300},
    {"temperature": 1e-40},
    {"temperature": 1.0, "top_p": 0.0},
    {"temperature": 1.0, "min_p": 1},
]


@pytest.mark.parametrize("more", [{}, {"logprobs": True, "top_logprobs": 1}])
@pytest.mark.parametrize("parameters", ONE_TOKEN)
def test_where_one_token_is_left_it_is_the_most_probable(
    session: LanguageSession, parameters: dict[str, Any], more: dict[str, Any]
) -> None:
    greedy = text_of(streamed(session, "The quick", max_tokens=20))
    assert text_of(streamed(session, "The quick", max_tokens=20, seed=3, **parameters, **more)) == greedy


def test_what_cannot_fit_is_refused_before_it_is_cut(session: LanguageSession, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(*_: Any) -> list[int]:
        raise AssertionError("a long text is cut")

    for name in ("prompt", "encode", "with_special"):
        monkeypatch.setattr(LanguageTokenizer, name, cut)
    for parameters in ({}, {"add_special_tokens": False}, {"messages": [{"role": "user", "content": "a " * 2**20}]}):
        with pytest.raises(InputError, match=r"context_length_exceeded: the prompt.s 20971.. characters"):
            streamed(session, "a " * 2**20, **parameters)


@pytest.mark.parametrize(("text", "said"), [("", "empty"), ("a" * 3000, "context_length_exceeded: the prompt's")])
def test_prompts_that_do_not_fit(session: LanguageSession, text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        streamed(session, text)
    assert said in refused.value.problem


def test_the_first_chunk_comes_before_any_work(session: LanguageSession) -> None:
    answer = session.stream({INPUT: np.array([b"The quick"], object)}, {"max_tokens": 7})
    first = next(answer)
    assert (first.outputs, first.max_tokens, first.completion_tokens, first.finish_reason) == ({}, 7, 0, "")
    assert first.prompt_tokens == len(LanguageTokenizer(byte_level()).encode("The quick"))
    assert session._engine.open_requests == 0
    assert [chunk.max_tokens for chunk in answer][-1] == 7


def test_ids_are_a_prompt_and_a_prompt_can_be_cut_alone(session: LanguageSession) -> None:
    (cut,) = streamed(session, "The é", tokenize=True)
    tokens = json.loads(cut.outputs["prompt_tokens"].tolist()[0])
    ids = LanguageTokenizer(byte_level()).encode("The é")
    assert ([each["id"] for each in tokens], cut.finish_reason) == (ids, "stop")
    assert bytes(byte for each in tokens for byte in each["bytes"]).decode() == "The é"
    assert text_of(streamed(session, "", prompt_ids=ids, max_tokens=9)) == text_of(
        streamed(session, "The é", max_tokens=9)
    )


def test_log_likelihoods_are_those_of_windows(session: LanguageSession) -> None:
    texts = np.array([b"The quick brown fox", b"a", b"", ("flag 零 " * 80).encode()], object)
    found = session.run({INPUT: texts}, ["log_likelihood"])["log_likelihood"]
    tokenizer = LanguageTokenizer(byte_level())
    ids = [tokenizer.encode(text.decode()) for text in texts.tolist()]
    assert found[:, 1].tolist() == [len(ids[0]) - 1, 0, 0, len(ids[3]) - 1]
    assert len(ids[3]) > CONTEXT
    for row in (0, 3):
        windows = [ids[row][start : start + CONTEXT] for start in range(0, len(ids[row]) - 1, CONTEXT - 1)]
        expected = sum(log_likelihood(window) for window in windows)
        assert found[row, 0] == pytest.approx(expected, abs=0.05)


def test_log_likelihoods_of_many_texts_are_those_of_each_alone(session: LanguageSession) -> None:
    """All of them begin with one token, which is not read again for each."""
    texts = np.array([f"The {number} foxes{'!' * (number % 7)}".encode() for number in range(60)], object)
    together = session.run({INPUT: texts}, ["log_likelihood"])["log_likelihood"]
    for row in (0, 13, 59):
        alone = session.run({INPUT: texts[row : row + 1]}, ["log_likelihood"])["log_likelihood"]
        np.testing.assert_allclose(together[row], alone[0], atol=1e-3)


def log_likelihood(ids: list[int]) -> float:
    """By transformers."""
    scores = logits(tiny("llama", vocab_size=330, max_position_embeddings=CONTEXT), [ids])[0]
    shares = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    return float(shares[np.arange(len(ids) - 1), ids[1:]].sum())


def test_continuations_in_evaluations_have_the_log_probabilities_of_the_whole_text(session: LanguageSession) -> None:
    """Against those that a stream gives of the tokens of a prompt."""
    asking = Asking(Opening(name="m", session=session, preprocessing={}, sha256=""), 8)
    found = asking.continuation(Example(id="1", prompt="the cat "), "sat")
    tensors = {INPUT: np.array([b"the cat sat"], object)}
    for chunk in session.stream(tensors, {"prompt_logprobs": 0, "max_tokens": 1}):
        if PROMPT_LOGPROBS in chunk.outputs:
            told = json.loads(chunk.outputs[PROMPT_LOGPROBS].tolist()[0])
    size = len(told) - len(session.prompt_ids("the cat", {}))
    assert len(found) == size > 0
    assert found == pytest.approx([each["logprob"] for each in told[-size:]], abs=1e-4)
    messages = tuple(CHAT[:1])
    ids = [*session.prompt_ids(b"", {"messages": list(messages)}), *session.tokenizer.encode("yes")]
    size = len(session.tokenizer.encode("yes"))
    scores = [each.log_probability for each in session.scorer().score(ids)[-size:]]
    assert asking.continuation(Example(id="1", messages=messages), "yes") == scores
    choices = asking.choices(Example(id="1", messages=messages, choices=("no, never", "yes")))
    assert choices[1].tokens == size
    assert choices[1].log_probability == pytest.approx(sum(scores), abs=1e-4)
    long = asking.answer(Example(id="1", prompt="a" * 2000))
    assert "context_length_exceeded" in long.problem or "characters" in long.problem
