"""The toy server's answers in OpenAI's shapes, whole and as events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tests.unit.conformance.toy_answers import Part, Question
from tests.unit.conformance.toy_endpoints import answers, usage
from tests.unit.conformance.toy_model import VOCABULARY

Event = tuple[str, dict[str, Any]]
"""A name, where events have one, and the data."""


class Counted:
    """A request with its choices, and how many tokens came of them."""

    def __init__(self, question: Question, head: dict[str, Any], choices: int) -> None:
        self.question, self.head, self.choices, self.tokens = question, head, choices, 0

    def parts(self, *, stream: bool = False) -> Iterator[tuple[int, Part]]:
        """All parts, counted."""
        for number, part in answers(self.question, self.choices, stream=stream):
            self.tokens += len(part.tokens) or bool(part.calls)
            if stream and "streams in capitals" in self.question.faults:
                part.text = part.text.swapcase()
            yield number, part

    def usage(self) -> dict[str, Any]:
        """How many tokens it took."""
        faults, prompt = self.question.faults, len(self.question.prompt)
        if "counts the prompt for each choice" in faults:
            prompt *= self.choices
        found = usage(prompt, self.tokens)
        found["total_tokens"] += "adds up wrongly" in faults
        if "cached tokens in streams only" in faults and not self.question.asked.get("stream"):
            del found["prompt_tokens_details"]
        return found

    def chat(self) -> dict[str, Any]:
        """A whole answer of chat."""
        found: list[dict[str, Any]] = [
            {"index": number, "message": {"role": "assistant", "content": ""}, "finish_reason": None, "logprobs": None}
            for number in range(self.choices)
        ]
        for number, part in self.parts():
            choice, message = found[number], found[number]["message"]
            message["content"] += part.text
            for call in part.calls:
                calls = message.setdefault("tool_calls", [call])
                if call is not calls[0]:
                    calls[0]["function"]["arguments"] += call["function"]["arguments"]
            if part.finish:
                choice["finish_reason"] = part.finish
            if self.question.asked.get("logprobs") and "ignores logprobs" not in self.question.faults:
                choice["logprobs"] = choice["logprobs"] or {"content": []}
                choice["logprobs"]["content"] += part.tokens
                if "legacy shape" in self.question.faults:
                    choice["logprobs"] = lists(choice["logprobs"]["content"])
        return {**self.head, "object": "chat.completion", "choices": found, "usage": self.usage()}

    def chunks(self) -> Iterator[Event]:
        """The events of a streamed chat."""
        faults = self.question.faults
        begun: set[int] = set()
        options = self.question.asked.get("stream_options") or {}
        for number, part in self.parts(stream=True):
            delta: dict[str, Any] = {} if number in begun or "no role" in faults else {"role": "assistant"}
            delta |= {"content": part.text} if part.text else {}
            delta |= {"tool_calls": part.calls} if part.calls else {}
            choice = {"index": number, "delta": delta, "finish_reason": part.finish}
            if self.question.asked.get("logprobs") and "no logprobs in streams" not in faults:
                choice["logprobs"] = {"content": part.tokens}
            if part.finish is None and "an end in each part" in faults:
                choice["finish_reason"] = "stop"
            if part.finish and "no end" in faults:
                choice["finish_reason"] = None
            begun.add(number)
            yield "", self._chunk([choice])
        if options.get("include_usage") or "usage unasked" in faults:
            yield "", {**self._chunk([]), "usage": self.usage()}

    def _chunk(self, choices: list[Any]) -> dict[str, Any]:
        head = dict(self.head)
        if "ids by the chunk" in self.question.faults:
            head["id"] = f"{head['id']}-{self.tokens}"
        return {**head, "object": "chat.completion.chunk", "choices": choices}

    def response(self, text: str, status: str) -> dict[str, Any]:
        """A response."""
        counted = self.usage()
        content = [{"type": "output_text", "text": text, "annotations": []}]
        message = {"type": "message", "id": "msg_1", "role": "assistant", "status": status, "content": content}
        nothing = ("error", "instructions", "max_output_tokens", "previous_response_id", "reasoning", "truncation")
        return {
            **{name: None for name in nothing if "few fields" not in self.question.faults},
            "id": "resp_1", "object": "response", "created_at": self.head["created"], "model": self.head["model"],
            "status": status, "output": [message], "parallel_tool_calls": True, "store": False, "temperature": 0,
            "text": {}, "tool_choice": "auto", "tools": [], "top_p": 1, "metadata": {},
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            "usage": {
                "input_tokens": counted["prompt_tokens"], "output_tokens": self.tokens,
                "total_tokens": counted["prompt_tokens"] + self.tokens,
                "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0},
            },
        }  # fmt: skip

    def responded(self) -> dict[str, Any]:
        """A whole response."""
        found = [part for _, part in self.parts()]
        text, end = "".join(part.text for part in found), found[-1].finish
        return self.response(text, "completed" if end == "stop" else "incomplete")

    def events(self) -> Iterator[Event]:
        """The events of a streamed response."""
        faults = self.question.faults
        for number, (name, data) in enumerate(self._events()):
            if name == "response.content_part.added" and "leaves events out" in faults:
                continue
            counted = {} if "no sequence numbers" in faults else {"sequence_number": number}
            yield ("" if "no names of events" in faults else name), {"type": name, **counted, **data}

    def _events(self) -> Iterator[Event]:
        at: dict[str, Any] = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
        for name in ("created", "in_progress"):
            yield f"response.{name}", {"response": self.response("", "in_progress")}
        yield "response.output_item.added", {"output_index": 0, "item": {"type": "message", "id": "msg_1"}}
        yield "response.content_part.added", {**at, "part": {"type": "output_text", "text": ""}}
        text, end = "", None
        for _, part in self.parts(stream=True):
            text, end = text + part.text, part.finish
            if part.text:
                yield "response.output_text.delta", {**at, "delta": part.text}
        yield "response.output_text.done", {**at, "text": text}
        yield "response.content_part.done", {**at, "part": {"type": "output_text", "text": text}}
        status = "completed" if end == "stop" else "incomplete"
        found = self.response(text, status)
        yield "response.output_item.done", {"output_index": 0, "item": found["output"][0]}
        yield f"response.{status}", {"response": found}


def completion(counted: Sequence[Counted]) -> dict[str, Any]:
    """A whole answer of completions, of one prompt or a list of them."""
    choices: list[dict[str, Any]] = []
    for each in counted:
        asked, faults = each.question.asked, each.question.faults
        for number in range(each.choices):
            parts = [part for index, part in each.parts() if index == number]
            echo = bool(asked.get("echo"))
            text = "".join(part.text for part in parts)
            entries = [token for part in parts for token in part.tokens]
            if echo and "echoes no log-probabilities" not in faults:
                entries = [*scored(each.question), *entries]
            choice: dict[str, Any] = {"index": len(choices), "finish_reason": parts[-1].finish, "logprobs": None}
            said = b"".join(VOCABULARY[token] for token in each.question.prompt).decode(errors="replace")
            choice["text"] = said + text if echo and "ignores echo" not in faults else text
            if asked.get("logprobs") is not None and "ignores logprobs" not in faults:
                choice["logprobs"] = lists(entries)
            if "prompt_logprobs" in asked and "ignores prompt_logprobs" not in faults:
                choice["prompt_logprobs"] = [
                    None if entry["logprob"] is None else {"1": {"logprob": entry["logprob"]}}
                    for entry in scored(each.question)
                ]
            choices.append(choice)
    prompt = sum(len(each.question.prompt) for each in counted)
    prompt *= 2 if "counts twice" in counted[0].question.faults else 1
    total = usage(prompt, sum(each.tokens for each in counted))
    return {**counted[0].head, "object": "text_completion", "choices": choices, "usage": total}


def scored(question: Question) -> list[dict[str, Any]]:
    """The prompt's tokens with their log-probabilities; the first has none."""
    found = [question.entry(question.prompt[:at], token, 1) for at, token in enumerate(question.prompt)]
    return [{**each, "logprob": each["logprob"] if at else None} for at, each in enumerate(found)]


def lists(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Log-probabilities in the shape of completions."""
    ends = [0]
    for each in entries:
        ends.append(ends[-1] + len(each["token"]))
    return {
        "tokens": [each["token"] for each in entries],
        "token_logprobs": [each["logprob"] for each in entries],
        "top_logprobs": [{other["token"]: other["logprob"] for other in each["top_logprobs"]} for each in entries],
        "text_offset": ends[:-1],
    }
