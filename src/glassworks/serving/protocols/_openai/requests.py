"""Requests for chat and plain completions: JSON becomes what a session's stream takes, or is refused by name."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from glassworks.serving.failures import WrongParameter
from glassworks.serving.protocols._openai.explaining import options_of
from glassworks.serving.protocols._openai.fields import Fields
from glassworks.serving.protocols._openai.messages import messages_of, tools_of
from glassworks.serving.protocols._openai.sources import Sources, sources_of

SEEDS = 2**31
"""Seeds are taken modulo this."""
MOST_CHOICES, MOST_STREAMED = 128, 32
"""Answers of one request, and those of one that come as events, which are open at the same time."""
_MOST_TOKENS = 2**24
_COMPLETION_TOKENS = 16
"""Of a plain completion that says nothing, as OpenAI has it."""
_MOST_TOP, MOST_NEAREST = 20, 20
_SAMPLING = (
    *("top_p", "top_k", "min_p", "presence_penalty", "frequency_penalty", "repetition_penalty"),
    *("logit_bias", "stop", "timeout", "priority"),
)
"""What sessions check themselves."""
CHAT_MENDS: Mapping[str, str] = {
    "functions": "give tools instead",
    "function_call": "give tool_choice instead",
    "audio": "ask for text: this server speaks none",
    "web_search_options": "leave it out: this server searches nothing",
    "prediction": "leave it out: answers are generated whole",
    "reasoning_effort": "leave it out, or say in the messages how much to think",
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """What one choice is made of: a text, or messages or ids in the parameters."""

    text: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. Choice `i` answers the prompt `i // n`."""

    model: str
    prompts: Sequence[Prompt]
    n: int
    seed: int
    stream: bool = False
    usage: bool = False
    """Whether a stream ends with its usage."""
    logprobs: bool = False
    top: int = 0
    """Alternatives that are shown at each token."""
    prompt_top: int | None = None
    """Alternatives at each token of the prompt, None for nothing of them."""
    echo: bool = False
    only_prompt: bool = False
    """Whether nothing is generated."""
    tier: bool = False
    """Whether the answer names the tier of service."""
    sources: Sources | None = None
    """The index from whose passages is answered, where one is named."""
    explain: Mapping[str, Any] | None = None
    """How each answer is to be explained; None where it is not."""

    @property
    def of_prompt(self) -> bool:
        """Whether the tokens of the prompt are told of, before the first one of the answer."""
        return "prompt_logprobs" in self.prompts[0].parameters

    def parameters(self, choice: int) -> dict[str, Any]:
        """What the session is asked for a choice."""
        return {**self.prompts[choice // self.n].parameters, "seed": (self.seed + choice % self.n) % SEEDS}


def chat(content: Mapping[str, Any]) -> Asked:
    """Of a body for /v1/chat/completions. Raises WrongParameter."""
    fields = Fields(content)
    model = model_of(fields)
    parameters = {"messages": messages_of(fields.needed("messages", "give a list of messages")), **sampling(fields)}
    parameters |= _limit(fields) | _tools(fields) | fields.given("response_format")
    logprobs, top = fields.flag("logprobs"), fields.whole("top_logprobs", None, 0, _MOST_TOP)
    if top is not None and not logprobs:
        raise WrongParameter("top_logprobs is given without logprobs", "give logprobs: true too", "top_logprobs")
    asked = _asked(fields, model, [Prompt(parameters=parameters)], logprobs, top or 0)
    fields.only("modalities", ["text"])
    fields.only("verbosity", "medium")
    fields.end(**CHAT_MENDS)
    return asked


def completion(content: Mapping[str, Any]) -> Asked:
    """Of a body for /v1/completions. Raises WrongParameter."""
    fields = Fields(content)
    model = model_of(fields)
    prompts = _prompts(fields.needed("prompt", "give a text, or a list of texts or of token ids"))
    parameters, echo = sampling(fields), fields.flag("echo")
    tokens = fields.whole("max_tokens", _COMPLETION_TOKENS, 0 if echo else 1, _MOST_TOKENS) or 0
    parameters |= {"max_tokens": max(tokens, 1), **fields.given("response_format")}
    top = fields.whole("logprobs", None, 0, _MOST_TOP)
    asked = _asked(fields, model, prompts, top is not None, top or 0, parameters, echo, tokens == 0)
    fields.only("suffix", "")
    fields.only("best_of", 1, asked.n)
    if asked.sources is not None and asked.sources.index:
        raise fields.unsupported("glassworks.sources", "ask for a chat completion: there passages have their message")
    fields.end()
    return asked


def model_of(fields: Fields) -> str:
    """The name of the model."""
    model = fields.needed("model", "name one of those at /v1/models")
    if not isinstance(model, str) or not model:
        raise fields.wrong("model", model, "name one of those at /v1/models")
    return model


def _asked(
    fields: Fields,
    model: str,
    prompts: Sequence[Prompt],
    logprobs: bool,
    top: int,
    shared: Mapping[str, Any] | None = None,
    echo: bool = False,
    only_prompt: bool = False,
) -> Asked:
    """What both kinds of completions have."""
    n, stream, tier = fields.whole("n", 1, 1, MOST_CHOICES) or 1, fields.flag("stream"), fields.take("service_tier")
    usage, prompt_top = stream_usage(fields, stream), fields.whole("prompt_logprobs", None, 0, _MOST_TOP)
    most = MOST_STREAMED if stream else MOST_CHOICES
    if n * len(prompts) > most:
        raise WrongParameter(
            f"{len(prompts)} prompts with {n} answers each are {n * len(prompts)} choices",
            f"ask for at most {most}",
            "n",
        )
    wanted = dict(shared or {})
    if logprobs:
        wanted |= {"logprobs": True, "top_logprobs": top}
    if prompt_top is not None or (echo and (logprobs or "prompt_ids" in prompts[0].parameters)):
        wanted["prompt_logprobs"] = max(prompt_top or 0, top if echo and logprobs else 0)
    (wanted, sources, explain), seed = extra_of(fields, wanted), seed_of(fields)
    fields.harmless()
    whole = [Prompt(each.text, {**each.parameters, **wanted}) for each in prompts]
    about = (prompt_top, echo, only_prompt, tier is not None, sources, explain)
    return Asked(model, whole, n, seed, stream, usage, logprobs, top, *about)


def stream_usage(fields: Fields, stream: bool) -> bool:
    """Whether a stream is to end with its usage."""
    options = fields.nested("stream_options")
    if options is None:
        return False
    if not stream:
        raise WrongParameter("stream_options is given without stream", "give stream: true too", "stream_options")
    usage = options.flag("include_usage")
    options.only("include_obfuscation", False)
    options.end()
    return usage


def seed_of(fields: Fields) -> int:
    """The seed; without one, answers differ from request to request."""
    given = fields.whole("seed", None, -(2**63), 2**64)
    return secrets.randbelow(SEEDS) if given is None else given % SEEDS


def sampling(fields: Fields) -> dict[str, Any]:
    """Of which OpenAI's default is to draw from the distribution as it is."""
    return {"temperature": fields.take("temperature", 1.0), **fields.given(*_SAMPLING)}


def extra_of(fields: Fields, wanted: dict[str, Any]) -> tuple[dict[str, Any], Sources | None, Mapping[str, Any] | None]:
    """Beside what is wanted what is to be told of the whole answer, from what is to be answered, and how the answer is
    to be explained: a field that only this server has."""
    options = fields.nested("glassworks")
    if options is None:
        return wanted, None, None
    sources, explain = sources_of(options), options_of(options)
    found = {"confidence": options.flag("confidence"), "nearest": options.whole("nearest", 0, 0, MOST_NEAREST)}
    options.end()
    return {**wanted, **{name: value for name, value in found.items() if value}}, sources, explain


def _limit(fields: Fields) -> dict[str, Any]:
    """How long an answer may be, by its old name or its new one."""
    names = ("max_tokens", "max_completion_tokens")
    limits = {limit for name in names if (limit := fields.whole(name, None, 1, _MOST_TOKENS)) is not None}
    if len(limits) > 1:
        raise WrongParameter("max_tokens and max_completion_tokens differ", "give one of them", "max_tokens")
    return {"max_tokens": limits.pop()} if limits else {}


def _tools(fields: Fields) -> dict[str, Any]:
    tools = tools_of(fields.rows("tools"))
    found = fields.given("tool_choice", "parallel_tool_calls")
    if tools:
        return {"tools": tools, **found}
    if found.pop("tool_choice", "none") not in ("none", "auto"):
        raise WrongParameter("tool_choice is given without tools", "give tools too", "tool_choice")
    return {}


def _prompts(prompt: object) -> list[Prompt]:
    """A text, texts, ids, or lists of ids."""
    if isinstance(prompt, str):
        return [Prompt(prompt)]
    if isinstance(prompt, list) and prompt:
        if all(isinstance(each, str) for each in prompt):
            return [Prompt(each) for each in prompt]
        if _are_ids(prompt):
            return [Prompt(parameters={"prompt_ids": prompt})]
        if all(_are_ids(each) for each in prompt):
            return [Prompt(parameters={"prompt_ids": each}) for each in prompt]
    raise WrongParameter(
        f"prompt is {prompt!r:.100}", "give a text, a list of texts, token ids, or lists of them", "prompt"
    )


def _are_ids(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(type(each) is int for each in value)
