"""Chat completions by OpenAI's own client, of a real server with a tiny real model."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Literal

import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel
from tests.integration.serving.running import Server

MODEL = "tiny-language-model"
HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
GREEDY: dict[str, Any] = {"model": MODEL, "messages": HELLO, "temperature": 0}


def chunks(client: openai.OpenAI, **asked: Any) -> list[ChatCompletionChunk]:
    found = list(client.chat.completions.create(**{**GREEDY, "stream": True, **asked}))
    for chunk in found:
        ChatCompletionChunk.model_validate(chunk.model_dump())
    return found


def text_of(found: list[ChatCompletionChunk], choice: int = 0) -> str:
    deltas = [each.delta for chunk in found for each in chunk.choices if each.index == choice]
    return "".join(delta.content or "" for delta in deltas)


def whole(client: openai.OpenAI, **asked: Any) -> ChatCompletion:
    found = client.chat.completions.create(**{**GREEDY, **asked})
    assert isinstance(found, ChatCompletion)
    return ChatCompletion.model_validate(found.model_dump())


def test_an_answer_has_all_that_the_client_reads(language_client: openai.OpenAI) -> None:
    found = whole(language_client, max_tokens=6)
    (choice,), usage = found.choices, found.usage
    assert (found.object, found.model, choice.finish_reason) == ("chat.completion", MODEL, "length")
    assert choice.message.role == "assistant"
    assert usage is not None and usage.prompt_tokens_details is not None
    assert (usage.completion_tokens, usage.total_tokens) == (6, usage.prompt_tokens + 6)
    assert found.system_fingerprint is not None
    assert found.system_fingerprint.startswith(f"{MODEL}@1-")


def test_the_parts_of_a_stream_are_the_whole_and_end_once(language_client: openai.OpenAI) -> None:
    found = chunks(language_client, max_tokens=20)
    assert found[0].choices[0].delta.role == "assistant"
    assert len({(each.id, each.created, each.model) for each in found}) == 1
    reasons = [choice.finish_reason for chunk in found for choice in chunk.choices]
    assert reasons[:-1] == [None] * (len(reasons) - 1)
    assert reasons[-1] == "length"
    assert text_of(found) == whole(language_client, max_tokens=20).choices[0].message.content


def test_usage_is_the_last_event_where_it_is_asked_for(language_client: openai.OpenAI) -> None:
    found = chunks(language_client, max_tokens=5, stream_options={"include_usage": True})
    assert [chunk.usage for chunk in found[:-1]] == [None] * (len(found) - 1)
    assert found[-1].choices == []
    assert found[-1].usage == whole(language_client, max_tokens=5).usage
    assert "usage" not in chunks(language_client, max_tokens=1)[0].model_dump(exclude_unset=True)


def test_bytes_of_a_stream(language_server: Server) -> None:
    connection = language_server.connect()
    connection.request("POST", "/v1/chat/completions", json.dumps({**GREEDY, "stream": True, "max_tokens": 3}))
    answer = connection.getresponse()
    events = answer.read().split(b"\n\n")
    connection.close()
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert (answer.headers["x-accel-buffering"], answer.headers["cache-control"]) == ("no", "no-store")
    assert answer.headers["x-request-id"]
    assert [event for event in events if event == b"data: [DONE]"] == [b"data: [DONE]"]
    assert events[-2:] == [b"data: [DONE]", b""]
    assert all(event.startswith(b"data: {") for event in events[:-2])


def test_n_answers_are_those_of_n_seeds(language_client: openai.OpenAI) -> None:
    asked = {"temperature": 1.5, "max_tokens": 12}
    alone = [whole(language_client, **asked, seed=seed).choices[0].message.content for seed in (7, 8, 9)]
    together = whole(language_client, **asked, seed=7, n=3)
    assert [choice.message.content for choice in together.choices] == alone
    assert len(set(alone)) == 3
    streamed = chunks(language_client, **asked, seed=7, n=3, stream_options={"include_usage": True})
    assert [text_of(streamed, choice) for choice in range(3)] == alone
    assert sum(choice.finish_reason is not None for chunk in streamed for choice in chunk.choices) == 3
    assert streamed[-1].usage == together.usage
    assert together.usage is not None
    assert together.usage.prompt_tokens == whole(language_client, max_tokens=1).usage.prompt_tokens  # type: ignore[union-attr]


def test_the_prompt_decides_and_not_chance_where_the_temperature_is_0(language_client: openai.OpenAI) -> None:
    found = {whole(language_client, max_tokens=15, seed=seed).choices[0].message.content for seed in (1, 2)}
    assert len(found) == 1
    narrow = whole(language_client, temperature=1, top_p=1e-6, max_tokens=15)
    assert {narrow.choices[0].message.content} == found


def test_without_a_seed_answers_differ(language_client: openai.OpenAI) -> None:
    found = {whole(language_client, temperature=2, max_tokens=24).choices[0].message.content for _ in range(4)}
    assert len(found) > 1


@pytest.mark.parametrize("stream", [False, True])
def test_a_stop_string_is_not_shown(language_client: openai.OpenAI, stream: bool) -> None:
    everything = whole(language_client, max_tokens=40).choices[0].message.content or ""
    stop = everything[8:10]
    stops = ["never stands there", stop]
    if stream:
        found = chunks(language_client, max_tokens=40, stop=stops)
        text, reason = text_of(found), found[-1].choices[0].finish_reason
    else:
        answer = whole(language_client, max_tokens=40, stop=stops).choices[0]
        text, reason = answer.message.content or "", answer.finish_reason
    assert (text, reason) == (everything[: everything.index(stop)], "stop")


def test_log_probabilities_are_of_the_tokens_shown(language_client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"max_tokens": 8, "logprobs": True, "top_logprobs": 3}
    (choice,) = whole(language_client, **asked).choices
    assert choice.logprobs is not None and choice.logprobs.content is not None
    content = choice.logprobs.content
    assert b"".join(bytes(each.bytes or []) for each in content).decode(errors="replace") == choice.message.content
    for each in content:
        values = [top.logprob for top in each.top_logprobs]
        assert len(values) == 3
        assert values == sorted(values, reverse=True)
        assert each.logprob == values[0]
    shown = [choice.logprobs for chunk in chunks(language_client, **asked) for choice in chunk.choices]
    streamed = [each for part in shown if part is not None for each in part.content or []]
    assert streamed == content


def test_content_may_be_a_list_of_texts(language_client: openai.OpenAI) -> None:
    parts = [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]
    lines = [{"role": "user", "content": "a\nb"}]
    found = [whole(language_client, messages=messages, max_tokens=8).choices for messages in (parts, lines)]
    assert found[0] == found[1]


def test_an_answer_can_be_sent_back(language_client: openai.OpenAI) -> None:
    message = whole(language_client, max_tokens=4).choices[0].message
    further = [*HELLO, message.model_dump(), {"role": "user", "content": "And?"}]
    assert whole(language_client, messages=further, max_tokens=2).usage.completion_tokens == 2  # type: ignore[union-attr]


def test_the_clients_own_collector_of_streams(language_client: openai.OpenAI) -> None:
    everything = whole(language_client, max_tokens=30).choices[0].message.content or ""
    with language_client.chat.completions.stream(**GREEDY, max_tokens=30, stop=everything[8:10]) as stream:
        found = stream.get_final_completion()
    assert found.choices[0].message.content == everything[: everything.index(everything[8:10])]
    with (
        language_client.chat.completions.stream(**GREEDY, max_tokens=2) as stream,
        pytest.raises(openai.LengthFinishReasonError),
    ):
        stream.get_final_completion()


def test_the_asynchronous_client(language_server: Server, language_client: openai.OpenAI) -> None:
    async def main() -> list[str]:
        base = f"http://{language_server.address}/v1"
        async with openai.AsyncOpenAI(base_url=base, api_key="none", max_retries=0) as client:
            asked = [client.chat.completions.create(**GREEDY, max_tokens=10) for _ in range(6)]
            return [found.choices[0].message.content for found in await asyncio.gather(*asked)]

    assert set(asyncio.run(main())) == {whole(language_client, max_tokens=10).choices[0].message.content}


def test_more_than_the_context_is_refused_with_both_counts(language_client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        whole(language_client, messages=[{"role": "user", "content": "x" * 600}])
    error: Any = refused.value.body
    assert (error["code"], error["param"]) == ("context_length_exceeded", "messages")
    assert "512" in error["message"]
    assert "context_length_exceeded" in error["message"]


def test_versions_and_aliases_answer_by_their_names(language_client: openai.OpenAI) -> None:
    models = [MODEL, f"{MODEL}@1", f"{MODEL}@champion"]
    found = [whole(language_client, model=model, max_tokens=5) for model in models]
    assert [each.model for each in found] == models
    assert len({each.choices[0].message.content for each in found}) == 1


class Color(BaseModel):
    """A schema as clients make it of a class."""

    color: Literal["red", "green"]
    sure: bool


def test_an_answer_in_the_form_of_a_class(language_client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": MODEL, "temperature": 0}
    chat = language_client.chat.completions.parse(**asked, messages=HELLO, response_format=Color, max_tokens=100)
    assert isinstance(chat.choices[0].message.parsed, Color)
    items = language_client.responses.parse(**asked, input="Hello", text_format=Color, max_output_tokens=100)
    assert items.output_parsed == chat.choices[0].message.parsed


@pytest.mark.parametrize(
    ("asked", "param", "words"),
    [
        ({"response_format": {"type": "yaml"}}, "response_format", "yaml"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "nonsense"}}}},
            "response_format",
            "nonsense",
        ),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools", "cannot call tools"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "q"}]}, "messages", "no message before it"),
        ({"max_tokens": 0}, "max_tokens", "whole number"),
        ({"temperature": -1}, "temperature", "number from 0"),
        ({"logit_bias": {"x": 1}}, "logit_bias", "token"),
    ],
)
def test_what_is_wrong_is_named_before_anything_is_computed(
    language_client: openai.OpenAI, asked: dict[str, Any], param: str, words: str
) -> None:
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError, match=words) as refused:
            language_client.chat.completions.create(**{**GREEDY, **asked, "stream": stream})
        assert refused.value.param == param
