"""Answers from an index of texts: passages are found for the last question, put before it, and cited behind the answer.
A field that only this server has."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from glassworks.contracts import Retrieval
from glassworks.errors import InputError
from glassworks.serving.failures import WrongParameter
from glassworks.serving.protocols._openai.answering import Asking
from glassworks.serving.protocols._openai.fields import Fields
from glassworks.serving.protocols._openai.listing import id_of, named
from glassworks.serving.requests import InferRequest, call_of

if TYPE_CHECKING:
    from glassworks.serving.core.dispatcher import Dispatcher
    from glassworks.serving.protocols._openai.requests import Asked
    from glassworks.serving.transports.http.exchange import Exchange

    _Asked = TypeVar("_Asked", bound=Asked)

PATH = "glassworks.sources"
TOP, MOST = 5, 20
_SENTENCES = 128
_AROUND = 64
"""Tokens of a message beside its content, at most."""


@dataclass(frozen=True, slots=True)
class Sources:
    """From which index, and from how many passages at most."""

    index: str
    top: int


NONE = Sources("", 0)


def sources_of(fields: Fields) -> Sources | None:
    """Those that a request names; None where it says nothing, and none for false. Raises WrongParameter."""
    value = fields.take("sources")
    if value is None or value is False:
        return None if value is None else NONE
    if not isinstance(value, dict):
        raise fields.wrong("sources", value, 'give an object such as {"index": "NAME"}, or false for none')
    options = Fields(value, PATH)
    index = options.needed("index", "name a served model of the family passage_index")
    if not isinstance(index, str) or not index:
        raise options.wrong("index", index, "name a served model of the family passage_index")
    found = Sources(index, options.whole("top", TOP, 1, MOST) or TOP)
    options.end()
    return found


@dataclass(frozen=True, slots=True)
class Grounds:
    """The passages that stand before a question, and those that were found and left out of it."""

    dispatcher: Dispatcher
    task: Retrieval
    index: str
    passages: Sequence[Mapping[str, Any]]
    left_out: Sequence[str]

    async def shown(self, answer: str) -> dict[str, Any]:
        """What is told beside an answer: the passages, and which of its sentences stands on which."""
        cite = functools.partial(self.task.cited, answer, self.passages)
        citations = await self.dispatcher.models.threads.decoding.read(len(answer), cite)
        found: dict[str, Any] = {"index": self.index, "passages": self.passages, "citations": citations}
        if self.left_out:
            found |= {"left_out": self.left_out, "reason": "the context has no room for them"}
        return found

    def sentences(self, answer: str) -> list[tuple[int, int]]:
        """Characters (start, end) of each sentence of an answer; of a very long one, of the first."""
        return self.task.sentences(answer)[:_SENTENCES]


async def grounded(
    dispatcher: Dispatcher, exchange: Exchange, asked: _Asked, conversation: str = "messages"
) -> tuple[_Asked, Grounds | None]:
    """The request, whose conversation is in the field of that name, with passages before its last question, where it or
    the model's job names an index: as many of the best as the context has room for. Raises what forbids the index to
    the caller, and WrongParameter where no passage fits."""
    sources = _meant(dispatcher, exchange, asked)
    if not sources.index:
        return asked, None
    task, index, found = await _found(dispatcher, exchange, asked, sources, conversation)
    count = await _fitting(dispatcher, exchange, asked, task, found)
    if found and not count:
        raise _wrong(
            "no passage fits into the context beside the conversation and the answer",
            "send a shorter conversation, or ask for a shorter answer: max_tokens",
        )
    prompt = dataclasses.replace(asked.prompts[0], parameters=_with(asked, task, found[:count]))
    left_out = [str(each["id"]) for each in found[count:]]
    grounds = Grounds(dispatcher, task, index, _placed(asked, task, found[:count]), left_out)
    return dataclasses.replace(asked, prompts=[prompt]), grounds


def _meant(dispatcher: Dispatcher, exchange: Exchange, asked: Asked) -> Sources:
    """Those of the request, else those of the model's job."""
    if asked.sources is not None:
        return asked.sources
    job = Asking(dispatcher, exchange, asked.model, {}).model.manifest.job.get("model")
    index = job.get("sources") if isinstance(job, dict) else ""
    return Sources(str(index), TOP) if index else NONE


