"""Asks a model that writes: one stream a choice, opened before anything is answered."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from glassworks.contracts import Generation
from glassworks.errors import InputError, LimitExceeded, Unsupported
from glassworks.serving.codec.json_data import LARGE_BYTES, json_object
from glassworks.serving.failures import WrongParameter
from glassworks.serving.protocols._openai.limits import limit_headers
from glassworks.serving.protocols._openai.listing import id_of, named
from glassworks.serving.requests import Call, InferRequest, call_of
from glassworks.serving.transports.http.exchange import failure

if TYPE_CHECKING:
    from glassworks.serving.core.dispatcher import Dispatcher
    from glassworks.serving.core.model import LoadedModel
    from glassworks.serving.results import InferResult
    from glassworks.serving.transports.http.exchange import Answer, Exchange

    Parts = AsyncGenerator[InferResult, None]

_AT_ONCE = 8
"""Choices of a whole answer that are generated together."""
_WORDS = re.compile(r"\w+")
_SAID = 100
"""Characters of an engine's problem in which it names the parameter."""
_T = TypeVar("_T")


async def object_of(dispatcher: Dispatcher, exchange: Exchange) -> dict[str, Any]:
    """The JSON object that was sent; a large one is read on a thread. Raises InputError, Overloaded."""
    content = exchange.content()
    if len(content) <= LARGE_BYTES:
        return json_object(content)
    return await dispatcher.models.threads.decoding.read(len(content), functools.partial(json_object, content))


class Asking:
    """One request of a client to one model, whatever is to be answered. Raises NoModel, WrongParameter, and what
    forbids the request."""

    def __init__(self, dispatcher: Dispatcher, exchange: Exchange, model: str, names: Mapping[str, str]) -> None:
        """`model` may have a version or an alias behind `@`. `names` are the client's words for parameters of the
        session, where they differ."""
        self.dispatcher, self._names, self._target = dispatcher, names, exchange.target
        self.call: Call = call_of(exchange.headers, *id_of(model), exchange.arrived_ns)
        self.model = named(dispatcher, self.call)
        if not isinstance(self.model.opened.task, Generation):
            raise WrongParameter(
                f"the model '{model[:200]}' is for {self.model.manifest.task} and writes no text",
                "ask a model for text generation", "model", "model_not_supported",
            )  # fmt: skip
        # All choices are of one version, however the traffic is split.
        self.call.version = self.model.version

    @property
    def fingerprint(self) -> str:
        """Which weights answer: the same ones give the same seeded answers."""
        digest = self.model.opened.bundle.artifact_sha256("predict")
        return f"{self.model.name}@{self.model.version}-{digest[:12]}"

    async def limited(self, answer: Awaitable[Answer]) -> Answer:
        """The answer with what the key may still do today, where it has limits."""
        try:
            found = await answer
        except LimitExceeded as error:
            found = failure(error, self._target)
        left = self.dispatcher.admission.left(self.call)
        if left is not None:
            found.headers += limit_headers(left)
        return found

    async def open(self, text: str, parameters: Mapping[str, Any]) -> tuple[InferResult, Parts]:
        """The first part of an answer, which comes before any work, and all that follow; close them."""
        (spec,) = self.model.manifest.signature.inputs
        row = np.empty(1, object)
        row[0] = self._bytes(text)

        def read(model: LoadedModel) -> InferRequest:
            return InferRequest({spec.name: row}, parameters)

        try:
            parts = await self.dispatcher.stream(self.call, read)
            first = await anext(parts, None)
        except InputError as error:
            raise self._named(error, parameters) from None
        if first is None:
            raise RuntimeError("the engine gave no first part")
        return first, parts

    def _bytes(self, text: str) -> bytes:
        try:
            return text.encode()
        except UnicodeEncodeError as error:
            raise WrongParameter(
                f"the prompt holds half of a surrogate pair at character {error.start}",
                "send whole characters",
                "prompt",
            ) from None

    def _named(self, error: InputError, parameters: Mapping[str, Any]) -> InputError:
        """The engine's refusal with the client's name of the parameter that it is about."""
        if type(error) not in (InputError, Unsupported):
            return error
        words = _WORDS.findall(error.problem[:_SAID])
        word = next((each for each in words if each in parameters or each in self._names), None)
        code = "unsupported_parameter" if isinstance(error, Unsupported) else "invalid_value"
        begins = words[0] if words else ""
        code = begins if begins == "context_length_exceeded" else code
        param = self._names.get(word, word) if word is not None else None
        return WrongParameter(error.problem, error.mend, param, code)


async def each(count: int, make: Callable[[int], Awaitable[_T]]) -> list[_T]:
    """What `make` gives for each choice, some at a time; where one fails, the others are cancelled."""
    if count == 1:
        return [await make(0)]
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(choice: int) -> _T:
        async with room:
            return await make(choice)

    tasks = [asyncio.ensure_future(one(choice)) for choice in range(count)]
    try:
        return await asyncio.gather(*tasks)
    finally:
        await _ended(tasks)


@contextlib.asynccontextmanager
async def closing_all(streams: Sequence[Parts]) -> AsyncGenerator[None, None]:
    """Close streams at the end, whatever it is: each is cancelled."""
    async with contextlib.AsyncExitStack() as stack:
        for stream in streams:
            await stack.enter_async_context(contextlib.aclosing(stream))
        yield


async def open_all(asking: Asking, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> list[tuple[InferResult, Parts]]:
    """Streams for texts with their parameters, at the same time; where one is refused, none stays open."""
    tasks = [asyncio.ensure_future(asking.open(*row)) for row in rows]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        await _ended(tasks)
        for task in tasks:
            if not task.cancelled() and task.exception() is None:
                await task.result()[1].aclose()
        raise


async def interleaved(streams: Sequence[Parts]) -> AsyncGenerator[tuple[int, InferResult], None]:
    """Parts as they come, with the number of their stream."""
    if len(streams) == 1:
        async for part in streams[0]:
            yield 0, part
        return
    async with contextlib.aclosing(_raced(streams)) as parts:
        async for numbered in parts:
            yield numbered


async def _raced(streams: Sequence[Parts]) -> AsyncGenerator[tuple[int, InferResult], None]:
    waiting = {asyncio.ensure_future(anext(stream, None)): number for number, stream in enumerate(streams)}
    try:
        while waiting:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in sorted(done, key=waiting.__getitem__):
                number, part = waiting.pop(task), task.result()
                if part is not None:
                    waiting[asyncio.ensure_future(anext(streams[number], None))] = number
                    yield number, part
    finally:
        await _ended(list(waiting))


async def _ended(tasks: Sequence[asyncio.Future[Any]]) -> None:
    """Cancel what is left, and wait for its end: a generator cannot be closed while it runs."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
