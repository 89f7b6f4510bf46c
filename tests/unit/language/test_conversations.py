"""Conversations are checked before a template sees them; tools are called in the form that it teaches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import numpy as np
import pytest
from tests.unit.language.test_gguf import write as write_gguf
from tests.unit.language.test_importing import add_tokenizer
from tests.unit.language.test_tokenizer import byte_level
from tests.unit.language.tiny_models import tiny

from glassworks.contracts import Chunk
from glassworks.errors import InputError
from glassworks.language.continuous_batching import EngineSettings
from glassworks.language.importing import bring, write
from glassworks.language.session import INPUT, LanguageSession
from glassworks.language.settings import read_settings, write_settings
from glassworks.language.tokenizer import LanguageTokenizer

BODY = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}"
    "{% for call in message.tool_calls or [] %}CALL {{ call.function.arguments | tojson }}{% endfor %}<|im_end|>\n"
    "{% endfor %}<|im_start|>assistant\n"
)
TEMPLATES = {
    "plain": BODY,
    "tags": "{% if tools %}{{ tools | tojson }} <tool_call>{% endif %}" + BODY,
    "json": '{% if tools %}{{ tools | tojson }} {"name": "", "parameters": {}}{% endif %}' + BODY,
    "thinks": "{% if tools %}<tool_call>{% endif %}" + BODY + "<think>\n",
    "strict": "{% if messages[0].role != 'user' %}{{ raise_exception('begin with the user') }}{% endif %}" + BODY,
}
CITY, DAYS = {"enum": ["Paris", "北京"]}, {"type": "integer", "minimum": 1, "maximum": 7}
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"enum": ["Paris", "北京"]},
                "days": {"type": "integer", "minimum": 1, "maximum": 7},
            },
            "required": ["city", "days"],
        },
    },
}
STOCK_SCHEMA = {"properties": {"a": {"const": 1}}}
STOCK: dict[str, Any] = {"type": "function", "function": {"name": "stock", "parameters": STOCK_SCHEMA}}
USER = {"role": "user", "content": "How is it?"}


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, LanguageSession]]:
    """One graph with each template."""
    graph, opened = tmp_path_factory.mktemp("model"), dict[str, LanguageSession]()
    write_gguf(graph / "m.gguf", tiny("llama", vocab_size=330, max_position_embeddings=2048), "llama")
    add_tokenizer(graph / "m.gguf", byte_level())
    write(bring(graph / "m.gguf", "here"), graph)
    for name, template in TEMPLATES.items():
        model: Path = tmp_path_factory.mktemp(name)
        (model / "tokenizer.json").write_bytes((graph / "tokenizer.json").read_bytes())
        write_settings(model, read_settings(graph).model_copy(update={"chat_template": template}))
        opened[name] = LanguageSession(graph, model, EngineSettings(cache_tokens=8192, threads=1))
    yield opened
    for session in opened.values():
        session.close()


def streamed(session: LanguageSession, **parameters: Any) -> list[Chunk]:
    row = {INPUT: np.array([b""], object)}
    return list(session.stream(row, {"messages": [USER], "max_tokens": 500, **parameters}))


def output(chunks: list[Chunk], name: str) -> list[bytes]:
    return [chunk.outputs[name].tolist()[0] for chunk in chunks if name in chunk.outputs]


def called(chunks: list[Chunk]) -> list[dict[str, Any]]:
    return [delta for part in output(chunks, "tool_calls") for delta in json.loads(part)]


@pytest.mark.parametrize("form", ["tags", "json"])
def test_a_required_call_is_made_and_no_markup_is_shown(sessions: dict[str, LanguageSession], form: str) -> None:
    for seed in range(3):
        asked = {"tools": [WEATHER, STOCK], "tool_choice": "required", "parallel_tool_calls": False}
        chunks = streamed(sessions[form], temperature=1.2, seed=seed, **asked)
        (call,) = called(chunks)
        assert (chunks[-1].finish_reason, output(chunks, "generated")) == ("tool_calls", [])
        assert (call["index"], call["type"], call["id"][:5]) == (0, "function", "call_")
        schemas = {tool["function"]["name"]: tool["function"]["parameters"] for tool in (WEATHER, STOCK)}
        arguments = json.loads(call["function"]["arguments"])
        assert jsonschema_rs.is_valid(schemas[call["function"]["name"]], arguments)


def test_a_named_tool_is_the_one_that_is_called(sessions: dict[str, LanguageSession]) -> None:
    choice = {"type": "function", "function": {"name": "weather"}}
    for seed in range(3):
        chunks = streamed(sessions["tags"], tools=[STOCK, WEATHER], tool_choice=choice, temperature=1.0, seed=seed)
        assert {call["function"]["name"] for call in called(chunks)} == {"weather"}


def test_half_a_call_shows_nothing(sessions: dict[str, LanguageSession]) -> None:
    chunks = streamed(sessions["tags"], tools=[WEATHER], tool_choice="required", max_tokens=15)
    assert (chunks[-1].finish_reason, called(chunks), output(chunks, "generated")) == ("length", [], [])
    assert chunks[-1].completion_tokens == 15


def test_reasoning_is_kept_separate_and_counted(sessions: dict[str, LanguageSession]) -> None:
    chunks = streamed(sessions["thinks"], max_tokens=40)
    count = chunks[-1].completion_tokens
    assert output(chunks, "generated") == []
    assert b"".join(output(chunks, "reasoning"))
    assert (chunks[-1].reasoning_tokens, chunks[-1].completion_tokens) == (count, count)
    plain = streamed(sessions["plain"], max_tokens=40)
    assert (plain[-1].reasoning_tokens, output(plain, "reasoning")) == (0, [])


def test_a_form_waits_for_the_end_of_reasoning(sessions: dict[str, LanguageSession]) -> None:
    asked: list[dict[str, Any]] = [
        {"response_format": {"type": "json_object"}},
        {"tools": [WEATHER], "tool_choice": "required"},
    ]
    for each in asked:
        chunks = streamed(sessions["thinks"], temperature=1.0, max_tokens=40, **each)
        assert (output(chunks, "generated"), called(chunks)) == ([], [])
        assert not b"".join(output(chunks, "reasoning")).startswith(b"{")


def test_messages_come_to_the_template_as_it_expects_them(sessions: dict[str, LanguageSession]) -> None:
    messages = [
        {"role": "developer", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        USER,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"x": "é"}'}}],
        },
        {"role": "tool", "tool_call_id": "1", "content": "4"},
    ]
    (cut,) = streamed(sessions["plain"], messages=messages, tokenize=True)
    text = "".join(each["token"] for each in json.loads(output([cut], "prompt_tokens")[0]))
    assert text.startswith("<|im_start|>system\na\nb<|im_end|>\n<|im_start|>user\nHow is it?<|im_end|>")
    ids = [each["id"] for each in json.loads(output([cut], "prompt_tokens")[0])]
    assert 'CALL {"x": "é"}<' in LanguageTokenizer(byte_level()).decoder(frozenset({0, 1, 2})).feed(ids)


TOOL = {"role": "tool", "tool_call_id": "1", "content": "4"}
MADE = {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f"}}]}
CALLED = {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{"}}]}


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"messages": []}, "messages are []"),
        ({"messages": "{"}, "messages are no JSON"),
        ({"messages": [1]}, "messages[0] is 1"),
        ({"messages": [{"role": "king", "content": ""}]}, "messages[0] has the role 'king'"),
        ({"messages": [{"role": "user"}]}, "messages[0] has the content None"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0] has the content"),
        ({"messages": [USER, TOOL]}, "messages[1] answers the call '1'"),
        ({"messages": [CALLED]}, "arguments of a tool call are no JSON"),
        ({"messages": [MADE, {**TOOL, "tool_call_id": ["1"]}]}, "messages[1] answers the call ['1']"),
        ({"messages": [{**CALLED, "role": "user"}]}, "is not the assistant's"),
        ({"messages": [{"role": "user", "content": "\ud800"}]}, "half of a surrogate pair"),
        ({"tools": [WEATHER]}, "cannot call tools"),
        ({"tools": [WEATHER, WEATHER]}, "two tools are named 'weather'"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0] is"),
        ({"tools": {"a": 1}}, "tools are"),
        ({"tool_choice": "required"}, "no such tool"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "x"}}}, "no such tool"),
        ({"tools": [WEATHER], "tool_choice": "sometimes"}, "tool_choice is 'sometimes'"),
        ({"tools": [WEATHER], "messages": None}, "tools are given without messages"),
        ({"messages": [{"role": "user", "content": "a" * 5000}]}, "context_length_exceeded"),
    ],
)
def test_what_is_wrong_with_a_conversation_is_said(
    sessions: dict[str, LanguageSession], parameters: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as refused:
        streamed(sessions["plain"], **parameters)
    assert said in refused.value.problem


def test_a_template_refuses_in_its_own_words(sessions: dict[str, LanguageSession]) -> None:
    with pytest.raises(InputError, match="begin with the user"):
        streamed(sessions["strict"], messages=[{"role": "system", "content": ""}, USER])


def test_tools_without_a_choice_of_them_are_not_shown(sessions: dict[str, LanguageSession]) -> None:
    plain = streamed(sessions["plain"], max_tokens=20)
    chunks = streamed(sessions["plain"], tools=[WEATHER], tool_choice="none", max_tokens=20)
    assert output(chunks, "generated") == output(plain, "generated")
    assert chunks[0].prompt_tokens == plain[0].prompt_tokens


def test_json_and_tools_at_once_are_refused(sessions: dict[str, LanguageSession]) -> None:
    with pytest.raises(InputError, match="JSON and tools"):
        streamed(sessions["tags"], tools=[WEATHER], response_format={"type": "json_object"})
