"""One streamed answer: in its turn, within its key's budgets, and counted as it is given."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from glassworks.errors import DeadlineExceeded, Overloaded
from glassworks.serving.access.ledger import Usage
from glassworks.serving.core.schedule import schedule

if TYPE_CHECKING:
    from glassworks.contracts import Chunk, Tensors
    from glassworks.serving.access.budgets import Streams
    from glassworks.serving.core.admission import Admission
    from glassworks.serving.core.model import LoadedModel
    from glassworks.serving.requests import Call

_NOT_BEGUN = (Overloaded, DeadlineExceeded, asyncio.CancelledError, GeneratorExit)
"""What costs nothing while no engine works for the answer."""
_clock = time.perf_counter_ns


class Streamed:
    """The answer to one row of an admitted call: `open`, `reserve`, `start`, then `next` until the last chunk, and in
    any case `end`.

    Tokens are counted here and nowhere else: each before whoever asked gets it, so that no kill takes it away; those of
    the prompt when the engine begins to work for them.
    """

    def __init__(
        self,
        call: Call,
        model: LoadedModel,
        admission: Admission,
        tensors: Tensors,
        parameters: Mapping[str, Any],
        caller: str | None,
    ) -> None:
        """Raises InputError for its schedule, Overloaded where no more may wait, and Forbidden for who may not see what
        the model learned from."""
        if parameters.get("nearest"):
            admission.permit(call.token, "viewer", model.name)
        self._timeout_ns, level = schedule(parameters)
        self._level = call.level or level
        self._call, self._model, self._admission = call, model, admission
        self._slot = model.slots.enter(caller)
        self._stream, self._tokens = model.stream(tensors, parameters), admission.tokens(call)
        self._counted = (0, 0, 0)
        self._spent_ns, self._begun_ns = 0, _clock()
        self._begun = self._ended = self._started = False
        self.leads = False
        """Whether it is the one that counts its call as a request."""
        self.first: Chunk | None = None
        self.streams: Streams | None = None
        """What it holds of the answers that its key may have under way."""

    async def open(self) -> Chunk | None:
        """The first chunk: whatever forbids the answer is raised here.

        A model that writes has done nothing else by then, and so has no slot yet. Others begin to work with it.
        """
        if not self._model.writes:
            await self.start()
        self.first = await self._computed()
        if self.first is not None and self.first.completion_tokens:
            self._count(self.first)
        return self.first

    def reserve(self) -> None:
        """Set aside the tokens that it may use. Raises InputError and LimitExceeded."""
        if self.first is not None and not self._begun:
            self._tokens.reserve(self.first.prompt_tokens, self.first.max_tokens)

    async def start(self) -> None:
        """Return when it has a slot. Raises DeadlineExceeded."""
        if not self._started:
            self._started = True
            await self._slot.wait(self._timeout_ns, self._level)

    async def next(self) -> Chunk | None:
        """The next chunk, None at the end, once it has a slot. Raises what the engine raises."""
        await self.start()
        if self.first is not None and not self._begun:
            self._count(self.first)
        chunk = await self._computed()
        if chunk is not None:
            self._count(chunk)
        return chunk

    def end(self, error: BaseException | None = None) -> None:
        """Free all that it holds and write how it ended, once: whole, or with what ended it."""
        if self._ended:
            return
        self._ended = True
        for kept in (self._stream, self._tokens, self.streams):
            if kept is not None:
                kept.close()
        self._slot.leave()
        if error is not None and not self._begun and isinstance(error, _NOT_BEGUN):
            if not self._call.begun:
                self._admission.give_back(self._call)
            return
        if error is not None or self._spent_ns or not self._begun:
            self._note(error is None)

    def answered(self, rows: int) -> None:
        """Count its call as one that was answered."""
        waited_ns, spent_ns = self._slot.waited_ns, _clock() - self._begun_ns
        arrived_ns = self._begun_ns - self._call.arrived_ns
        self._model.statistics.answered(rows, arrived_ns, waited_ns, max(0, spent_ns - waited_ns), 0)

    async def _computed(self) -> Chunk | None:
        start = _clock()
        try:
            return await self._stream.next()
        finally:
            self._spent_ns += _clock() - start

    def _count(self, chunk: Chunk) -> None:
        """Write what was used since the last one."""
        now = (chunk.prompt_tokens, chunk.cached_tokens, chunk.completion_tokens)
        prompt, cached, completion = (max(0, after - before) for after, before in zip(now, self._counted, strict=True))
        if self._begun and not (prompt or cached or completion):
            return
        counted = self._model.statistics
        if completion and not self._counted[2]:
            counted.first_token.add(_clock() - self._call.arrived_ns)
        counted.prompt_tokens += prompt
        counted.cached_tokens += cached
        counted.completion_tokens += completion
        self._counted = max(now[0], self._counted[0]), max(now[1], self._counted[1]), max(now[2], self._counted[2])
        self._tokens.use(prompt + completion)
        self._note(True, (prompt, cached, completion))

    def _note(self, ok: bool, of_tokens: tuple[int, int, int] = (0, 0, 0)) -> None:
        """Write that much to the ledger. A call is one request and fails once, however many answers it has."""
        call, spent_us = self._call, self._spent_ns // 1000
        requests = (0, 0) if call.begun else (1, call.rows)
        self.leads = self.leads or not call.begun
        ok, call.failed = ok or call.failed, call.failed or not ok
        call.begun, self._begun, self._spent_ns = True, True, 0
        usage = Usage("", "", "", *requests, of_tokens[0] + of_tokens[2], spent_us, "infer", ok, *of_tokens)
        self._admission.note(call, self._model, usage)
