"""Streams of chat: their framing, that their parts are the whole answer, when they come, and what a hang-up frees."""

from __future__ import annotations

import json
from typing import Any

from glassworks.conformance.openai.answers import DONE
from glassworks.conformance.openai.checks.sampling import stops
from glassworks.conformance.openai.client import Client, optional, said, same
from glassworks.conformance.target import Failed, NotOffered

_CHAT = "/chat/completions"
_LONG = 64
_ENDLESS = (4000, 1000, 200)
_HUNG_UP = 4
SIGNS = "你好，世界 🙂👩‍👩‍👧 é"
"""Characters of one, two, three and four bytes, and one of five code points."""


def o5_headers(client: Client) -> None:
    """A stream is text/event-stream, of no given length, not compressed, and not to be cached."""
    headers = client.stream().headers
    if not headers.get("content-type", "").startswith("text/event-stream"):
        raise Failed(f"content-type {headers.get('content-type')!r}")
    if "content-length" in headers or "content-encoding" in headers:
        raise Failed("the answer has a length or an encoding, so it was put together before it was sent")


def o5_chunks(client: Client) -> None:
    """All chunks are chat.completion.chunk with one id, one created and the model that was asked."""
    found = client.stream().chunks
    for name in ("id", "created", "model"):
        same(len({chunk[name] for chunk in found}), 1, f"number of different {name}")
    same({chunk["object"] for chunk in found}, {"chat.completion.chunk"}, "object")
    same(found[0]["model"], client.model, "model")


def o5_first_delta_has_the_role(client: Client) -> None:
    """The first delta says that the assistant speaks."""
    same(client.stream().choices()[0]["delta"].get("role"), "assistant", "role of the first delta")


def o5_done_once_and_last(client: Client) -> None:
    """[DONE] comes once, and nothing behind it."""
    same([event.data == DONE for event in client.stream().events][-2:], [False, True], "whether the last two are DONE")
    same(sum(event.data == DONE for event in client.stream().events), 1, "how many DONE")


def o5_parts_are_the_whole(client: Client) -> None:
    """The parts put together are the whole answer, to the letter."""
    same(client.stream().text(), client.greedy.text, "the streamed answer")


def o5_one_finish_reason(client: Client) -> None:
    """finish_reason comes exactly once, in the last chunk that has a choice, and is that of the whole answer
    (complaint 3)."""
    for count in (3, _LONG):
        found = client.stream(max_tokens=count)
        same(found.finishes(), [client.chat(max_tokens=count).finish], "finish_reason")
        same(found.choices()[-1]["finish_reason"], found.finishes()[0], "finish_reason of the last chunk with a choice")


def o5_usage_where_asked_for(client: Client) -> None:
    """With include_usage the last chunk has usage and no choices, all others null; usage is that of the whole."""
    found = client.stream(stream_options={"include_usage": True}).chunks
    same(found[-1]["choices"], [], "choices of the last chunk")
    if any(chunk.get("usage") for chunk in found[:-1]):
        raise Failed("a chunk before the last has usage")
    whole = client.greedy.usage
    for name in ("prompt_tokens", "completion_tokens", "total_tokens"):
        same(found[-1]["usage"][name], whole[name], name)
    details = "prompt_tokens_details"
    same(details in found[-1]["usage"], details in whole, "whether the stream tells of cached tokens (complaint 14)")


def o5_usage_only_where_asked_for(client: Client) -> None:
    """Without include_usage no chunk is without a choice."""
    if any(not chunk["choices"] for chunk in client.stream().chunks):
        raise Failed("a chunk has no choices, and usage was not asked for")


def o5_stop(client: Client) -> None:
    """No stop string is in a stream, not in part either: it is the whole answer, wherever the string begins
    (complaint 1)."""
    text = client.long_greedy(4, 8).text
    for stop in stops(text):
        found = client.stream(stop=stop)
        same(found.text(), text[: text.index(stop)], f"the streamed answer up to {stop!r}")
        same(found.finishes(), ["stop"], "finish_reason")


def o5_almost_a_stop(client: Client) -> None:
    """What only begins like a stop string comes, at the end of the stream too (complaint 1)."""
    text = client.long_greedy(4, 8).text
    for stop in (text[3:6] + "\u0001", text[-3:] + "\u0001"):
        same(client.stream(stop=stop).text(), text, f"the streamed answer without {stop!r} in it")


