"""Requests of OpenAI's protocol: each parameter of the client is done, harmless, or refused by its name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import openai
import pytest
from hypothesis import given, strategies as st

from glassworks.serving.failures import WrongParameter
from glassworks.serving.protocols._openai.requests import SEEDS, chat, completion
from glassworks.serving.protocols._openai.response_requests import response

MESSAGES = [{"role": "user", "content": "Hello"}]
NEEDED: Mapping[str, dict[str, Any]] = {
    "chat": {"model": "m", "messages": MESSAGES},
    "completion": {"model": "m", "prompt": "Hello"},
    "response": {"model": "m", "input": "Hello"},
}
READ: Mapping[str, Callable[[dict[str, Any]], Any]] = {"chat": chat, "completion": completion, "response": response}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}
FORM = {"type": "json_object"}
DONE: Mapping[str, Mapping[str, Any]] = {
    "chat": {
        "frequency_penalty": 0.5, "logit_bias": {"1": 2}, "logprobs": True, "max_completion_tokens": 3, "max_tokens": 3,
        "n": 2, "presence_penalty": 0.5, "response_format": FORM, "seed": 3, "stop": "x", "stream": True,
        "temperature": 0.5, "top_p": 0.5, "messages": MESSAGES, "model": "m", "tools": [TOOL],
        "modalities": ["text"], "verbosity": "medium",
    },
    "completion": {
        "best_of": 1, "echo": True, "frequency_penalty": 0.5, "logit_bias": {"1": 2}, "logprobs": 2, "max_tokens": 3,
        "n": 2, "presence_penalty": 0.5, "seed": 3, "stop": "x", "stream": True, "suffix": "", "temperature": 0.5,
        "top_p": 0.5, "prompt": "Hello", "model": "m",
    },
    "response": {
        "background": False, "include": ["message.output_text.logprobs"], "instructions": "Be brief.",
        "max_output_tokens": 3, "max_tool_calls": 3, "parallel_tool_calls": True, "stream": True, "temperature": 0.5,
        "stream_options": {"include_obfuscation": False}, "text": {"format": FORM}, "tool_choice": "auto",
        "tools": [{"type": "function", "name": "f", "parameters": {}}], "top_logprobs": 2, "top_p": 0.5,
        "truncation": "disabled", "model": "m", "input": "Hello",
    },
}  # fmt: skip
HARMLESS = {
    *("user", "metadata", "store", "service_tier", "safety_identifier"),
    *("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"),
}
WITH_ANOTHER: Mapping[str, set[str]] = {
    "chat": {"stream_options", "top_logprobs", "tool_choice", "parallel_tool_calls"},
    "completion": {"stream_options"},
    "response": set(),
}
"""What only says something beside another parameter."""
_CLIENT = openai.OpenAI(api_key="none")
METHODS: Mapping[str, Any] = {
    "chat": _CLIENT.chat.completions.create,
    "completion": _CLIENT.completions.create,
    "response": _CLIENT.responses.create,
}
PARAMETERS = [
    (kind, name)
    for kind, method in METHODS.items()
    for name in inspect.signature(method).parameters
    if not name.startswith("extra_") and name != "timeout"
]
VALUES = st.one_of(
    st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5), st.lists(st.text(max_size=3)),
    st.dictionaries(st.text(max_size=3), st.integers(), min_size=1),
)  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), PARAMETERS)
def test_every_parameter_of_the_client_is_done_harmless_or_refused_by_name(kind: str, name: str) -> None:
    if name in DONE[kind]:
        READ[kind]({**NEEDED[kind], name: DONE[kind][name]})
    elif name in HARMLESS:
        READ[kind]({**NEEDED[kind], name: "anything"})
    elif name not in WITH_ANOTHER[kind]:
        with pytest.raises(WrongParameter) as refused:
            READ[kind]({**NEEDED[kind], name: {"any": "thing"}})
        assert (refused.value.param, refused.value.code) == (name, "unsupported_parameter")


@given(st.sampled_from(PARAMETERS), VALUES)
def test_no_value_of_any_parameter_is_dropped_or_breaks(parameter: tuple[str, str], value: Any) -> None:
    kind, name = parameter
    try:
        asked = READ[kind]({**NEEDED[kind], name: value})
    except WrongParameter as error:
        assert error.param is not None
        assert error.param.split(".")[0].split("[")[0] in (name, "model", "prompt", "n", "input", "messages")
        assert error.code in ("invalid_value", "unsupported_parameter", "missing_required_parameter")
    else:
        assert asked.model


@given(st.sampled_from(sorted(READ)), st.text(min_size=1, max_size=20), st.integers())
def test_what_nobody_knows_is_refused_by_name(kind: str, name: str, value: int) -> None:
    known = {each for of, each in PARAMETERS if of == kind}
    extra = {
        "top_k",
        "min_p",
        "repetition_penalty",
        "prompt_logprobs",
        "timeout",
        "priority",
        "seed",
        "response_format",
    }
    if name in known | extra:
        return
    with pytest.raises(WrongParameter, match="is not supported") as refused:
        READ[kind]({**NEEDED[kind], name: value})
    assert (refused.value.param, refused.value.code) == (name, "unsupported_parameter")


def test_null_is_as_good_as_nothing() -> None:
    for kind, read in READ.items():
        known = {name: None for of, name in PARAMETERS if of == kind}
        assert read({**known, **NEEDED[kind]}).model == "m"


def test_what_is_beside_another_parameter() -> None:
    told = chat({**NEEDED["chat"], "stream": True, "stream_options": {"include_usage": True}})
    assert told.usage
    assert chat({**NEEDED["chat"], "logprobs": True, "top_logprobs": 4}).top == 4
    tools = {"tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False}
    assert tools.items() <= chat({**NEEDED["chat"], **tools}).parameters(0).items()
    given_alone: list[dict[str, Any]] = [{"stream_options": {}}, {"top_logprobs": 1}, {"tool_choice": "required"}]
    for alone in given_alone:
        with pytest.raises(WrongParameter, match="without"):
            chat({**NEEDED["chat"], **alone})
    with pytest.raises(WrongParameter, match=r"stream_options\.other"):
        chat({**NEEDED["chat"], "stream": True, "stream_options": {"other": 1}})


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "robot", "content": "x"}, "messages[0].role"),
        ({"role": "user"}, "messages[0].content"),
        ({"role": "user", "content": []}, "messages[0].content"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}, "messages[0].content[0]"),
        ({"role": "user", "content": [{"type": "input_audio"}]}, "messages[0].content[0]"),
        ({"role": "user", "content": "x", "audio": {"id": "a"}}, "messages[0].audio"),
        ("Hello", "messages[0]"),
    ],
)
def test_messages_that_no_model_here_reads(message: Any, param: str) -> None:
    with pytest.raises(WrongParameter) as refused:
        chat({"model": "m", "messages": [message]})
    assert refused.value.param == param


def test_pictures_are_refused_by_their_name() -> None:
    with pytest.raises(WrongParameter, match="'image_url': this model reads text only"):
        chat({"model": "m", "messages": [{"role": "user", "content": [{"type": "image_url"}]}]})


def test_prompts_in_their_four_forms() -> None:
    asked = {form: completion({"model": "m", "prompt": prompt, "n": 2}) for form, prompt in _FORMS.items()}
    assert [len(each.prompts) for each in asked.values()] == [1, 2, 1, 2]
    assert asked["texts"].prompts[1].text == "b"
    assert asked["ids"].parameters(1)["prompt_ids"] == [1, 2]
    assert asked["lists of ids"].parameters(2)["prompt_ids"] == [3]
    wrong: list[Any] = [[], [[]], [1, "a"], {}, 5, [True]]
    for prompt in wrong:
        with pytest.raises(WrongParameter):
            completion({"model": "m", "prompt": prompt})


_FORMS: Mapping[str, Any] = {"text": "a", "texts": ["a", "b"], "ids": [1, 2], "lists of ids": [[1, 2], [3]]}


@given(st.integers(-(2**63), 2**63 - 1), st.integers(1, 8))
def test_any_seed_of_the_client_is_one_here(seed: int, n: int) -> None:
    asked = chat({**NEEDED["chat"], "seed": seed, "n": n})
    seeds = [asked.parameters(choice)["seed"] for choice in range(n)]
    assert seeds == [(seed + choice) % SEEDS for choice in range(n)]


def test_defaults_are_openais() -> None:
    assert chat(NEEDED["chat"]).parameters(0)["temperature"] == 1.0
    assert "max_tokens" not in chat(NEEDED["chat"]).parameters(0)
    assert completion(NEEDED["completion"]).parameters(0)["max_tokens"] == 16
    assert len({chat(NEEDED["chat"]).seed for _ in range(5)}) > 1


def test_items_become_a_conversation() -> None:
    call = {
        "type": "function_call",
        "call_id": "c",
        "name": "f",
        "arguments": "{}",
        "id": "fc_1",
        "status": "completed",
    }
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm."}]}
    said = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        thought,
        {**said, "content": [{"type": "output_text", "text": "Ho", "annotations": []}]},
        call,
        {"type": "function_call_output", "call_id": "c", "output": "42"},
    ]
    asked = response({"model": "m", "input": items, "instructions": "Be brief."})
    made = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert asked.parameters(0)["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Ho", "reasoning_content": "Hm.", "tool_calls": [made]},
        {"role": "tool", "tool_call_id": "c", "content": "42"},
    ]


def test_a_schema_lies_elsewhere_in_responses() -> None:
    form = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}
    asked = response({**NEEDED["response"], "text": {"format": form}})
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True}}
    assert asked.parameters(0)["response_format"] == wanted
    assert asked.repeated["text"] == {"format": form}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"background": True}, "background"),
        ({"truncation": "auto"}, "truncation"),
        ({"include": ["file_search_call.results"]}, "include"),
    ],
)
def test_what_a_response_here_cannot_have(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(WrongParameter) as refused:
        response({**NEEDED["response"], **fields})
    assert (refused.value.param, refused.value.code) == (param, "unsupported_parameter")
