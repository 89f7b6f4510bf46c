"""Responses: every event is complete, and together they are the response; by the client's own types, strictly."""

from __future__ import annotations

import json
import typing
from collections.abc import Sequence
from typing import Any

import numpy as np
import openai
import pytest
from hypothesis import given, strategies as st
from openai.types.responses import Response as ClientResponse, ResponseStreamEvent
from tests.integration.serving.running import Server

from glassworks.contracts import Chunk
from glassworks.serving.protocols._openai.response_events import Response
from glassworks.serving.protocols._openai.response_requests import response
from glassworks.serving.results import InferResult

MODEL = "tiny-language-model"
GREEDY: dict[str, Any] = {"model": MODEL, "input": "Hello", "temperature": 0}
(_UNION, _) = typing.get_args(ResponseStreamEvent)
TYPES: dict[str, Any] = {
    typing.get_args(kind.model_fields["type"].annotation)[0]: kind for kind in typing.get_args(_UNION)
}
_OURS = {"store", "bytes"}
"""What OpenAI's service says, and the client has no field for."""


def check(event: dict[str, Any]) -> None:
    """As the client's type has it: every field that is needed, and none that is not known."""
    found = TYPES[event["type"]].model_validate(event)
    assert not unknown(found), event["type"]


def unknown(value: Any) -> set[str]:
    """Fields that no type of the client has."""
    if isinstance(value, list):
        return set().union(*map(unknown, value))
    if not hasattr(value, "model_fields_set"):
        return set()
    inner = [getattr(value, name) for name in type(value).model_fields]
    return (set(value.model_extra or ()) - _OURS) | unknown(inner)


