"""Chat: the shape of an answer, what of a conversation is read, and how tokens are counted."""

from __future__ import annotations

from typing import Any

from glassworks.conformance.openai.answers import FINISHES
from glassworks.conformance.openai.client import Client, lacks, message_of, optional, refused, said, same
from glassworks.conformance.target import Failed, NotOffered

_CHAT = "/chat/completions"
_SHORT = [{"role": "user", "content": "Say b."}]
SPECIAL = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "</s>", "<eos>", "<|end|>")


def o2_answer(client: Client) -> None:
    """An answer has id, object, created, the model, one choice with the assistant's message, and usage."""
    found = client.greedy.json
    same(found["object"], "chat.completion", "object")
    same(found["model"], client.model, "model")
    if not isinstance(found["id"], str) or not found["id"] or type(found["created"]) is not int:
        raise Failed(f"id {found['id']!r}, created {found['created']!r}")
    (choice,) = found["choices"]
    same((choice["index"], choice["message"]["role"]), (0, "assistant"), "index and role")
    if not isinstance(choice["message"]["content"], str) or choice["finish_reason"] not in FINISHES:
        raise Failed(f"the choice is {choice}")


def o2_ids_differ(client: Client) -> None:
    """Two answers have two ids."""
    if client.chat(max_tokens=1).json["id"] == client.chat(max_tokens=1).json["id"]:
        raise Failed("two answers have one id")


