"""Responses: their fields, and a stream's events, each of them, in order and complete."""

from __future__ import annotations

from typing import Any

from glassworks.conformance.openai.answers import DONE, Stream
from glassworks.conformance.openai.client import LENGTH, Client, lacks, optional, refused, same
from glassworks.conformance.target import Failed, NotOffered

_PATH = "/responses"
_FIELDS = (
    *("id", "object", "created_at", "status", "error", "incomplete_details", "instructions", "max_output_tokens"),
    *("model", "output", "parallel_tool_calls", "previous_response_id", "reasoning", "store", "temperature", "text"),
    *("tool_choice", "tools", "top_p", "truncation", "usage", "metadata"),
)
_ITEM = (
    *("response.output_item.added", "response.content_part.added", "response.output_text.delta"),
    *("response.output_text.done", "response.content_part.done", "response.output_item.done"),
)
"""What comes for a message, in this order."""
_ENDS = ("response.completed", "response.incomplete")


def o12_response(client: Client) -> None:
    """A response has a status, an output of one message with its text, and usage that adds up."""
    found = _asked(client)
    same((found["object"], found["model"]), ("response", client.model), "object and model")
    if found["status"] not in ("completed", "incomplete") or not found["id"]:
        raise Failed(f"id {found['id']!r}, status {found['status']!r}")
    message = _message(found)
    same((message["role"], message["content"][0]["type"]), ("assistant", "output_text"), "role and type")
    usage = found["usage"]
    same(usage["input_tokens"] + usage["output_tokens"], usage["total_tokens"], "total_tokens")


def o12_fields(client: Client) -> None:
    """A response has all fields that clients read, null where there is nothing (complaint 16)."""
    found = _asked(client)
    missing = [name for name in _FIELDS if name not in found]
    same(missing, [], "fields that are missing")
    for name in ("input_tokens_details", "output_tokens_details"):
        same(isinstance(found["usage"].get(name), dict), True, f"whether usage has {name}")


def o12_same_as_chat(client: Client) -> None:
    """The same greedy question has the same answer as in chat, and counts as many tokens."""
    client.require_chat()
    found = _asked(client)
    same(_text(found), client.greedy.text, "the answer")
    same(found["usage"]["input_tokens"], client.greedy.usage["prompt_tokens"], "input_tokens")


def o12_instructions(client: Client) -> None:
    """instructions are read: they count in input_tokens."""
    without = _asked(client)["usage"]["input_tokens"]
    found = _asked(client, instructions="Answer like a pirate on a very stormy day, in old words and in short ones.")
    if found["usage"]["input_tokens"] <= without:
        raise Failed(f"input_tokens {found['usage']['input_tokens']} with instructions, {without} without")


def o12_input_in_items(client: Client) -> None:
    """Input as a list of messages with parts is the same as a text."""
    parts = [{"type": "input_text", "text": client.prompt}]
    for item in ({"role": "user", "content": parts}, {"type": "message", "role": "user", "content": client.prompt}):
        same(_text(_asked(client, input=[item])), _text(_asked(client)), "the answer")


def o12_cut_by_the_limit(client: Client) -> None:
    """A response that is cut is incomplete, because of max_output_tokens, whole and streamed."""
    if client.long_greedy(18).finish != "length":
        raise NotOffered("the model ends its answers too early to cut them; name another with --model")
    found = _asked(client, max_output_tokens=16)
    same((found["status"], found["usage"]["output_tokens"]), ("incomplete", 16), "status and tokens")
    same(found["incomplete_details"], {"reason": "max_output_tokens"}, "incomplete_details")
    events = _events(_streamed(client, max_output_tokens=16))
    same(events[-1]["type"], "response.incomplete", "the last event")


def o12_events_are_numbered(client: Client) -> None:
    """Each event has its type as its name, and sequence_number from 0 on without a gap (complaint 16)."""
    stream = _streamed(client)
    found = _events(stream)
    same([each["sequence_number"] for each in found], list(range(len(found))), "sequence numbers")
    names = [event.name for event in stream.events if event.data != DONE]
    same(names, [each["type"] for each in found], "names of events")


def o12_events_are_complete(client: Client) -> None:
    """Each step has its event, in order: created, in_progress, the item and its part begun, deltas, all of them done,
    and the end (complaint 16)."""
    found = [each["type"] for each in _events(_streamed(client))]
    same(found[:2], ["response.created", "response.in_progress"], "the first two events")
    shortened = [name for at, name in enumerate(found) if name in _ITEM and (at == 0 or found[at - 1] != name)]
    same(shortened, list(_ITEM), "the events of the message")
    same(found[-1] in _ENDS and not set(found[:-1]) & set(_ENDS), True, "whether one end comes, and last")


def o12_deltas_are_the_whole(client: Client) -> None:
    """The deltas are the text of done, of the item and of the last event's response, which equals the whole one."""
    events = _events(_streamed(client))
    text = "".join(each["delta"] for each in events if each["type"] == "response.output_text.delta")
    whole = _asked(client)
    same(text, _text(whole), "the streamed text")
    same([each["text"] for each in events if each["type"] == "response.output_text.done"], [text], "the text of done")
    last = events[-1]["response"]
    same((_text(last), last["usage"]["output_tokens"]), (text, whole["usage"]["output_tokens"]), "the last response")
    ids = {each["item_id"] for each in events if "item_id" in each}
    same(ids, {_message(last)["id"]}, "ids of the item")


def o12_schema(client: Client) -> None:
    """text.format with a schema holds, as response_format in chat."""
    schema = {"type": "object", "properties": {"a": {"enum": ["b"]}}, "required": ["a"], "additionalProperties": False}
    form = {"format": {"type": "json_schema", "name": "answer", "strict": True, "schema": schema}}
    _asked(client)
    reply = _reply(client, text=form, max_output_tokens=60)
    found = _text(optional(reply, "text.format", "format", "schema").json)
    same("".join(found.split()), '{"a":"b"}', "the answer")


def o12_unknown_previous_response(client: Client) -> None:
    """A previous_response_id that is none is 400 or 404, not forgotten."""
    _asked(client)
    refused(_reply(client, previous_response_id="resp_no_such"), 400, 404)


def o12_wrong_requests(client: Client) -> None:
    """No input, a number for it, an unknown role and a wrong limit are 400."""
    _asked(client)
    for more in (
        {"input": ...},
        {"input": 5},
        {"input": [{"role": "wizard", "content": "a"}]},
        {"max_output_tokens": -7},
    ):
        refused(_reply(client, **more))


def _reply(client: Client, **more: Any) -> Any:
    given = {"model": client.model, "input": client.prompt, "temperature": 0, "max_output_tokens": LENGTH, **more}
    return client.ask(_PATH, {name: value for name, value in given.items() if value is not ...})


def _asked(client: Client, **more: Any) -> Any:
    words = ("not found", "no route", "support", "respons")
    if reason := client.remembered("responses", lambda: lacks(_reply(client), "/responses", *words)):
        raise NotOffered(reason)
    return _reply(client, **more).expect(200).json


def _streamed(client: Client, **more: Any) -> Stream:
    _asked(client)
    asked = {"model": client.model, "input": client.prompt, "temperature": 0, "max_output_tokens": LENGTH, **more}
    return client.streamed(_PATH, {**asked, "stream": True})


def _events(stream: Stream) -> list[Any]:
    return stream.chunks


def _message(response: Any) -> Any:
    (found,) = [item for item in response["output"] if item["type"] == "message"]
    return found


def _text(response: Any) -> str:
    return "".join(part["text"] for part in _message(response)["content"])