def raw_events(server: Server, **asked: Any) -> list[dict[str, Any]]:
    connection = server.connect()
    connection.request("POST", "/v1/responses", json.dumps({**GREEDY, "stream": True, **asked}))
    content = connection.getresponse().read().decode()
    connection.close()
    found = []
    for event in content.removesuffix("\n\n").split("\n\n"):
        name, _, data = event.partition("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def test_a_stream_is_complete_and_becomes_the_response(language_server: Server, language_client: openai.OpenAI) -> None:
    asked = {"max_output_tokens": 9, "include": ["message.output_text.logprobs"], "top_logprobs": 2}
    events = raw_events(language_server, **asked)
    for event in events:
        check(event)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    kinds = [event["type"].removeprefix("response.") for event in events]
    begin = ["created", "in_progress", "output_item.added", "content_part.added"]
    assert kinds[:4] == begin
    assert kinds[-4:] == ["output_text.done", "content_part.done", "output_item.done", "incomplete"]
    assert set(kinds[4:-4]) == {"output_text.delta"}
    last = events[-1]["response"]
    text = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    assert last["output"][0]["content"][0]["text"] == text == events[-4]["text"]
    assert last["output"][0] == events[-2]["item"]
    whole = language_client.responses.create(**{**GREEDY, **asked})
    assert whole.output_text == text
    content: Any = whole.output[0]
    shown = [each.model_dump() for each in content.content[0].logprobs]
    assert shown == last["output"][0]["content"][0]["logprobs"]
    assert len(shown) == 9
    assert whole.usage is not None
    assert whole.usage.model_dump(exclude_none=True) == last["usage"]


def test_a_whole_response_says_what_it_was_asked(language_client: openai.OpenAI) -> None:
    found = language_client.responses.create(
        **GREEDY, max_output_tokens=5, instructions="Be brief.", metadata={"a": "b"}, store=True, user="u"
    )
    assert not unknown(ClientResponse.model_validate(found.model_dump()))
    assert (found.instructions, found.metadata, found.user, found.max_output_tokens) == (
        "Be brief.",
        {"a": "b"},
        "u",
        5,
    )
    assert found.model_extra == {"store": False}
    assert found.incomplete_details is not None
    assert (found.status, found.incomplete_details.reason) == ("incomplete", "max_output_tokens")


def test_items_of_an_answer_can_be_sent_back(language_client: openai.OpenAI) -> None:
    first = language_client.responses.create(**GREEDY, max_output_tokens=4)
    items: list[Any] = [{"role": "user", "content": "Hello"}, *first.output, {"role": "user", "content": "And?"}]
    again = language_client.responses.create(**{**GREEDY, "input": items}, max_output_tokens=2)
    assert again.usage is not None and first.usage is not None
    assert again.usage.input_tokens > first.usage.input_tokens


def test_the_clients_own_collector(language_client: openai.OpenAI) -> None:
    with language_client.responses.stream(**GREEDY, max_output_tokens=6) as stream:
        kinds = [event.type for event in stream]
        found = stream.get_final_response() if "response.completed" in kinds else None
    assert kinds[-1] in ("response.completed", "response.incomplete")
    assert found is None or found.output_text


def test_what_an_engine_refuses_has_the_names_of_this_endpoint(language_client: openai.OpenAI) -> None:
    for asked, param in (({"input": "x" * 600}, "input"), ({"temperature": 3}, "temperature")):
        with pytest.raises(openai.BadRequestError) as refused:
            language_client.responses.create(**{**GREEDY, **asked})
        assert refused.value.param == param


class Parts:
    """Answers as sessions give them: written here, since a model with random weights neither thinks nor calls."""

    def __init__(self) -> None:
        self._count = 0

    def part(self, reason: str = "", **outputs: str) -> InferResult:
        self._count += bool(outputs)
        tensors = {name: np.array([value.encode()], object) for name, value in outputs.items()}
        counts = {"prompt_tokens": 5, "completion_tokens": self._count}
        return InferResult("m", "1", tensors, Chunk(outputs=tensors, finish_reason=reason, **counts))


def events_of(parts: Sequence[InferResult]) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    found = Response(response(GREEDY), lambda event: events.append(json.loads(json.dumps(event))))
    found.begin()
    for part in parts:
        found.add(part)
    found.end()
    for event in events:
        check(event)
    return events


def call(index: int, arguments: str, name: str = "") -> str:
    first = {"id": f"call_{index}", "type": "function"} if name else {}
    function = {"arguments": arguments, **({"name": name} if name else {})}
    return json.dumps([{"index": index, **first, "function": function}])


def test_thoughts_text_and_calls_are_items_of_their_own() -> None:
    parts = Parts()
    events = events_of(
        [
            parts.part(),
            parts.part(reasoning="Hm"),
            parts.part(reasoning="."),
            parts.part(generated="I "),
            parts.part(generated="ask."),
            parts.part(tool_calls=call(0, '{"a"', "f")),
            parts.part(tool_calls=call(0, ": 1}")),
            parts.part("tool_calls", tool_calls=call(1, "{}", "g")),
        ]
    )
    output = events[-1]["response"]["output"]
    assert [item["type"] for item in output] == ["reasoning", "message", "function_call", "function_call"]
    assert all(item["status"] == "completed" for item in output)
    assert output[0]["content"] == [{"type": "reasoning_text", "text": "Hm."}]
    assert output[1]["content"][0]["text"] == "I ask."
    assert [(item["name"], item["arguments"], item["call_id"]) for item in output[2:]] == [
        ("f", '{"a": 1}', "call_0"),
        ("g", "{}", "call_1"),
    ]
    kinds = [event["type"].removeprefix("response.") for event in events]
    assert kinds.count("output_item.added") == kinds.count("output_item.done") == 4
    assert "function_call_arguments.delta" in kinds
    done = [event for event in events if event["type"] == "response.output_item.done"]
    assert [event["item"] for event in done] == output
    assert [event["output_index"] for event in done] == [0, 1, 2, 3]


@given(st.lists(st.sampled_from(["reasoning", "generated"]), max_size=6), st.sampled_from(["stop", "length"]))
def test_any_order_of_parts_is_complete(names: list[str], reason: str) -> None:
    parts = Parts()
    events = events_of([parts.part(), *(parts.part(**{name: "x"}) for name in names), parts.part(reason)])
    last = events[-1]["response"]
    assert last["status"] == {"stop": "completed", "length": "incomplete"}[reason]
    text = "".join(part["text"] for item in last["output"] for part in item["content"])
    assert text == "x" * len(names)
    opened = [event["type"] for event in events if event["type"].endswith((".added", ".done"))]
    assert opened.count("response.output_item.added") == opened.count("response.output_item.done") >= 1


def test_what_fails_in_between_is_the_last_event() -> None:
    events: list[dict[str, Any]] = []
    found = Response(response(GREEDY), lambda event: events.append(json.loads(json.dumps(event))))
    found.begin()
    found.add(Parts().part(generated="a"))
    found.fail("the engine died; send it again")
    check(events[-1])
    assert events[-1]["type"] == "response.failed"
    assert events[-1]["response"]["error"]["message"].startswith("the engine died")


def test_what_is_told_of_an_answer_is_in_the_response_and_in_the_streams_last_event(
    language_client: openai.OpenAI,
) -> None:
    extra = {"glassworks": {"confidence": True, "nearest": 1, "explain": {"parts": "turns", "grade": False}}}
    asked: Any = {**GREEDY, "max_output_tokens": 4, "extra_body": extra}
    whole = language_client.responses.create(**asked)
    told = (whole.model_extra or {})["glassworks"]
    assert told["explanation"]["answer"] == whole.output_text
    assert [part["item"] for part in told["explanation"]["parts"]] == [GREEDY["input"]]
    assert "cut at its longest" in told["confidence"]["note"]
    assert told["nearest"][0]["messages"]
    *before, last = language_client.responses.create(**asked, stream=True)
    kinds = [event.type for event in before]
    assert kinds[-1] == "response.output_item.done"  # the text is whole before it is explained
    streamed = (last.response.model_extra or {})["glassworks"]
    assert streamed["explanation"]["parts"] == told["explanation"]["parts"]
    assert all("glassworks" not in (event.response.model_extra or {}) for event in before[:2])
    assert "glassworks" not in (language_client.responses.create(**GREEDY, max_output_tokens=2).model_extra or {})


@pytest.mark.parametrize(
    ("told", "param"),
    [
        ({"explain": {"method": "saliency"}}, "glassworks.explain.method"),
        ({"explain": {"parts": "letters"}}, "glassworks.explain.parts"),
        ({"sure": True}, "glassworks.sure"),
        ({"sources": {"index": "none"}}, None),
    ],
)
def test_what_cannot_be_told_is_refused_before_anything_is_written(
    language_client: openai.OpenAI, told: Any, param: str | None
) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        language_client.responses.create(**GREEDY, stream=True, extra_body={"glassworks": told})
    assert refused.value.status_code in (400, 404)
    assert param is None or refused.value.param == param
