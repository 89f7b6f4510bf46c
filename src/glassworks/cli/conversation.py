"""A conversation with an opened language model: what was said, the answer as it comes, and how sure it was."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.contracts import Budget, Generation
from glassworks.errors import InputError, Unsupported

if TYPE_CHECKING:
    from glassworks.cli.library import Library
    from glassworks.contracts import Chunk, Explanation
    from glassworks.packaging.opened import OpenedBundle

_ALTERNATIVES = 3
_PATIENCE_MS = 20_000.0
"""For one explanation: more parts than that allows are joined."""


@dataclass(frozen=True, kw_only=True)
class Token:
    """A token of an answer, its probability, and what could have stood there: (token, probability), best first."""

    text: str
    probability: float
    alternatives: tuple[tuple[str, float], ...]


class Conversation:
    """Turns of a user and a model; `parameters` are those of `Session.stream` for each answer."""

    def __init__(self, opened: OpenedBundle, system: str, parameters: Mapping[str, Any]) -> None:
        """Raises Unsupported for a model that writes no text, or holds no conversations."""
        name = opened.manifest.name
        if not isinstance(opened.task, Generation):
            raise Unsupported(f"'{name}' is a model for {opened.manifest.task}, it writes no text", "name another one")
        if not opened.manifest.preprocessing.get("chat_template"):
            raise Unsupported(
                f"'{name}' holds no conversations: it has no chat template",
                f"glassworks predict {name} 'a text to continue', or import it with model.chat_template",
            )
        self._opened, self._session = opened, opened.session("predict")
        self._task, self._sessions = opened.task, opened.session
        self._about: Mapping[str, Any] = opened.manifest.preprocessing
        self._parameters = dict(parameters)
        self.system, self.messages = system, list[dict[str, str]]()
        self.library: Library | None = None
        """Where answers come from, where that is an index."""
        self.last: Chunk | None = None
        """The last chunk of the last answer, with its counts."""
        self._prompt, self._answer = list[int](), list[int]()

    def ask(self, text: str) -> Generator[str, None, None]:
        """The parts of the answer; closing the iterator ends it, and what was said until then stays said.

        Raises InputError, such as for a conversation that has become longer than the context: then nothing was said.
        """
        turn = {"role": "user", "content": text}
        messages: Sequence[Mapping[str, str]] = [*self._begin(), turn]
        if self.library is not None:
            messages = self.library.before(messages, self._fits)
        prompt = [token["id"] for token in self._tokens(messages)]
        said, ids = list[str](), list[int]()
        try:
            with contextlib.closing(self._stream({"messages": messages, "logprobs": True})) as chunks:
                for chunk in chunks:
                    self.last = chunk
                    ids += [token["id"] for token in _listed(chunk, "logprobs")]
                    if part := _text(chunk, "generated"):
                        said.append(part)
                        yield part
        finally:
            if said:
                self.messages = [*self.messages, turn, {"role": "assistant", "content": "".join(said)}]
                self._prompt, self._answer = prompt, ids

    def why(self) -> Sequence[Token]:
        """The tokens of the last answer with what else could have stood there. Raises InputError before the first."""
        if not self._answer:
            raise InputError("nothing was answered yet", "ask something first")
        ids = [*self._prompt, *self._answer]
        asked = {"prompt_ids": ids, "prompt_logprobs": _ALTERNATIVES, "max_tokens": 1}
        with contextlib.closing(self._session.stream(_row(), asked)) as chunks:
            scored = next(found for chunk in chunks if (found := _listed(chunk, "prompt_logprobs")))
        return [_token(entry) for entry in scored[len(self._prompt) :]]

    def driven(self) -> list[tuple[str, list[float]]]:
        """The sentences of the last answer, each with how much every passage before it raised its log-probability
        (nats). Raises InputError where nothing was answered from passages."""
        if self.library is None or not self.library.passages or not self._answer:
            raise InputError("nothing was answered from passages yet", "ask something, with --sources INDEX")
        from glassworks.explanation import explain

        answer, budget = self.messages[-1]["content"], Budget()
        asked = self.library.asking(answer)
        subject = self._task.prompted(_row(), self._sessions, asked, budget)
        how: dict[str, Any] = {"seed": 0, "labels": (), "artifact_sha256": "", "grade": False}
        found = explain(subject, method="leave_one_out", target=None, budget=budget, **how)
        starts = [begin for _, begin, _ in asked["passages"]]
        message = asked["passages"][0][0]
        own = [number for start in starts for number, part in enumerate(found.names) if _is(part, message, start)]
        return [
            (answer[begin:end], [values[number] for number in own])
            for (begin, end), values in zip(asked["spans"], found.details["span_values"], strict=True)
        ]

    def reasons(self, part: str = "", instead: str = "") -> Explanation:
        """What each part of the conversation did to the last answer, or to a `part` of it, rather than to another text
        in its place. Raises InputError before the first answer, and for a part that it has not.
        """
        if not self._answer:
            raise InputError("nothing was answered yet", "ask something first")
        answer = self.messages[-1]["content"]
        start = answer.find(part)
        if start < 0:
            raise InputError(f"the last answer has no '{part[:100]}'", "write a part of it as it stands there")
        end = start + len(part) if part else len(answer)
        asked: dict[str, Any] = {"messages": [*self._system(), *self.messages[:-1]]}
        if instead:
            asked |= {"answer": answer[:end], "against": answer[:start] + instead}
        else:
            asked |= {"answer": self._answer, **({"span": [start, end]} if part else {})}
        budget = self._opened.budget(_PATIENCE_MS)
        return self._opened.explain(np.array([""], object), asked=asked, budget=budget)

    def clear(self) -> None:
        """Forget what was said."""
        self.messages, self._answer, self.last = [], [], None

    def _begin(self) -> list[dict[str, str]]:
        return [*self._system(), *self.messages]

    def _system(self) -> list[dict[str, str]]:
        return [{"role": "system", "content": self.system}] if self.system else []

    def _fits(self, messages: Sequence[Mapping[str, str]]) -> bool:
        """Whether the context has room for them and an answer."""
        context = int(self._about["context"])
        answer = self._parameters.get("max_tokens") or min(int(self._about["max_tokens"]), context // 4)
        try:
            return len(self._tokens(messages)) + int(answer) <= context
        except InputError as error:
            if "context_length_exceeded" in error.problem:
                return False
            raise

    def _tokens(self, messages: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
        chunks = list(self._session.stream(_row(), {"messages": list(messages), "tokenize": True}))
        return _listed(chunks[0], "prompt_tokens")

    def _stream(self, more: Mapping[str, Any]) -> Any:
        return self._session.stream(_row(), {**self._parameters, **more})


def _is(part: Mapping[str, Any], message: int, start: int) -> bool:
    return bool(part["message"] == message and part["start"] == start)


def _row() -> dict[str, Any]:
    found = np.empty(1, object)
    found[0] = b""
    return {"text": found}


def _text(chunk: Chunk, name: str) -> str:
    return str(chunk.outputs[name].tolist()[0].decode()) if name in chunk.outputs else ""


def _listed(chunk: Chunk, name: str) -> list[dict[str, Any]]:
    return list(json.loads(_text(chunk, name) or "[]"))


def _token(entry: Mapping[str, Any]) -> Token:
    return Token(
        text=entry["token"],
        probability=float(np.exp(entry["logprob"])),
        alternatives=tuple((each["token"], float(np.exp(each["logprob"]))) for each in entry["top"]),
    )
