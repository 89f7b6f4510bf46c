"""The data source of a run: where its items are, and what a model is asked for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from glassworks.evals.messages import Messages, messages
from glassworks.evals.templates import Missing, Path, found, path, shown
from glassworks.record import Record
from glassworks.serving.failures import WrongParameter
from glassworks.serving.protocols._openai.fields import Fields
from glassworks.serving.protocols._openai.requests import chat

KINDS = ("jsonl", "completions", "responses")
_MOST_ITEMS, _MOST_BYTES = 10_000, 4 * 2**20
_SEED = 42
"""Without another: whoever asks again gets the same answers."""
_STORED = "the server keeps no {} to take them from"


class Asking(Record):
    """What a model is asked. `body` are parameters of /v1/chat/completions beside the messages."""

    model: str
    body: dict[str, Any]
    template: Any
    """Messages as they were sent, or the name of where an item has them."""

    @property
    def reader(self) -> Messages | Path:
        """How messages are made of an item."""
        return _reader(self.template, "input_messages")

    def messages(self, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Those of an item. Raises Missing."""
        read = self.reader
        if isinstance(read, Messages):
            return read.filled(values)
        rows = found(read, values)
        if not isinstance(rows, list) or not rows or not all(isinstance(each, dict) for each in rows):
            raise Missing(f"{shown(read)} is no list of messages")
        return rows


class Source(Record):
    """`file_id` names a file with the items; else they are `content`."""

    kind: str
    file_id: str = ""
    content: tuple[Any, ...] = ()
    asking: Asking | None = None


def source(content: object) -> Source:
    """Of what a client sent. Raises WrongParameter."""
    fields = Fields.of(content, "data_source")
    kind = fields.text("type")
    if kind not in KINDS:
        raise fields.wrong("type", kind, f"give one of: {', '.join(KINDS)}")
    given = Fields.of(fields.take("source"), "data_source.source")
    file_id, rows = _items(given)
    given.end()
    asking = None if kind == "jsonl" else _asking(fields)
    fields.end()
    return Source(kind=kind, file_id=file_id, content=tuple(rows), asking=asking)


def _items(given: Fields) -> tuple[str, Sequence[Any]]:
    kind = given.text("type")
    if kind == "file_id":
        return str(given.needed("id", "give the id of a file with the purpose 'evals'")), ()
    if kind in ("stored_completions", "responses"):
        mend = "send the items: file_content, or file_id"
        raise given.unsupported("type", mend, _STORED.format(kind.replace("_", " ")))
    if kind != "file_content":
        raise given.wrong("type", kind, "give file_content or file_id")
    rows = given.needed("content", 'give a list of {"item": {...}}')
    if not isinstance(rows, list) or len(rows) > _MOST_ITEMS:
        count = f"{len(rows):,} items" if isinstance(rows, list) else f"{rows!r:.60}"
        mend = f"give a list of at most {_MOST_ITEMS:,}; more as a file with the purpose 'evals'"
        raise given.wrong("content", count, mend)
    if len(msgspec.json.encode(rows)) > _MOST_BYTES:
        mend = "send them as a file with the purpose 'evals', and give file_id"
        raise given.wrong("content", f"more than {_MOST_BYTES:,} bytes", mend)
    return "", rows


def _asking(fields: Fields) -> Asking:
    model = fields.needed("model", "name one of those at /v1/models")
    if not isinstance(model, str) or not model:
        raise fields.wrong("model", model, "name one of those at /v1/models")
    given = Fields.of(fields.needed("input_messages", "give a template"), "data_source.input_messages")
    kind = given.text("type")
    if kind not in ("template", "item_reference"):
        raise given.wrong("type", kind, "give template or item_reference")
    name = "template" if kind == "template" else "item_reference"
    template = given.needed(name, "give messages, or where an item has them, such as item.messages")
    _reader(template, f"data_source.input_messages.{name}")
    given.end()
    body = _sampling(fields.nested("sampling_params"))
    chat({"model": model, "messages": [{"role": "user", "content": ""}], **body})
    return Asking(model=model, body=body, template=template)


def _reader(template: Any, where: str) -> Messages | Path:
    if isinstance(template, str):
        return path(template.strip().removeprefix("{{").removesuffix("}}"), where)
    return messages(template, where)


def _sampling(fields: Fields | None) -> dict[str, Any]:
    """In the words of /v1/chat/completions."""
    if fields is None:
        return {"seed": _SEED}
    body = {"seed": _SEED, **fields.given("temperature", "top_p", "seed", "response_format")}
    limits = fields.given("max_completion_tokens", "max_completions_tokens", "max_tokens")
    if limits:
        body["max_completion_tokens"] = next(iter(limits.values()))
    tools = [_tool(each) for each in fields.rows("tools")]
    if text := fields.nested("text"):
        body |= _form(text.take("format"))
        text.end()
    fields.only("reasoning_effort", "none")
    fields.end()
    return body | ({"tools": tools} if tools else {})


def _tool(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields of a function, which responses have beside its type."""
    if tool.get("type") != "function" or "function" in tool:
        return tool
    return {"type": "function", "function": {name: each for name, each in tool.items() if name != "type"}}


def _form(form: Any) -> dict[str, Any]:
    """`text.format` of responses, whose schema lies beside its type."""
    if not isinstance(form, dict) or form.get("type") == "text":
        return {}
    if form.get("type") == "json_schema":
        schema = {name: each for name, each in form.items() if name != "type"}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    return {"response_format": form}


def require_values(paths: Sequence[Path], schema: Mapping[str, Any], where: str) -> None:
    """Raise WrongParameter for a value of an item that its schema does not name."""
    names = schema.get("properties")
    if not isinstance(names, dict):
        return
    for each in paths:
        if each[0] == "item" and len(each) > 1 and each[1] not in names:
            known = ", ".join(f"item.{name}" for name in names)
            problem = f"{where} reads {shown(each)}, which item_schema does not name"
            raise WrongParameter(problem, f"there are: {known}"[:300], where)