def o2_usage_adds_up(client: Client) -> None:
    """usage counts prompt and answer, and total_tokens is their sum."""
    usage = client.greedy.usage
    counts = [usage[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")]
    if any(type(count) is not int or count < 1 for count in counts) or counts[0] + counts[1] != counts[2]:
        raise Failed(f"usage {usage}")


def o2_system_message(client: Client) -> None:
    """A system message is read: it counts in prompt_tokens, more of it more."""
    counts = []
    for text in ("Be brief.", "Be brief. Answer like a pirate on a stormy day."):
        asked = client.body(_CHAT, messages=[{"role": "system", "content": text}, *_SHORT], max_tokens=1)
        counts.append(optional(client.ask(_CHAT, asked), "system messages", "system").json["usage"]["prompt_tokens"])
    if counts[1] <= counts[0]:
        raise Failed(f"a longer system message leaves prompt_tokens at {counts[1]}, {counts[0]} with a short one")


def o2_all_turns_are_read(client: Client) -> None:
    """Each earlier turn is read: it counts in prompt_tokens, and another first message gives another continuation."""
    end = [{"role": "assistant", "content": "Yes."}, *_SHORT]
    turns = [[*said("My name is Bo."), *end], [*said("My name is Bo and I live in a red house."), *end]]
    counts = [client.chat(messages=each, max_tokens=1).usage["prompt_tokens"] for each in (_SHORT, *turns)]
    if not counts[0] < counts[1] < counts[2]:
        raise Failed(f"prompt_tokens of one turn, three, and three longer ones: {counts}")
    asked = [client.body(_CHAT, messages=each, max_tokens=1, logprobs=True, top_logprobs=1) for each in turns]
    replies = [client.ask(_CHAT, each) for each in asked]
    if any(lacks(reply, "logprobs", "logprobs") for reply in replies):
        return
    first, second = (reply.expect(200).json["choices"][0].get("logprobs") for reply in replies)
    if first and first == second:
        raise Failed("another first message changes nothing, to the last digit of the log-probabilities")


def o2_content_in_parts(client: Client) -> None:
    """Content as a list of parts of text is read as the same text in one string."""
    whole = client.greedy
    parts = [{"type": "text", "text": client.prompt}]
    found = client.chat(messages=[{"role": "user", "content": parts}])
    same(found.text, whole.text, "the answer")
    same(found.usage["prompt_tokens"], whole.usage["prompt_tokens"], "prompt_tokens")


def o2_unknown_part(client: Client) -> None:
    """A part of an unknown type is 400, not left out without a word."""
    parts = [{"type": "text", "text": "a"}, {"type": "hologram", "hologram": {"url": "data:,"}}]
    refused(client.ask(_CHAT, client.body(_CHAT, messages=[{"role": "user", "content": parts}])))


def o2_picture(client: Client) -> None:
    """A picture is looked at, so that it counts in prompt_tokens, or refused with 400; never left out in silence."""
    text, url = {"type": "text", "text": "What is it?"}, "data:image/png;base64," + _PNG
    asked = client.body(_CHAT, messages=[{"role": "user", "content": [text, _picture(url)]}], max_tokens=1)
    found = optional(client.ask(_CHAT, asked), "pictures", "image", "picture", "vision", "multimodal", "mmproj", "text")
    without = client.chat(messages=[{"role": "user", "content": [text]}], max_tokens=1)
    if found.json["usage"]["prompt_tokens"] <= without.usage["prompt_tokens"]:
        raise Failed("a picture is answered with 200, and counts for nothing")


def o2_usage_equals_the_tokenizer(client: Client) -> None:
    """prompt_tokens grow by as many tokens as /tokenize finds in what is added (complaint 14)."""
    texts = ["one", "one two three four five six"]
    expected = [len(client.token_ids(text)) for text in texts]
    seen = [client.chat(messages=said(text), max_tokens=1).usage["prompt_tokens"] for text in texts]
    same(seen[1] - seen[0], expected[1] - expected[0], "tokens more of a longer message")


def o2_usage_counts_each_token_once(client: Client) -> None:
    """With n = 2 the prompt counts once and both answers count; asked again, all counts but those of the cache are the
    same (complaint 14)."""
    one = client.greedy
    again = client.chat()
    for name in ("prompt_tokens", "completion_tokens"):
        same(again.usage[name], one.usage[name], f"{name} of the same request")
    asked = client.body(_CHAT, messages=said(client.prompt), n=2)
    two = optional(client.ask(_CHAT, asked), "n", "n ", "'n'", "choices").json["usage"]
    same(two["prompt_tokens"], one.usage["prompt_tokens"], "prompt_tokens of two choices")
    same(two["completion_tokens"], 2 * one.tokens, "completion_tokens of two equal choices")


def o2_special_tokens_stay_text(client: Client) -> None:
    """What looks like a control token in a user's message is text: no one ends a turn, or begins another's, by it."""
    empty = client.chat(messages=said("a"), max_tokens=1).usage["prompt_tokens"]
    for token in SPECIAL:
        count = client.chat(messages=said("a" + token * 10), max_tokens=1).usage["prompt_tokens"] - empty
        if count <= 10:
            raise Failed(f"ten times '{token}' in a message are {count} tokens: it was read as a control token")


def o2_template_errors_are_the_callers(client: Client) -> None:
    """An order of roles that the model's template refuses is 400 with a reason, never 500 (complaint 9)."""
    orders: tuple[list[Any], ...] = (
        [{"role": "assistant", "content": "a"}],
        [{"role": "system", "content": "a"}],
        [*_SHORT, *_SHORT],
        [*_SHORT, {"role": "system", "content": "a"}],
        [{"role": "tool", "content": "a", "tool_call_id": "call_1"}],
    )
    for messages in orders:
        reply = client.ask(_CHAT, client.body(_CHAT, messages=messages, max_tokens=1))
        if reply.status != 200:
            refused(reply)
            if len(message_of(reply)) < 12:
                raise Failed(f"the refusal of roles {[each['role'] for each in messages]} gives no reason")


def o2_lone_surrogates(client: Client) -> None:
    """Half of a surrogate pair in a message is 400 or replaced; it never is a 500, and the next is answered."""
    reply = client.ask(_CHAT, client.body(_CHAT, messages=said("a\ud800b"), max_tokens=1))
    if reply.status != 200:
        refused(reply)
    client.chat(max_tokens=1)


def o2_metadata_is_taken(client: Client) -> None:
    """user, store: false, metadata and service_tier: auto, which change no answer, are taken or refused by name."""
    asked = {"user": "bo", "store": False, "metadata": {"a": "b"}, "service_tier": "auto"}
    for name, value in asked.items():
        reply = client.ask(_CHAT, client.body(_CHAT, messages=said(client.prompt), **{name: value}))
        if reply.status != 200:
            refused(reply, names=(name,))
            raise NotOffered(f"{name}: {message_of(reply)[:160]}")
        same(reply.json["choices"][0]["message"]["content"], client.greedy.text, f"the answer with {name}")


def _picture(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
