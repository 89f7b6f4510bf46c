"""What a caller did wrong is a 4xx with a message, before any work is done; nothing is ignored in silence."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from glassworks.conformance.openai.client import Client, message_of, refused, said
from glassworks.conformance.raw import authority, connected
from glassworks.conformance.target import Failed, NotOffered, Reply

_CHAT = "/chat/completions"
_WORDS = 150_000
_TEBIBYTE = 2**40


@dataclass(frozen=True, kw_only=True)
class Case:
    """A request for chat with one thing wrong: 400, and the error names it."""

    name: str
    expects: str
    changes: Mapping[str, Any]
    names: Sequence[str] = ()
    group: str = field(default="O4", init=False)

    def __call__(self, client: Client) -> None:
        """Raise Failed unless it is refused."""
        client.require_chat()
        reply = client.ask(_CHAT, client.body(_CHAT, **self.changes))
        if reply.status == 200:
            raise Failed(f"answered with 200 as if nothing were wrong with {json.dumps(self.shown())[:120]}")
        refused(reply, names=self.names)

    def shown(self) -> dict[str, Any]:
        """What is wrong, for people."""
        return {name: "(nothing)" if value is ... else value for name, value in self.changes.items()}


def _wrong(name: str, expects: str, *names: str, **changes: Any) -> Case:
    return Case(name=name, expects=expects, changes=changes, names=names)


def _message(**message: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": "a", **message}]


_UNKNOWN = "no_such_parameter"
CASES = (
    _wrong("unknown_parameter", "an unknown parameter is 400 by its name", _UNKNOWN, no_such_parameter=1),
    _wrong("no_messages", "so are missing messages", "messages", messages=...),
    _wrong("empty_messages", "so are empty messages", messages=[]),
    _wrong("messages_that_are_a_text", "so are messages that are a text", messages="a"),
    _wrong("message_that_is_a_text", "so is a message that is a text", messages=["a"]),
    _wrong("wrong_role", "so is an unknown role", messages=_message(role="wizard")),
    _wrong("no_role", "so is a message without a role", messages=[{"content": "a"}]),
    _wrong("no_content", "so is a user's message without content", messages=[{"role": "user"}]),
    _wrong("content_that_is_a_number", "so is content that is a number", messages=_message(content=1)),
    _wrong("max_tokens_below_0", "so is max_tokens below 0", max_tokens=-7),
    _wrong("max_tokens_that_is_a_text", "so is max_tokens that is a text", max_tokens="many"),
    _wrong("max_tokens_with_a_fraction", "so is max_tokens with a fraction", max_tokens=1.5),
    _wrong("temperature_below_0", "so is a temperature below 0", temperature=-1),
    _wrong("temperature_that_is_a_text", "so is a temperature that is a text", temperature="hot"),
    _wrong("top_p_above_1", "so is top_p above 1", top_p=1.5),
    _wrong("n_of_0", "so is n of 0", n=0),
    _wrong("n_that_is_a_text", "so is n that is a text", n="two"),
    _wrong("stop_that_is_a_number", "so is stop that is a number", stop=5),
    _wrong("stream_that_is_a_text", "so is stream that is a text", stream="yes please"),
    _wrong("seed_that_is_a_text", "so is a seed that is a text", seed="lucky"),
    _wrong("frequency_penalty_above_2", "so is frequency_penalty above 2", frequency_penalty=2.5),
    _wrong("presence_penalty_below_2", "so is presence_penalty below -2", presence_penalty=-2.5),
    _wrong("logit_bias_above_100", "so is logit_bias above 100", logit_bias={"45": 101}),
    _wrong("logit_bias_of_no_token", "so is logit_bias of what is no token", logit_bias={"word": 1}),
    _wrong("logit_bias_of_a_token_too_far", "so is one of a token behind the last", logit_bias={"99999999": 1}),
    _wrong("top_logprobs_below_0", "so is top_logprobs below 0", logprobs=True, top_logprobs=-1),
    _wrong("top_logprobs_of_1000000", "so is top_logprobs of a million", logprobs=True, top_logprobs=1_000_000),
    _wrong("top_logprobs_alone", "so is top_logprobs without logprobs", top_logprobs=2),
    _wrong("stream_options_alone", "so are stream_options without stream", stream_options={"include_usage": True}),
    _wrong("response_format_unknown", "so is an unknown response_format", response_format={"type": "poem"}),
    _wrong("response_format_text", "so is a response_format that is a text", response_format="json"),
)


def o4_unknown_parameter_elsewhere(client: Client) -> None:
    """An unknown parameter is 400 by its name in completions, embeddings and responses too, where they are offered."""
    for path, asked in (
        ("/completions", {"prompt": "a", "max_tokens": 1}),
        ("/embeddings", {"input": "a"}),
        ("/responses", {"input": "a", "max_output_tokens": 16}),
    ):
        if client.ask(path, {"model": client.model, **asked}).status == 200:
            refused(client.ask(path, {"model": client.model, **asked, _UNKNOWN: 1}), names=(_UNKNOWN,))


def o4_refused_before_a_stream(client: Client) -> None:
    """A stream that is refused is a 400 with JSON, not a stream that ends at once."""
    client.require_chat()
    reply = client.ask(_CHAT, client.body(_CHAT, stream=True, messages=[]))
    _json(refused(reply))


def o4_malformed_json(client: Client) -> None:
    """A body that is no JSON, an empty one or none of an object is 400 with the envelope."""
    for content in (b"{", b"", b"[]", b'"a"', b"\xff\xfe", b'{"model": "a",}'):
        headers = {"Content-Type": "application/json"}
        _json(refused(client.send("POST", client.prefix + _CHAT, content, headers)))


def o4_envelope(client: Client) -> None:
    """An error has message, type, param and code, each a text or null, as application/json."""
    client.require_chat()
    reply = client.ask(_CHAT, client.body(_CHAT, messages=[]))
    _json(refused(reply))
    error = reply.json["error"]
    if not {"message", "type", "param", "code"} <= set(error) or not isinstance(error["type"], str):
        raise Failed(f"the error has {error}")
    if any(error[name] is not None and not isinstance(error[name], str) for name in ("param", "code")):
        raise Failed(f"param {error['param']!r} and code {error['code']!r} are neither texts nor null")


def o4_unknown_route(client: Client) -> None:
    """A route that is none is 404 with the envelope."""
    refused(client.fetch("/no/such/route"), 404)


def o4_wrong_verb(client: Client) -> None:
    """GET where only POST is known is 405, or 404, with the envelope."""
    refused(client.fetch(_CHAT), 404, 405)


def o4_prompt_longer_than_the_context(client: Client) -> None:
    """A prompt longer than the context is 400 with the code context_length_exceeded and both counts, and is never
    cut (complaint 10)."""
    client.require_chat()
    too_long(client, _CHAT, messages=said("a " * _WORDS))


def o4_prompt_longer_than_the_context_in_a_stream(client: Client) -> None:
    """So it is where a stream was asked for, as JSON (complaint 10)."""
    client.require_chat()
    _json(too_long(client, _CHAT, messages=said("a " * _WORDS), stream=True))


def o4_body_over_the_limit(client: Client) -> None:
    """A body that claims a tebibyte is refused with 413, or 400, and not waited for."""
    lines = (
        f"POST {client.prefix}{_CHAT} HTTP/1.1",
        f"Host: {authority(client)}",
        *([f"Authorization: Bearer {client.key}"] if client.key else []),
        "Content-Type: application/json",
        f"Content-Length: {_TEBIBYTE}",
    )
    with connected(client) as wire:
        wire.settimeout(client.grace)
        with contextlib.suppress(ConnectionError):
            wire.sendall("\r\n".join([*lines, "", "{"]).encode() + b" " * 65_536)
        try:
            head = wire.recv(65_536)
        except TimeoutError:
            raise Failed(f"no answer within {client.grace} s: the body of a tebibyte is waited for") from None
        except ConnectionError:
            head = b""
    if head.split(b" ")[1:2] not in ([b"413"], [b"400"]):
        raise Failed(f"the answer is {head[:80]!r}")


def too_long(client: Client, path: str, **asked: Any) -> Reply:
    """The refusal of a prompt that is too long. Raises Failed where it is cut, NotOffered where it is not too long."""
    reply = client.ask(path, client.body(path, max_tokens=1, **asked))
    if reply.status == 200 and not asked.get("stream") and reply.json["usage"]["prompt_tokens"] >= _WORDS // 2:
        raise NotOffered(f"the context is longer than {_WORDS} words")
    if reply.status == 200:
        raise Failed(f"{_WORDS} words are answered with 200: {reply.body[-160:]!r}")
    error = refused(reply).json["error"]
    if error.get("code") != "context_length_exceeded":
        raise Failed(f"the code is {error.get('code')!r}: {error['message'][:160]!r}")
    if sum(any(each.isdigit() for each in word) for word in message_of(reply).split()) < 2:
        raise Failed(f"the message does not say both counts: {error['message'][:160]!r}")
    return reply


def _json(reply: Reply) -> None:
    if not reply.headers.get("content-type", "").startswith("application/json"):
        raise Failed(f"the error comes as {reply.headers.get('content-type')!r}")
