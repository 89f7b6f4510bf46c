"""Models: what is listed can be asked, what is not listed is not found, and none answers for another."""

from __future__ import annotations

import datetime
import secrets

from glassworks.conformance.openai.client import Client, model_path, refused, said, same
from glassworks.conformance.target import Failed, NotOffered, Reply

_ASKED = 4


def o1_list(client: Client) -> None:
    """GET /models is a list of objects with id, object, created and owned_by, and no id comes twice."""
    found = client.fetch("/models").expect(200).json
    same(found.get("object"), "list", "object")
    for each in found["data"]:
        if each.get("object") != "model" or not isinstance(each.get("created"), int):
            raise Failed(f"an entry is no model: {each}")
        if not all(isinstance(each.get(name), str) and each[name] for name in ("id", "owned_by")):
            raise Failed(f"an entry lacks id or owned_by: {each}")
    ids = [each["id"] for each in found["data"]]
    same(len(ids), len(set(ids)), "number of different ids")


def o1_retrieve(client: Client) -> None:
    """GET /models/ID is the entry of the list."""
    for each in client.fetch("/models").expect(200).json["data"][:_ASKED]:
        found = client.fetch(model_path(each["id"])).expect(200).json
        same({name: found.get(name) for name in ("id", "object")}, {"id": each["id"], "object": "model"}, "the model")


def o1_shutdown_date(client: Client) -> None:
    """shutdown_date, where an entry has one, is null or a date."""
    for each in client.fetch("/models").expect(200).json["data"]:
        if each.get("shutdown_date") is not None:
            datetime.date.fromisoformat(each["shutdown_date"][:10])


def o1_every_listed_model_is_known(client: Client) -> None:
    """An id that is listed, a fine-tuned one or an alias as well, is not answered with 404 everywhere."""
    for name in client.models[:_ASKED]:
        asked = {"model": name, "messages": said("a"), "max_tokens": 1}
        replies = (
            client.ask("/chat/completions", asked),
            client.ask("/completions", {"model": name, "prompt": "a", "max_tokens": 1}),
            client.ask("/embeddings", {"model": name, "input": "a"}),
        )
        if not any(_knows(reply) for reply in replies):
            raise Failed(f"'{name}' is listed and cannot be asked: statuses {[reply.status for reply in replies]}")


def o1_unknown_model_is_not_retrieved(client: Client) -> None:
    """GET /models/ID of a model that is not there is 404 with the code model_not_found."""
    _not_found(client.fetch(model_path("no-such-model")))


def o1_unknown_model_does_not_answer(client: Client) -> None:
    """A request for a model that is not there is 404 with the code model_not_found, never answered by another one."""
    _not_found(client.ask("/chat/completions", client.body("/chat/completions", model="no-such-model")))


def o1_unknown_adapter_does_not_answer(client: Client) -> None:
    """Neither does the base model answer for an adapter or a fine-tuned model that is not there (complaint 13)."""
    for name in (f"{client.model}:no-such-adapter", f"ft:{client.model}:none::none"):
        _not_found(client.ask("/chat/completions", client.body("/chat/completions", model=name)))


def o1_no_model(client: Client) -> None:
    """A request without a model is 400 that names it."""
    refused(client.ask("/chat/completions", client.body("/chat/completions", model=...)), names=("model",))


def o1_models_do_not_share_a_cache(client: Client) -> None:
    """What one model has read is not taken from the cache for another one, and its own answer stays (complaint 12)."""
    # Names of one model answer alike, and may share.
    answers = {name: client.chat(model=name).text for name in client.models[:_ASKED] if _answers(client, name)}
    names = list({text: name for name, text in reversed(answers.items())}.values())[:2]
    if len(names) < 2:
        raise NotOffered("fewer than two models that answer chat, each in its own way, are listed")
    # What comes first is new, so that nothing of this prompt can be in a cache.
    text = f"{secrets.token_hex(8)} {client.prompt} {client.prompt}"
    one, other, again = (client.chat(model=name, messages=said(text)) for name in (*names, names[0]))
    cached = (other.usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    shared = (one.usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    if cached > shared:
        raise Failed(f"{cached} tokens of a new prompt come from the cache for {names[1]} after {names[0]} read them")
    same(again.text, one.text, f"the answer of {names[0]} after {names[1]} was asked the same")


def _answers(client: Client, name: str) -> bool:
    return client.ask("/chat/completions", client.body("/chat/completions", model=name, max_tokens=1)).status == 200


def _knows(reply: Reply) -> bool:
    return reply.status != 404 or "model_not_found" not in reply.body.decode(errors="replace")


def _not_found(reply: Reply) -> None:
    error = refused(reply, 404).json["error"]
    same(error.get("code"), "model_not_found", "the code")