async def _found(
    dispatcher: Dispatcher, exchange: Exchange, asked: Asked, sources: Sources, conversation: str
) -> tuple[Retrieval, str, Sequence[Mapping[str, Any]]]:
    """The index's task and its full name, and what it finds for the last question: a request of its own, of the same
    key."""
    call = call_of(exchange.headers, *id_of(sources.index), exchange.arrived_ns)
    index = named(dispatcher, call)
    task = index.opened.task
    if not isinstance(task, Retrieval):
        raise _wrong(f"'{index.name}' is for {index.manifest.task} and finds no passages", "name an index of passages")
    try:
        question = task.question(asked.prompts[0].parameters["messages"])
    except InputError as error:
        raise WrongParameter(error.problem, error.mend, conversation) from None
    call.version = index.version
    row = np.empty(1, object)
    row[0] = task.asked(question, sources.top).encode("utf-8", "replace")
    (spec,) = index.manifest.signature.inputs
    answer = await dispatcher.infer(call, lambda _: InferRequest({spec.name: row}))
    return task, f"{index.name}@{index.version}", task.found(next(iter(answer.outputs.values()))[0])


def _with(asked: Asked, task: Retrieval, passages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    parameters = asked.prompts[0].parameters
    return {**parameters, "messages": task.grounded(parameters["messages"], passages)}


def _placed(asked: Asked, task: Retrieval, passages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Passages with where each stands in the prompt, as explanations by passages take it."""
    found = task.located(asked.prompts[0].parameters["messages"], passages) if passages else ()
    return [{**passage, "prompt": list(each)} for passage, each in zip(passages, found, strict=True)]


async def _fitting(
    dispatcher: Dispatcher, exchange: Exchange, asked: Asked, task: Retrieval, found: Sequence[Mapping[str, Any]]
) -> int:
    """How many of the passages the context has room for, beside an answer of `max_tokens`, else of a quarter of it.

    A token is a byte at least; only where that does not suffice tokens are counted, in requests of their own.
    """
    about: Mapping[str, Any] = Asking(dispatcher, exchange, asked.model, {}).model.manifest.preprocessing
    context = int(about["context"])
    answer = asked.prompts[0].parameters.get("max_tokens") or min(int(about["max_tokens"]), context // 4)
    room = context - int(answer)
    few, many = 0, len(found)
    if _bytes(_with(asked, task, found)) <= room:
        return many
    while few < many:
        half = (few + many + 1) // 2
        if await _tokens(Asking(dispatcher, exchange, asked.model, {}), _with(asked, task, found[:half])) <= room:
            few = half
        else:
            many = half - 1
    return few


def _bytes(parameters: Mapping[str, Any]) -> float:
    if parameters.get("tools"):
        return float("inf")
    contents = (str(message.get("content") or "") for message in parameters["messages"])
    return sum(_AROUND + len(content.encode("utf-8", "replace")) for content in contents)


async def _tokens(asking: Asking, parameters: Mapping[str, Any]) -> float:
    """Of a conversation; infinitely many where it is longer than any context."""
    about = {name: parameters[name] for name in ("messages", "tools") if name in parameters}
    try:
        first, parts = await asking.open("", {**about, "tokenize": True})
    except InputError as error:
        if "context_length_exceeded" in error.problem:
            return float("inf")
        raise
    async with contextlib.aclosing(parts):
        return first.chunk.prompt_tokens if first.chunk is not None else float("inf")


def _wrong(problem: str, mend: str) -> WrongParameter:
    return WrongParameter(problem, mend, f"{PATH}.index")
