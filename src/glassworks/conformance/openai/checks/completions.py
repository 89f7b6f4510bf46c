"""Completions, which evaluations use: prompts in lists and in tokens, log-probabilities of the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from glassworks.conformance.openai.answers import DONE, Answer
from glassworks.conformance.openai.checks.refusals import too_long
from glassworks.conformance.openai.client import LENGTH, PROMPTS, Client, optional, same
from glassworks.conformance.target import Failed, NotOffered

_PATH = "/completions"
_NEAR = 1e-2
_BYTES = "bytes:"
"""What OpenAI puts before the bytes of a token that is no text, each as \\xff."""
_IDS = [[45, 50, 55], [50, 45]]
"""Prompts in tokens that each vocabulary has."""


def o7_answer(client: Client) -> None:
    """An answer is a text_completion with one choice, whose text it is, and usage that adds up."""
    found = client.complete().json
    same((found["object"], found["model"]), ("text_completion", client.model), "object and model")
    (choice,) = found["choices"]
    if not isinstance(choice["text"], str) or choice["finish_reason"] not in ("stop", "length"):
        raise Failed(f"the choice is {choice}")
    usage = found["usage"]
    same(usage["prompt_tokens"] + usage["completion_tokens"], usage["total_tokens"], "total_tokens")


def o7_list_of_prompts(client: Client) -> None:
    """A list of prompts has one choice a prompt in their order, each as if asked alone, and usage counts all."""
    texts = [PROMPTS[1], PROMPTS[0]]
    alone = [client.complete(prompt=text) for text in texts]
    asked = client.body(_PATH, prompt=texts)
    found = Answer(optional(client.ask(_PATH, asked), "lists of prompts", "prompt").json)
    ordered = sorted(found.choices, key=lambda choice: int(choice["index"]))
    same([each["text"] for each in ordered], [each.text for each in alone], "the texts")
    expected = sum(each.usage["prompt_tokens"] for each in alone)
    same(found.usage["prompt_tokens"], expected, "prompt_tokens")


def o7_prompt_in_tokens(client: Client) -> None:
    """A prompt of token ids is the text that they stand for, and counts as many."""
    ids = client.token_ids(PROMPTS[1])
    asked = client.body(_PATH, prompt=ids)
    found = Answer(optional(client.ask(_PATH, asked), "prompts in tokens", "prompt", "token").json)
    same(found.usage["prompt_tokens"], len(ids), "prompt_tokens")
    text = client.complete(prompt=PROMPTS[1])
    if text.usage["prompt_tokens"] == len(ids):
        same(found.text, text.text, "the answer to the same tokens as a text")


def o7_usage_equals_the_tokenizer(client: Client) -> None:
    """prompt_tokens are those of /tokenize, but for one that begins each prompt (complaint 14)."""
    count = client.complete(prompt=PROMPTS[0], max_tokens=1).usage["prompt_tokens"]
    if count - len(client.token_ids(PROMPTS[0])) not in (0, 1):
        raise Failed(f"{count} prompt_tokens, {len(client.token_ids(PROMPTS[0]))} tokens by /tokenize")


def o7_stream(client: Client) -> None:
    """A stream is the whole answer in parts, with one end, and [DONE] once."""
    whole, found = client.complete(), client.stream(_PATH)
    same(found.text(), whole.text, "the streamed answer")
    same(found.finishes(), [whole.finish], "finish_reason")
    same([event.data for event in found.events].count(DONE), 1, "how many DONE")
    same({chunk["object"] for chunk in found.chunks}, {"text_completion"}, "object")


def o7_max_tokens(client: Client) -> None:
    """max_tokens is exact."""
    found = client.complete(max_tokens=3)
    if client.complete().tokens > 3:
        same((found.tokens, found.finish), (3, "length"), "tokens and finish_reason")


def o7_stop(client: Client) -> None:
    """A stop string ends the answer before it, whole and streamed."""
    text = client.complete().text
    if len(text) < 8:
        raise NotOffered("the model ends its answers too early to cut them; name another with --model")
    stop = text[5:7]
    for seen in (client.complete(stop=stop).text, client.stream(_PATH, stop=stop).text()):
        same(seen, text[: text.index(stop)], f"the answer up to {stop!r}")


def o7_echo(client: Client) -> None:
    """With echo the text begins with the prompt."""
    found = _optional(client, echo=True)
    same(found.text, PROMPTS[0] + client.complete().text, "prompt and answer")


def o7_logprobs(client: Client) -> None:
    """logprobs have tokens, token_logprobs, top_logprobs and text_offset, one entry a token each."""
    found = _optional(client, logprobs=2)
    lists = _lists(found)
    joined = b"".join(_bytes(token) for token in lists["tokens"]).decode(errors="replace")
    same(joined, found.text, "all tokens")
    same({len(each) for each in lists.values()}, {len(lists["tokens"])}, "lengths")
    if not found.tokens - 1 <= len(lists["tokens"]) <= found.tokens:
        raise Failed(f"{len(lists['tokens'])} entries for {found.tokens} tokens")
    for number, top in zip(lists["token_logprobs"], lists["top_logprobs"], strict=True):
        if abs(number - max(top.values())) > _NEAR:
            raise Failed(f"a greedy token has {number}, the likeliest {max(top.values())}")


def o7_text_offsets(client: Client) -> None:
    """text_offset says where each token begins in the text."""
    found = _optional(client, echo=True, logprobs=1)
    lists = _lists(found)
    for token, offset in zip(lists["tokens"], lists["text_offset"], strict=True):
        if token.isascii() and not token.startswith(_BYTES) and found.text[offset : offset + len(token)] != token:
            raise Failed(f"{token!r} is said to be at {offset}: {found.text[offset : offset + 20]!r}")


def o7_echo_with_logprobs_covers_the_prompt(client: Client) -> None:
    """echo with logprobs has the prompt's tokens too, the first without a number (complaint 8)."""
    found = _optional(client, echo=True, logprobs=1, max_tokens=1)
    lists = _lists(found)
    expected = found.usage["prompt_tokens"] + found.tokens
    if not expected - 2 <= len(lists["tokens"]) <= expected:
        raise Failed(f"{len(lists['tokens'])} tokens have entries, prompt and answer are {expected}")
    same(lists["token_logprobs"][0], None, "the number of the first token")
    if any(number is None or number > _NEAR for number in lists["token_logprobs"][1:]):
        raise Failed(f"log-probabilities {lists['token_logprobs'][:8]}")


