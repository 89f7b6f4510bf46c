"""Who may ask, and what each answer says of itself: keys, request ids, limits."""

from __future__ import annotations

import dataclasses
import re

from glassworks.conformance.openai.client import Client, refused, said, same
from glassworks.conformance.target import Failed, NotOffered

_CHAT = "/chat/completions"
_LIMITS = re.compile(r"x-ratelimit-(limit|remaining)-(requests|tokens)")


def o11_no_key(client: Client) -> None:
    """Where a key was given to the suite, an answer without one is 401 with the envelope, streams as well."""
    _refused(_with(client, None), "invalid_api_key", "")


def o11_wrong_key(client: Client) -> None:
    """So is one with a key that is none, with the code invalid_api_key."""
    _refused(_with(client, "sk-no-such-key"), "invalid_api_key")


def o11_request_id(client: Client) -> None:
    """Each answer has an x-request-id of its own, errors and streams too."""
    asked = client.body(_CHAT, messages=said("a"), max_tokens=1)
    replies = [client.fetch("/models"), client.ask(_CHAT, asked), client.ask(_CHAT, {**asked, "messages": 5})]
    headers = [*(reply.headers for reply in replies), client.stream(max_tokens=1).headers]
    found = [each.get("x-request-id") for each in headers]
    if not all(found):
        raise Failed(f"x-request-id of models, chat, an error and a stream: {found}")
    same(len(set(found)), len(found), "number of different ids")


def o11_rate_limits(client: Client) -> None:
    """x-ratelimit headers, where there are some, are whole numbers, and what remains is at most the limit."""
    reply = client.ask(_CHAT, client.body(_CHAT, messages=said("a"), max_tokens=1))
    found = {name: value for name, value in reply.headers.items() if _LIMITS.fullmatch(name)}
    if not found:
        raise NotOffered("no x-ratelimit headers")
    for name, value in found.items():
        limit = found.get(name.replace("remaining", "limit"), value)
        if not value.isdecimal() or int(value) > int(limit):
            raise Failed(f"{name}: {value}")


def _with(client: Client, key: str | None) -> Client:
    if client.key is None:
        raise NotOffered("no key was given: --key KEY")
    return dataclasses.replace(client, key=key, name=client.model, _state={})


def _refused(client: Client, *codes: str) -> None:
    for stream in (False, True):
        error = refused(client.ask(_CHAT, client.body(_CHAT, stream=stream)), 401).json["error"]
        if (error.get("code") or "") not in codes:
            raise Failed(f"the code is {error.get('code')!r}")