def o5_n(client: Client) -> None:
    """A stream of two choices has both, each with its index and its end."""
    asked = client.body(_CHAT, messages=said(client.prompt), n=2)
    optional(client.ask(_CHAT, asked), "n", "n ", "'n'", "choices")
    found = client.stream(n=2)
    for index in (0, 1):
        same(found.text(index), client.greedy.text, f"choice {index}")
        same(found.finishes(index), [client.greedy.finish], f"finish_reason of choice {index}")


def o5_no_broken_character(client: Client) -> None:
    """Characters of several bytes come whole: a schema makes the model write some, and none is U+FFFD (complaint 4)."""
    schema = {"type": "object", "properties": {"a": {"const": SIGNS}}, "required": ["a"], "additionalProperties": False}
    form = {"type": "json_schema", "json_schema": {"name": "signs", "strict": True, "schema": schema}}
    more: dict[str, Any] = {"messages": said(SIGNS), "response_format": form, "max_tokens": 150}
    optional(client.ask(_CHAT, client.body(_CHAT, **more)), "response_format", "response_format", "schema")
    found = client.stream(**more)
    if "\ufffd" in found.text():
        raise Failed(f"the stream has U+FFFD: {found.text()!r}")
    same(json.loads(found.text()), {"a": SIGNS}, "what the schema demands")
    same(client.chat(**more).text, found.text(), "the whole answer")


def o5_any_bytes(client: Client) -> None:
    """Whatever bytes a hot model writes, the stream goes on to its end and is the whole answer (complaint 4)."""
    ends = 0
    for seed in range(4):
        more: dict[str, Any] = {"messages": said("你好 🙂"), "temperature": 2, "seed": seed, "max_tokens": 32}
        whole = client.chat(**more)
        if client.chat(**more).text != whole.text:
            raise NotOffered("seeds do not repeat, so that a hot answer cannot be compared with its stream")
        found = client.stream(**more)
        same(found.text(), whole.text, f"the streamed answer to seed {seed}")
        same(found.finishes(), [whole.finish], f"finish_reason of seed {seed}")
        ends += 1
    same(ends, 4, "answers with an end")


def o5_comes_over_time(client: Client) -> None:
    """Parts come when they are generated, not in one burst at the end."""
    client.long_greedy(4)
    found = client.stream(max_tokens=_LONG)
    times = [event.at for event, chunk in zip(found.events, found.chunks, strict=False) if _says(chunk)]
    if len(times) < 2:
        raise Failed(f"{_LONG} tokens came in {len(times)} part(s)")
    if found.seconds > client.grace / 6 and times[0] > 0.8 * found.seconds:
        raise Failed(f"the first part came after {times[0]:.2f} s of {found.seconds:.2f} s")


def o5_a_hang_up_ends_a_stream(client: Client) -> None:
    """Clients that leave in mid-stream free the server for the next one (complaint 5)."""
    _hung_up(client, stream=True)


def o5_a_hang_up_ends_an_answer(client: Client) -> None:
    """So do clients that leave before a whole answer (complaint 5)."""
    _hung_up(client, stream=False)


def _says(chunk: Any) -> bool:
    return any((choice.get("delta") or {}).get("content") for choice in chunk.get("choices", ()))


def _hung_up(client: Client, *, stream: bool) -> None:
    """Leave long answers, and see that all of it takes no longer than as many short ones, but for a grace."""
    client.long_greedy(4)
    alone = _seconds(client)  # before the first client leaves
    endless = _endless(client)
    _seconds(client)  # what was asked to find that out does not count
    started = client.clock()
    for number in range(_HUNG_UP):
        asked = client.body(_CHAT, messages=said(f"{number} {client.prompt}"), **endless, stream=stream)
        client.hang_up(_CHAT, asked, None if stream else alone / 4)
    _seconds(client)
    took, allowed = client.clock() - started, (_HUNG_UP + 1) * alone + client.grace
    if took > allowed:
        raise Failed(f"{_HUNG_UP} clients that left and a short answer took {took:.1f} s; {allowed:.1f} s are enough")


def _endless(client: Client) -> dict[str, Any]:
    """As many tokens as the context allows, and a length that an answer keeps. Raises NotOffered."""
    for count in _ENDLESS:
        more: dict[str, Any] = {"max_tokens": count}
        if client.hang_up(_CHAT, client.body(_CHAT, messages=said(client.prompt), stream=True, **more)) == 200:
            return more
    raise NotOffered(f"no answer of {_ENDLESS[-1]} tokens is allowed")


def _seconds(client: Client) -> float:
    started = client.clock()
    client.chat(max_tokens=8)
    return client.clock() - started
