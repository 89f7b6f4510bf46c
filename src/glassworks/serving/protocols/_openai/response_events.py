"""Answers of /v1/responses: parts of a stream become items, each with all events from its beginning to its end."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from glassworks.serving.protocols._openai.collected import Counts, calls_of, text_of, tokens_of
from glassworks.serving.protocols._openai.probabilities import of_chat

if TYPE_CHECKING:
    from glassworks.serving.protocols._openai.response_requests import ResponseAsked
    from glassworks.serving.results import InferResult

    Emit = Callable[[dict[str, Any]], None]
    """Takes an event, whose content changes afterwards."""

_PREFIX = {"message": "msg", "reasoning": "rs", "function_call": "fc"}


class Response:
    """One response, and the events by which it becomes what it is in the end."""

    def __init__(self, asked: ResponseAsked, emit: Emit = lambda event: None) -> None:
        self._asked, self._emit, self._number = asked, emit, -1
        self._item: dict[str, Any] | None = None
        self._call_index, self._status = -1, "incomplete"
        self._counts = Counts()
        self.content: dict[str, Any] = {
            "id": f"resp_{uuid.uuid4().hex}",
            "object": "response",
            "created_at": int(time.time()),
            "completed_at": None,
            "status": "in_progress",
            "error": None,
            "incomplete_details": None,
            "model": asked.model,
            "output": [],
            "usage": None,
            "reasoning": {"effort": None, "summary": None},
            "service_tier": "default",
            # Nothing of it is kept here.
            "store": False,
            "background": False,
            "previous_response_id": None,
            "truncation": "disabled",
            **asked.repeated,
        }

    def begin(self) -> None:
        """The first events."""
        self._send("response.created", response=self.content)
        self._send("response.in_progress", response=self.content)

    def add(self, part: InferResult) -> None:
        """Take a part in; after the last one, `end` is left."""
        self._counts.see(part.chunk)
        if reasoning := text_of(part, "reasoning"):
            self._reason(reasoning)
        text, tokens = text_of(part, "generated"), tokens_of(part) if self._asked.logprobs else []
        if text or tokens:
            self._write(text, of_chat(tokens, self._asked.top))
        for delta in calls_of(part):
            self._call(delta)
        if part.chunk is not None and part.chunk.finish_reason:
            self._finish(part.chunk.finish_reason != "length")

    def fail(self, message: str) -> None:
        """Something went wrong in between."""
        self.content |= {"status": "failed", "error": {"code": "server_error", "message": message}}
        self._send("response.failed", response=self.content)

    def end(self, extras: Mapping[str, Any] | None = None) -> None:
        """The last event of a whole answer, with the `extras` that describe it: a field that only this server has."""
        self.content |= {"status": self._status, "usage": _usage(self._counts)}
        if self._status == "completed":
            self.content["completed_at"] = int(time.time())
        else:
            self.content["incomplete_details"] = {"reason": "max_output_tokens"}
        if extras:
            self.content["glassworks"] = extras
        self._send(f"response.{self._status}", response=self.content)

    def _finish(self, whole: bool) -> None:
        if not self.content["output"]:
            self._write("", [])
        self._status = "completed" if whole else "incomplete"
        self._close(self._status)

    def _reason(self, text: str) -> None:
        item = self._opened("reasoning", summary=[], content=[], encrypted_content=None)
        part = self._part(item, {"type": "reasoning_text", "text": ""})
        part["text"] += text
        self._of_item("response.reasoning_text.delta", item, content_index=0, delta=text)

    def _write(self, text: str, logprobs: Sequence[dict[str, Any]]) -> None:
        item = self._opened("message", role="assistant", content=[])
        part = self._part(item, {"type": "output_text", "text": "", "annotations": [], "logprobs": []})
        part["text"] += text
        part["logprobs"] += logprobs
        if text or logprobs:
            self._of_item("response.output_text.delta", item, content_index=0, delta=text, logprobs=logprobs)

    def _call(self, delta: dict[str, Any]) -> None:
        function = delta.get("function") or {}
        if delta["index"] != self._call_index:
            self._close("completed")
            self._call_index = delta["index"]
            name = function.get("name", "")
            self._opened(
                "function_call", call_id=delta.get("id") or f"call_{uuid.uuid4().hex}", name=name, arguments=""
            )
        arguments, item = function.get("arguments"), self._item
        if arguments and item is not None:
            item["arguments"] += arguments
            self._of_item("response.function_call_arguments.delta", item, delta=arguments)

    def _opened(self, kind: str, **content: Any) -> dict[str, Any]:
        """The item of that kind that is being written, a new one where it is another."""
        if self._item is not None and self._item["type"] == kind:
            return self._item
        self._close("completed")
        item = {"id": f"{_PREFIX[kind]}_{uuid.uuid4().hex}", "type": kind, "status": "in_progress", **content}
        self._item = item
        self.content["output"].append(item)
        self._send("response.output_item.added", output_index=self._index, item=item)
        return item

    def _part(self, item: dict[str, Any], empty: dict[str, Any]) -> dict[str, Any]:
        """The one part of an item's content."""
        if not item["content"]:
            item["content"].append(empty)
            self._of_item("response.content_part.added", item, content_index=0, part=empty)
        found: dict[str, Any] = item["content"][0]
        return found

    def _close(self, status: str) -> None:
        """End the item that is being written."""
        item, self._item = self._item, None
        if item is None:
            return
        if item["type"] == "function_call":
            self._of_item("response.function_call_arguments.done", item, arguments=item["arguments"])
        else:
            part = item["content"][0]
            more = {"logprobs": part["logprobs"]} if "logprobs" in part else {}
            self._of_item(f"response.{part['type']}.done", item, content_index=0, text=part["text"], **more)
            self._of_item("response.content_part.done", item, content_index=0, part=part)
        item["status"] = status
        self._send("response.output_item.done", output_index=self._index, item=item)

    @property
    def _index(self) -> int:
        """Of the item that was begun last."""
        return len(self.content["output"]) - 1

    def _of_item(self, kind: str, item: dict[str, Any], **content: Any) -> None:
        self._send(kind, item_id=item["id"], output_index=self._index, **content)

    def _send(self, kind: str, **content: Any) -> None:
        self._number += 1
        self._emit({"type": kind, "sequence_number": self._number, **content})


def _usage(counts: Counts) -> dict[str, Any]:
    return {
        "input_tokens": counts.prompt,
        "input_tokens_details": {"cached_tokens": counts.cached, "cache_write_tokens": 0},
        "output_tokens": counts.completion,
        "output_tokens_details": {"reasoning_tokens": counts.reasoning},
        "total_tokens": counts.prompt + counts.completion,
    }
