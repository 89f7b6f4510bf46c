"""Sampling and ends: greedy answers repeat, seeds repeat, limits are exact, stop strings end an answer and are not in
it."""

from __future__ import annotations

import secrets
from functools import partial
from typing import Any

from glassworks.conformance.openai.client import LENGTH, Client, optional, said, same, together
from glassworks.conformance.target import Failed, NotOffered

_CHAT = "/chat/completions"
_HOT: dict[str, Any] = {"temperature": 1.5, "max_tokens": 16}
_ONE, _OTHER = "45", "50"
"""Two token ids that each vocabulary has."""


def o3_greedy_repeats(client: Client) -> None:
    """At temperature 0 the same request has the same answer, three times."""
    for _ in range(2):
        same(client.chat().text, client.greedy.text, "the answer")


def o3_greedy_repeats_cold_warm_and_beside_others(client: Client) -> None:
    """A new prompt's greedy answer is the same cold, from a warm cache, and among four others (complaint 15)."""
    text = f"{secrets.token_hex(6)} {client.prompt}"
    cold, warm = client.chat(messages=said(text)), client.chat(messages=said(text))
    same(warm.text, cold.text, "the answer from a warm cache")
    others = [said(f"{number} {client.prompt}") for number in range(4)]
    found = together(*(partial(client.chat, messages=each) for each in (said(text), *others)))
    same(found[0].text, cold.text, "the answer among four others")


def o3_seed(client: Client) -> None:
    """With a seed a hot answer repeats, in chat whole and in streams, and other seeds give others."""
    asked = client.body(_CHAT, messages=said(client.prompt), seed=1, **_HOT)
    first = optional(client.ask(_CHAT, asked), "seed").json["choices"][0]["message"]["content"]
    same(client.chat(seed=1, **_HOT).text, first, "the answer to the same seed")
    same(client.stream(seed=1, **_HOT).text(), first, "the streamed answer to the same seed")
    if {first} == {client.chat(seed=seed, **_HOT).text for seed in (2, 3, 4, 5)}:
        raise Failed(f"five seeds at temperature {_HOT['temperature']} give one answer: {first[:80]!r}")


def o3_small_top_p_is_greedy(client: Client) -> None:
    """With a tiny top_p a hot answer is the greedy one."""
    for seed in (1, 2):
        found = client.chat(temperature=1, top_p=1e-6, seed=seed)
        same(found.text, client.greedy.text, "the answer at top_p 0.000001")


def o3_max_tokens(client: Client) -> None:
    """max_tokens is exact: as many tokens, finish_reason length, and the beginning of the longer answer."""
    _exact(client, "max_tokens")


def o3_max_completion_tokens(client: Client) -> None:
    """So is max_completion_tokens."""
    _exact(client, "max_completion_tokens")


def o3_stop(client: Client) -> None:
    """A stop string ends the answer before it, with finish_reason stop, wherever in a token it begins."""
    text = client.long_greedy(4, 8).text
    for stop in stops(text):
        found = client.chat(stop=stop)
        same(found.text, text[: text.index(stop)], f"the answer up to {stop!r}")
        same(found.finish, "stop", "finish_reason")


def o3_stop_of_four(client: Client) -> None:
    """Of four stop strings the first that comes ends it; null and none change nothing."""
    text = client.long_greedy(4, 8).text
    stop = [text[6:8], "\u0001none", "\u0001nor", "\u0001this"]
    same(client.chat(stop=stop).text, text[: text.index(stop[0])], "the answer up to one of four")
    same([client.chat(stop=None).text, client.chat(stop=[]).text], [text, text], "the answers with no stop strings")


def o3_almost_a_stop(client: Client) -> None:
    """What only begins like a stop string stays in the answer, at its end too (complaint 1)."""
    text = client.long_greedy(4, 8).text
    for stop in (text[3:6] + "\u0001", text[-3:] + "\u0001"):
        same(client.chat(stop=stop).text, text, f"the answer without {stop!r} in it")


def o3_n(client: Client) -> None:
    """n choices have the indexes 0 to n - 1; hot ones differ, greedy ones do not."""
    asked = client.body(_CHAT, messages=said(client.prompt), n=3, seed=1, **_HOT)
    choices = optional(client.ask(_CHAT, asked), "n", "n ", "'n'", "choices").json["choices"]
    same(sorted(each["index"] for each in choices), [0, 1, 2], "indexes")
    if len({each["message"]["content"] for each in choices}) == 1:
        raise Failed("three hot choices are one and the same")
    greedy = {each["message"]["content"] for each in client.chat(n=2).choices}
    same(greedy, {client.greedy.text}, "two greedy choices")


def o3_logit_bias_forces(client: Client) -> None:
    """logit_bias 100 makes a token come, and nothing else."""
    for token in (_ONE, _OTHER):
        _forced(client, token)
    if _forced(client, _ONE) == _forced(client, _OTHER):
        raise Failed("two tokens that are forced give one text")


def o3_logit_bias_bans(client: Client) -> None:
    """logit_bias -100 keeps tokens out: without those of its greedy answer it is another one."""
    text = client.long_greedy(4, 8).text
    banned = {str(each): -100 for each in client.token_ids(text)}
    asked = client.body(_CHAT, messages=said(client.prompt), logit_bias=banned)
    found = optional(client.ask(_CHAT, asked), "logit_bias").json["choices"][0]["message"]["content"]
    if found[:4] == text[:4]:
        raise Failed(f"with its tokens banned the answer begins as before: {found[:80]!r}")


def o3_frequency_penalty(client: Client) -> None:
    """frequency_penalty 2 makes an answer that would repeat one token change to another one."""
    bias = {_ONE: 100, _OTHER: 80}
    texts = {_forced(client, token)[:1] for token in bias}
    asked = client.body(_CHAT, messages=said("a"), max_tokens=32, frequency_penalty=2, logit_bias=bias)
    found = optional(client.ask(_CHAT, asked), "frequency_penalty", "penalty").json["choices"][0]["message"]["content"]
    if len(texts) == 2 and len(set(found)) < 2:
        raise Failed(f"of two tokens that are forced, one a little more, that one is repeated without end: {found!r}")


def stops(text: str) -> list[str]:
    """Stop strings of one to five characters from inside a text, some of which begin within a token."""
    middle = len(text) // 2
    found = [text[middle : middle + 1], text[middle - 2 : middle + 3], text[2:4], text[5:8]]
    return [each for each in dict.fromkeys(found) if each and "\ufffd" not in each]


def _exact(client: Client, name: str) -> None:
    whole = client.long_greedy(6)
    for count in (1, 5):
        found = client.chat(**{"max_tokens": ..., name: count})
        same((found.tokens, found.finish), (count, "length"), f"tokens and finish_reason at {name} {count}")
        if not whole.text.startswith(found.text.rstrip("\ufffd")) or len(found.text) >= len(whole.text):
            raise Failed(f"the answer of {count} tokens does not begin that of {LENGTH}: {found.text[:80]!r}")


def _forced(client: Client, token: str) -> str:
    asked = client.body(_CHAT, messages=said("a"), max_tokens=4, logit_bias={token: 100})
    reply = optional(client.ask(_CHAT, asked), "logit_bias", "logit_bias", "token")
    found = str(reply.json["choices"][0]["message"]["content"])
    unit = found[: len(found) // 4]
    if reply.json["usage"]["completion_tokens"] != 4:
        raise NotOffered(f"the token {token} ends the answer")
    same(found, unit * 4, f"four times the token {token} that is forced")
    return found
