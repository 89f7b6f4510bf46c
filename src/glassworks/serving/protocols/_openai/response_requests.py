"""Requests for /v1/responses: items become the messages of a conversation, or are refused by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from glassworks.serving.failures import WrongParameter
from glassworks.serving.protocols._openai.fields import Fields
from glassworks.serving.protocols._openai.messages import messages_of, text_of_parts, tools_of
from glassworks.serving.protocols._openai.requests import Asked, Prompt, extra_of, model_of, sampling, seed_of

_MENDS: Mapping[str, str] = {
    "previous_response_id": "send the whole conversation as input: nothing is kept here",
    "conversation": "send the whole conversation as input: nothing is kept here",
    "prompt": "send input and instructions: no prompts are kept here",
    "reasoning": "leave it out, or say in the input how much to think",
}
_LOGPROBS = "message.output_text.logprobs"
_INCLUDED = (_LOGPROBS, "reasoning.encrypted_content")
"""What may be included; reasoning is always there, and never encrypted."""
_ECHOED = ("metadata", "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention")
"""What an answer repeats as it was sent."""


@dataclass(frozen=True, slots=True)
class ResponseAsked(Asked):
    """A request for one answer, and what that repeats of it."""

    repeated: Mapping[str, Any] = field(default_factory=dict)


def response(content: Mapping[str, Any]) -> ResponseAsked:
    """Of a body for /v1/responses. Raises WrongParameter."""
    fields = Fields(content)
    model, instructions = model_of(fields), fields.text("instructions")
    messages = [{"role": "system", "content": instructions}] if instructions else []
    messages += _items(fields.needed("input", "give a text, or a list of items"))
    repeated, parameters = _repeated(fields, instructions), {"messages": messages, **sampling(fields)}
    repeated |= {"temperature": parameters["temperature"], "top_p": parameters.get("top_p", 1.0)}
    limit = fields.whole("max_output_tokens", None, 1, 2**24)
    parameters |= ({"max_tokens": limit} if limit is not None else {}) | _tools(fields, repeated)
    parameters |= _format(fields, repeated)
    included, top = _included(fields), fields.whole("top_logprobs", None, 0, 20)
    logprobs = _LOGPROBS in included or bool(top)
    if logprobs:
        parameters |= {"logprobs": True, "top_logprobs": top or 0}
    parameters, sources, explain = extra_of(fields, parameters)
    repeated |= {"max_output_tokens": limit, "top_logprobs": top or 0}
    seed, stream = seed_of(fields), fields.flag("stream")
    _rest(fields)
    about: dict[str, Any] = {"sources": sources, "explain": explain, "repeated": repeated}
    prompts = [Prompt(parameters=parameters)]
    return ResponseAsked(model, prompts, 1, seed, stream, logprobs=logprobs, top=top or 0, **about)


def _rest(fields: Fields) -> None:
    """What changes nothing, or would."""
    options = fields.nested("stream_options")
    if options is not None:
        options.only("include_obfuscation", False)
        options.end()
    fields.only("background", False)
    fields.only("truncation", "disabled")
    fields.take("max_tool_calls")  # of tools that are built in, of which there is none
    fields.harmless()
    fields.end(**_MENDS)


def _repeated(fields: Fields, instructions: str) -> dict[str, Any]:
    found = {name: fields.take(name) for name in _ECHOED}
    return {**found, "metadata": found["metadata"] or {}, "instructions": instructions or None}


def _included(fields: Fields) -> Sequence[str]:
    included = fields.take("include", [])
    if not isinstance(included, list):
        raise fields.wrong("include", included, "give a list of texts")
    for each in included:
        if each not in _INCLUDED:
            mend = f"leave it out; there are: {', '.join(_INCLUDED)}"
            raise fields.unsupported("include", mend, f"include {each!r:.100} is not supported")
    return included


def _items(items: object) -> list[dict[str, Any]]:
    """Messages; calls of tools that follow each other are one message of the assistant."""
    if isinstance(items, str):
        return messages_of([{"role": "user", "content": items}], "input")
    if not isinstance(items, list) or not items:
        raise WrongParameter(f"input is {items!r:.100}", "give a text, or a list of items", "input")
    found: list[dict[str, Any]] = []
    for number, item in enumerate(items):
        _add(found, item, f"input[{number}]")
    return found


def _add(found: list[dict[str, Any]], item: object, path: str) -> None:
    kind = item.get("type", "message") if isinstance(item, dict) else None
    if not isinstance(item, dict) or kind is None:
        raise WrongParameter(f"{path} is {item!r:.100}", "give an object with a type", path)
    if kind == "message":
        (message,) = messages_of([{key: value for key, value in item.items() if key != "type"}], path)
        before = found.pop() if message["role"] == "assistant" and found and _only_thinks(found[-1]) else {}
        found.append({**before, **message})
    elif kind == "function_call":
        if not found or found[-1]["role"] != "assistant":
            found.append({"role": "assistant", "content": ""})
        found[-1].setdefault("tool_calls", []).append(_call(item, path))
    elif kind == "function_call_output":
        output = text_of_parts(item.get("output"), f"{path}.output")
        found.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": output})
    elif kind == "reasoning":
        text = "".join(str(part.get("text", "")) for part in item.get("content") or () if isinstance(part, dict))
        found.append({"role": "assistant", "content": "", "reasoning_content": text})
    else:
        raise WrongParameter(
            f"{path} is of the type {kind!r:.100}, which is not supported",
            "give messages, function calls and their outputs", f"{path}.type", "unsupported_parameter",
        )  # fmt: skip


def _only_thinks(message: Mapping[str, Any]) -> bool:
    """Whether it is reasoning whose message or calls come next."""
    return "reasoning_content" in message and not message["content"] and "tool_calls" not in message


def _call(item: Mapping[str, Any], path: str) -> dict[str, Any]:
    fields = Fields(item, path)
    call_id, name = fields.needed("call_id", "give the call's id"), fields.needed("name", "name the function")
    function = {"name": name, "arguments": fields.text("arguments", "{}")}
    return {"id": call_id, "type": "function", "function": function}


def _tools(fields: Fields, repeated: dict[str, Any]) -> dict[str, Any]:
    """Functions, whose fields lie beside their type here."""
    tools, choice = fields.rows("tools"), fields.take("tool_choice", "auto")
    parallel = fields.flag("parallel_tool_calls", True)
    repeated |= {"tools": tools, "tool_choice": choice, "parallel_tool_calls": parallel}
    if not tools:
        if choice not in ("auto", "none"):
            raise WrongParameter("tool_choice is given without tools", "give tools too", "tool_choice")
        return {}
    nested = [
        {**tool, "function": {key: tool[key] for key in ("name", "description", "parameters", "strict") if key in tool}}
        if tool.get("type") == "function"
        else tool
        for tool in tools
    ]
    plain = [{"type": each["type"], "function": each["function"]} for each in tools_of(nested)]
    if isinstance(choice, dict) and choice.get("type") == "function" and "name" in choice:
        choice = {"type": "function", "function": {"name": choice["name"]}}
    return {"tools": plain, "tool_choice": choice, "parallel_tool_calls": parallel}


def _format(fields: Fields, repeated: dict[str, Any]) -> dict[str, Any]:
    """`text.format`, whose schema lies beside its type here."""
    text = fields.nested("text")
    form = text.take("format", {"type": "text"}) if text is not None else {"type": "text"}
    if text is not None:
        text.only("verbosity", "medium")
        text.end()
    repeated["text"] = {"format": form}
    if not isinstance(form, dict):
        raise WrongParameter(f"text.format is {form!r:.100}", "give an object with a type", "text.format")
    if form.get("type") == "json_schema":
        schema = {key: value for key, value in form.items() if key != "type"}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    return {} if form.get("type") == "text" else {"response_format": form}