def o7_echo_scores_as_it_generates(client: Client) -> None:
    """The log-probabilities of an answer are the same when it is scored as a prompt (complaint 8)."""
    said = _optional(client, logprobs=1, max_tokens=8)
    scored = _optional(client, prompt=PROMPTS[0] + said.text, echo=True, logprobs=1, max_tokens=1)
    begin = client.complete(max_tokens=1).usage["prompt_tokens"]
    tokens, numbers = (_lists(scored)[name] for name in ("tokens", "token_logprobs"))
    shift = len(tokens) - (scored.usage["prompt_tokens"] + scored.tokens)
    pairs = zip(_lists(said)["tokens"], _lists(said)["token_logprobs"], range(begin + shift, len(tokens)), strict=False)
    for token, number, at in pairs:
        if tokens[at] != token:
            return
        if abs(number - numbers[at]) > _NEAR:
            raise Failed(f"{token!r} was generated with {number}, and is scored with {numbers[at]}")


def o7_echo_of_lists_of_tokens(client: Client) -> None:
    """Lists of token ids are scored each as if alone, which is how evaluations ask (complaint 8)."""
    more: dict[str, Any] = {"echo": True, "logprobs": 1, "max_tokens": 1, "seed": 1234}
    found = _optional(client, prompt=_IDS, **more)
    same([each["index"] for each in found.choices], [0, 1], "indexes")
    for ids, choice in zip(_IDS, found.choices, strict=True):
        alone = _lists(_optional(client, prompt=ids, **more))["token_logprobs"]
        _near(choice["logprobs"]["token_logprobs"], alone)
        if len(alone) < len(ids):
            raise Failed(f"{len(alone)} numbers for {len(ids)} tokens of the prompt")


def o7_prompt_logprobs(client: Client) -> None:
    """prompt_logprobs, which remote explanations ask for, has an entry a token of the prompt, the first null, or is
    refused by name (complaint 8)."""
    reply = client.ask(_PATH, client.body(_PATH, max_tokens=1, prompt_logprobs=0))
    body = optional(reply, "prompt_logprobs").json
    found = body["choices"][0].get("prompt_logprobs") or body.get("prompt_logprobs")
    if not isinstance(found, list):
        raise Failed("prompt_logprobs are asked for, and the answer has none: ignored in silence")
    same((len(found), found[0]), (body["usage"]["prompt_tokens"], None), "number of entries, and the first")
    for each in found[1:]:
        if not any(isinstance(value.get("logprob"), float) for value in each.values()):
            raise Failed(f"an entry is {each}")


def o7_prompt_longer_than_the_context(client: Client) -> None:
    """A prompt longer than the context is 400 with context_length_exceeded here too (complaint 10)."""
    client.complete(max_tokens=1)
    too_long(client, _PATH, prompt="a " * 150_000)


def o7_greedy_repeats(client: Client) -> None:
    """At temperature 0 the same request has the same answer, of as many tokens as it says."""
    one, other = client.complete(), client.complete()
    same(other.text, one.text, "the answer")
    if one.tokens > LENGTH:
        raise Failed(f"{one.tokens} tokens, {LENGTH} were allowed")


def _optional(client: Client, **more: Any) -> Answer:
    client.complete(max_tokens=1)
    asked = client.body(_PATH, **more)
    words = [name for name in ("echo", "logprobs", "prompt") if name in more]
    return Answer(optional(client.ask(_PATH, asked), " with ".join(words), *words).json)


def _bytes(token: str) -> bytes:
    if token.startswith(_BYTES):
        return bytes.fromhex(token.removeprefix(_BYTES).replace("\\x", ""))
    return token.encode()


def _lists(answer: Answer) -> dict[str, list[Any]]:
    found = answer.choices[0].get("logprobs")
    if not found:
        raise Failed("logprobs are asked for, and the answer has none: ignored in silence")
    return {name: found[name] for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset")}


def _near(seen: Sequence[float | None], expected: Sequence[float | None]) -> None:
    same(len(seen), len(expected), "how many numbers")
    for one, other in zip(seen, expected, strict=True):
        if abs((one or 0) - (other or 0)) > _NEAR:
            raise Failed(f"log-probabilities {seen} in a list, {expected} alone")
