"""Plain completions: prompts in all forms, log-probabilities as evaluations read them, and vLLM's as captum does."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from captum.attr._core.remote_provider import VLLMProvider
from openai.types import Completion
from tests.integration.serving.running import Server

MODEL = "tiny-language-model"
GREEDY: dict[str, Any] = {"model": MODEL, "temperature": 0}
EXACT = 1e-4
"""Between log-probabilities of two passes through the same graph in fp32."""


def complete(client: openai.OpenAI, prompt: Any, **asked: Any) -> Completion:
    found: Completion = client.completions.create(**{**GREEDY, "prompt": prompt, "max_tokens": 6, **asked})
    if "echo" not in asked:  # the first token of a prompt has no log-probability, which the client's types do not know
        Completion.model_validate(found.model_dump())
    return found


def streamed(client: openai.OpenAI, prompt: Any, **asked: Any) -> list[Any]:
    return list(client.completions.create(**{**GREEDY, "prompt": prompt, "max_tokens": 6, "stream": True, **asked}))


def ids_of(client: openai.OpenAI, text: str) -> list[int]:
    return client.post("/../tokenize", body={"prompt": text}, cast_to=dict[str, Any])["tokens"]  # type: ignore[no-any-return]


def test_prompts_in_their_four_forms_have_one_answer_each(language_client: openai.OpenAI) -> None:
    texts = ["abc", "Hello"]
    ids = [ids_of(language_client, text) for text in texts]
    wanted = [complete(language_client, text).choices[0].text for text in texts]
    found = complete(language_client, texts)
    assert [(choice.index, choice.text) for choice in found.choices] == list(enumerate(wanted))
    assert [choice.text for choice in complete(language_client, ids).choices] == wanted
    assert complete(language_client, ids[1]).choices[0].text == wanted[1]
    assert found.usage is not None
    assert (found.usage.prompt_tokens, found.usage.completion_tokens) == (8, 12)
    several = complete(language_client, texts, n=2)
    assert [choice.text for choice in several.choices] == [wanted[0], wanted[0], wanted[1], wanted[1]]
    assert several.usage is not None
    assert several.usage.prompt_tokens == 8


def test_a_stream_is_the_whole(language_client: openai.OpenAI) -> None:
    wanted = complete(language_client, ["abc", "Hello"], logprobs=2, echo=True)
    found = streamed(language_client, ["abc", "Hello"], logprobs=2, echo=True, stream_options={"include_usage": True})
    for index, choice in enumerate(wanted.choices):
        parts = [each for chunk in found for each in chunk.choices if each.index == index]
        assert "".join(part.text for part in parts) == choice.text
        assert [part.finish_reason for part in parts if part.finish_reason] == ["length"]
        for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset"):
            together = [value for part in parts if part.logprobs for value in getattr(part.logprobs, name)]
            assert together == getattr(choice.logprobs, name), name
    assert found[-1].usage == wanted.usage


def test_echo_scores_the_prompt_as_its_generation_was(language_client: openai.OpenAI) -> None:
    """The log-probabilities of a greedy answer are those that it has as a prompt, and each is the best."""
    first: Any = complete(language_client, "abc", logprobs=1).choices[0].logprobs
    ids = ids_of(language_client, "abc") + _ids(language_client, first.tokens)
    again: Any = complete(language_client, ids, echo=True, max_tokens=1, logprobs=1).choices[0].logprobs
    assert len(again.token_logprobs) == 3 + 6 + 1
    assert again.token_logprobs[0] is None
    assert again.token_logprobs[3:-1] == pytest.approx(first.token_logprobs, abs=EXACT)
    # As lm-evaluation-harness decides what is greedy: by equality of numbers.
    greedy = [
        value == max(best.values())
        for value, best in zip(again.token_logprobs[1:-1], again.top_logprobs[1:-1], strict=True)
    ]
    assert greedy[2:] == [True] * 6
    assert not all(greedy[:2])


def _ids(client: openai.OpenAI, tokens: list[str]) -> list[int]:
    """Tokens of this model are bytes."""
    alphabet = {bytes([token["bytes"][0]]): token["id"] for token in _alphabet(client)}
    return [alphabet[_bytes(token)] for token in tokens]


def _bytes(token: str) -> bytes:
    return bytes.fromhex(token.removeprefix("bytes:\\x")) if token.startswith("bytes:") else token.encode()


def _alphabet(client: openai.OpenAI) -> list[dict[str, Any]]:
    found = []
    for number in range(256):
        choice: Any = complete(client, [number], max_tokens=0, echo=True, logprobs=0).choices[0]
        (token,) = choice.logprobs.tokens
        found.append({"id": number, "bytes": list(_bytes(token))})
    return found


def test_nothing_is_generated_where_only_the_prompt_is_asked_for(language_client: openai.OpenAI) -> None:
    found = complete(language_client, "abcd", max_tokens=0, echo=True, logprobs=3)
    (choice,) = found.choices
    assert (choice.text, choice.finish_reason) == ("abcd", "length")
    assert choice.logprobs is not None and choice.logprobs.top_logprobs is not None
    assert choice.logprobs.tokens == ["a", "b", "c", "d"]
    assert choice.logprobs.text_offset == [0, 1, 2, 3]
    assert found.usage is not None
    assert (found.usage.completion_tokens, found.usage.prompt_tokens) == (0, 4)
    (last, _) = streamed(language_client, "abcd", max_tokens=0, echo=True, stream_options={"include_usage": True})
    assert (last.choices[0].text, last.choices[0].finish_reason) == ("abcd", "length")


def test_the_end_of_an_answer_counts_where_a_prompt_is_scored(language_client: openai.OpenAI) -> None:
    """Who asks for one token leaves the last one away: were there none, it would be one of the prompt's."""
    (end,) = language_client.post(
        "/../tokenize", body={"prompt": "<|im_end|>", "add_special_tokens": False}, cast_to=dict[str, Any]
    )["tokens"]
    asked = {"max_tokens": 1, "echo": True, "logprobs": 1, "extra_body": {"logit_bias": {str(end): 100}}}
    choice: Any = complete(language_client, "abc", **asked).choices[0]
    assert (choice.finish_reason, choice.text) == ("stop", "abc")
    assert [len(choice.logprobs.tokens), len(choice.logprobs.token_logprobs)] == [4, 4]
    alone: Any = complete(language_client, "abc", max_tokens=0, echo=True, logprobs=1).choices[0].logprobs
    assert choice.logprobs.token_logprobs[:-1] == alone.token_logprobs


@pytest.mark.parametrize("count", [0, 3])
def test_log_probabilities_of_prompts_in_vllms_shape(language_client: openai.OpenAI, count: int) -> None:
    choice: Any = complete(language_client, "abc", max_tokens=1, extra_body={"prompt_logprobs": count}).choices[0]
    first, *others = choice.prompt_logprobs
    assert first is None
    for token, expected in zip(others, "bc", strict=True):
        assert count <= len(token) <= count + 1 if count else len(token) == 1
        entries = {entry["decoded_token"]: entry for entry in token.values()}
        assert entries[expected]["rank"] >= 1
        best = sorted(entry["logprob"] for entry in token.values() if entry["rank"] <= count)
        assert best == sorted(best)


def test_captum_explains_this_server_unmodified(language_server: Server, language_client: openai.OpenAI) -> None:
    class Bytes:
        def encode(self, text: str, **_: Any) -> list[int]:
            return list(text.encode())

    provider = VLLMProvider(f"http://{language_server.address}/v1")
    assert provider.model_name == MODEL
    assert len(provider.generate("abc", max_tokens=3, temperature=0)) > 0
    scores = provider.get_logprobs("Hel", "lo", Bytes())
    echoed: Any = complete(language_client, "Hello", echo=True, max_tokens=0, logprobs=0).choices[0].logprobs
    assert scores == pytest.approx(echoed.token_logprobs[3:])


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": [100_000]}, "prompt"),
        ({"prompt": "x" * 600}, "prompt"),
        ({"prompt": "a", "suffix": "b"}, "suffix"),
        ({"prompt": "a", "best_of": 3}, "best_of"),
        ({"prompt": "a", "logprobs": 21}, "logprobs"),
        ({"prompt": "a", "max_tokens": 0}, "max_tokens"),
        ({"prompt": "a", "n": 129}, "n"),
        ({"prompt": ["a"] * 33, "stream": True}, "n"),
        ({"prompt": "a", "stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"prompt": "a", "logit_bias": {"100000": 1}}, "logit_bias"),
    ],
)
def test_what_is_wrong_is_named(language_client: openai.OpenAI, asked: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        language_client.completions.create(**{**GREEDY, **asked})
    assert refused.value.param == param


def test_tokens_and_back(language_client: openai.OpenAI) -> None:
    def post(path: str, **body: Any) -> Any:
        return language_client.post(f"/../{path}", body=body, cast_to=dict[str, Any])

    text = "汉字 🙂 text"
    found = post("tokenize", prompt=text, return_token_strs=True)
    assert found["count"] == len(found["tokens"]) == len(text.encode()) == len(found["token_strs"])
    assert found["max_model_len"] == 512
    assert post("detokenize", tokens=found["tokens"], model=MODEL) == {"prompt": text}
    messages = [{"role": "user", "content": "Hi"}]
    usage = language_client.chat.completions.create(model=MODEL, messages=messages, max_tokens=1).usage  # type: ignore[arg-type]
    assert usage is not None
    assert post("tokenize", messages=messages)["count"] == usage.prompt_tokens
    info = language_client.get("/../tokenizer_info", cast_to=dict[str, Any])
    assert (info["eos_token"], info["bos_token"]) == ("<|im_end|>", "<|endoftext|>")
    assert "im_start" in info["chat_template"]
    # In a prompt the letters of a special token are text, and alone they are the token.
    assert post("tokenize", prompt="<|im_end|>", add_special_tokens=False)["count"] == 1
    assert post("tokenize", prompt="a<|im_end|>")["count"] == 11
    with pytest.raises(openai.BadRequestError):
        post("detokenize", tokens=[100_000])
    with pytest.raises(openai.BadRequestError):
        post("tokenize", text="a")
