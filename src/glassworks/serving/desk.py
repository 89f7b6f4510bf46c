"""The desk that every transport brings its requests to: who may ask, which version answers, what is counted."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.errors import InputError, Overloaded, StorageError, Unauthenticated
from glassworks.serving.access.ledger import Usage
from glassworks.serving.batching import DEFAULT_LEVEL, LEVELS, Work
from glassworks.serving.explaining.rows import ExplainOptions
from glassworks.serving.model import LoadedModel

if TYPE_CHECKING:
    from glassworks.contracts import Explanation, Tensors
    from glassworks.serving.access.gate import Gate
    from glassworks.serving.access.keys import Role
    from glassworks.serving.access.ledger import Ledger
    from glassworks.serving.engine import Engine

    Respond = Callable[[Tensors | None, Exception | None], None]

_ANONYMOUS = "anonymous"
_RESERVED = "triton_"
_CLOSE = 1e-3
"""Answers of a shadow that differ by less are the same."""
_clock = time.perf_counter_ns


@dataclass(slots=True)
class Call:
    """A request as it comes: for which model, with which key, and since when (`time.perf_counter_ns`)."""

    name: str
    version: str | None = None
    token: bytes | None = None
    routing_key: str = ""
    trace: Mapping[str, str] = field(default_factory=dict)
    arrived_ns: int = field(default_factory=_clock)


class Desk:
    """Takes requests for an engine. Without a `gate` everybody may ask."""

    def __init__(self, engine: Engine, gate: Gate | None = None, ledger: Ledger | None = None) -> None:
        self.engine, self._gate, self._ledger = engine, gate, ledger
        engine.settle = self.settle
        self.spans: Callable[[Call, LoadedModel, Work | None], None] | None = None
        """Told of every answer, where traces are kept."""

    @property
    def guarded(self) -> bool:
        """Whether callers need keys."""
        return self._gate is not None

    def model(self, call: Call) -> LoadedModel:
        """The model that answers this request. Raises NotFound; Unauthenticated and Forbidden where keys are needed."""
        self.permit(call.token, model=call.name)
        return self.engine.chosen(call.name, call.version, call.routing_key)

    def permit(self, token: bytes | None, role: Role | None = "infer", model: str | None = None) -> None:
        """Let a holder of the role (None: any) pass who may ask that model. Raises Unauthenticated and Forbidden."""
        if self._gate is not None:
            self._gate.permit(token, role, model)

    def permit_all(self, token: bytes | None) -> None:
        """Let whoever may see what is told of all models together pass. Raises Unauthenticated and Forbidden."""
        if self._gate is not None:
            self._gate.permit_all(token)

    def visible(self, token: bytes | None, names: Iterable[str]) -> list[str]:
        """Those of the models that the caller may see. Raises Unauthenticated."""
        allowed = self._gate.models(token) if self._gate is not None else frozenset()
        return [name for name in names if not allowed or name in allowed]

    def known(self, token: bytes | None) -> bool:
        """Whether everything may be told to the caller of an open page: with a valid key, or where none is needed."""
        with contextlib.suppress(Unauthenticated):
            self.visible(token, ())
            return True
        return False

    def infer(
        self, call: Call, model: LoadedModel, tensors: Tensors, parameters: Mapping[str, Any], respond: Respond
    ) -> Work:
        """Compute checked tensors; `respond` gets outputs or an error on the event loop. Raises what forbids it."""
        timeout_ns, level = schedule(parameters)
        key_id = self._admit(call, len(next(iter(tensors.values()))))
        submitted = _clock()

        def done(work: Work) -> None:
            if work.usage is not None:  # it came in parts, or was never computed
                self.settle([work])
            if work.dropped:
                model.statistics.dropped += 1
                return
            if work.error is not None:
                model.statistics.failed(type(work.error).__name__, _clock() - call.arrived_ns)
                respond(None, work.error)
                return
            respond(work.outputs, None)
            model.statistics.answered(work.rows, *_times(call, submitted, work))
            if self.spans is not None:
                self.spans(call, model, work)

        work = model.submit(tensors, done, timeout_ns, level)
        if self._ledger is not None:
            work.usage = (key_id, model.name, model.version)
        shadow = self.engine.shadow(call.name) if call.version is None else None
        if shadow is not None and shadow is not model:
            _cast(shadow, work)
        return work

    async def compute(self, call: Call, model: LoadedModel, tensors: Tensors, parameters: Mapping[str, Any]) -> Tensors:
        """The outputs for tensors as they were sent. Raises what forbids it, InputError and Overloaded."""
        future: asyncio.Future[Tensors] = asyncio.get_running_loop().create_future()

        def respond(outputs: Tensors | None, error: Exception | None) -> None:
            if future.done():
                return
            if outputs is not None:
                future.set_result(outputs)
            elif error is not None:
                future.set_exception(error)

        try:
            checked = model.checked(tensors)
            ready = checked if checked is not None else await model.decoded(tensors)
            work = self.infer(call, model, ready, parameters, respond)
        except Exception as error:
            self.refuse(call, model, error)
            raise
        try:
            return await future
        finally:
            work.dropped = not future.done() or future.cancelled()

    async def look(self, call: Call, model: LoadedModel, file: bytes, form: str) -> tuple[dict[str, Any], bytes | None]:
        """The answer for one picture file in words and as a picture. Raises what forbids it and InputError.

        While nobody else asks, one thread does it all; else it goes the way of all requests.
        """
        if not model.alone:
            given = np.empty(1, object)
            given[0] = file
            return await model.shown(file, await self.compute(call, model, {next(iter(model.inputs)): given}, {}), form)
        try:
            key_id = self._admit(call, 1)
            begun = _clock()
            answer, computed_ns = await model.looked(file, form)
        except Exception as error:
            self.refuse(call, model, error)
            raise
        if self._ledger is not None:
            self._record([Usage(key_id, model.name, model.version, 1, 1, 0, computed_ns // 1000, "infer", True)])
        model.statistics.answered(1, begun - call.arrived_ns, 0, computed_ns, _clock() - begun - computed_ns)
        if self.spans is not None:
            self.spans(call, model, None)
        return answer

    async def explain(
        self, call: Call, model: LoadedModel, tensors: Tensors, options: ExplainOptions
    ) -> list[Explanation]:
        """Explain each row. Raises what forbids it, InputError and Overloaded."""
        try:
            checked = model.checked(tensors)
            ready = checked if checked is not None else await model.decoded(tensors)
            rows = len(next(iter(ready.values())))
            key_id = self._admit(call, rows)
        except Exception as error:
            self.refuse(call, model, error)
            raise
        start, ok = _clock(), False
        try:
            found = await model.explain(ready, options)
            ok = True
            return found
        finally:
            if self._ledger is not None:
                spent_us = (_clock() - start) // 1000
                self._record([Usage(key_id, model.name, model.version, 1, rows, 0, spent_us, "explain", ok)])
            if self.spans is not None:
                self.spans(call, model, None)

    async def learn(self, call: Call, model: LoadedModel, body: object) -> Mapping[str, int]:
        """Keep what people tell a model; in counts. Raises what forbids it, InputError and StorageError."""
        supervisor = self.engine.supervisor
        try:
            self._admit(call, 1)
            counts = await model.learn(body)
        except Exception as error:
            if isinstance(error, StorageError):
                supervisor.suffers("feedback", error.problem)
            self.refuse(call, model, error)
            raise
        supervisor.recovered("feedback")
        return counts

    def refuse(self, call: Call, model: LoadedModel | None, error: Exception) -> None:
        """Count a request that did not come as far as the engine."""
        if model is not None:
            model.statistics.failed(type(error).__name__, _clock() - call.arrived_ns)

    def settle(self, works: Sequence[Work]) -> None:
        """Write what was used, at once for a whole batch, before anybody gets an answer: nothing is lost in a kill."""
        if self._ledger is None:
            return
        entries = []
        for work in works:
            if work.usage is not None:
                spent_us = (work.computed_ns - work.started_ns) // 1000
                ok = work.error is None and not work.dropped
                entries.append(Usage(*work.usage, 1, work.rows, 0, spent_us, "infer", ok))
                work.usage = None
        self._record(entries)

    def _record(self, entries: list[Usage]) -> None:
        if self._ledger is not None and entries:
            # The ledger counts and logs what it cannot keep; the answers are right all the same.
            with contextlib.suppress(StorageError):
                self._ledger.record(entries)

    def _admit(self, call: Call, rows: int) -> str:
        return _ANONYMOUS if self._gate is None else self._gate.admit(call.token, call.name, rows).key_id


def _times(call: Call, submitted_ns: int, work: Work) -> tuple[int, int, int, int]:
    """How long a request was read, waited, was computed and written, in nanoseconds."""
    return (
        submitted_ns - call.arrived_ns,
        work.started_ns - work.queued_ns,
        work.computed_ns - work.started_ns,
        _clock() - work.computed_ns,
    )


def schedule(parameters: Mapping[str, Any]) -> tuple[int, int]:
    """Timeout in nanoseconds (0: none) and priority level of a request's parameters. Raises InputError."""
    if not parameters:
        return 0, DEFAULT_LEVEL
    for name in parameters:
        if name.startswith(_RESERVED):
            raise InputError(f"the parameter '{name[:100]}' is reserved", f"do not begin a name with '{_RESERVED}'")
    timeout_us, level = parameters.get("timeout", 0), parameters.get("priority", 0)
    if isinstance(timeout_us, bool) or not isinstance(timeout_us, int) or not 0 <= timeout_us < 2**53:
        raise InputError(f"timeout is {timeout_us!r}", "give microseconds, a whole number; 0 is without limit")
    if isinstance(level, bool) or not isinstance(level, int) or not 0 <= level <= LEVELS:
        raise InputError(f"priority is {level!r}", f"give 1 (first) to {LEVELS} (last); 0 is {DEFAULT_LEVEL}")
    return timeout_us * 1000, level or DEFAULT_LEVEL


def _cast(shadow: LoadedModel, work: Work) -> None:
    """Let another version compute the same; its answer is compared, counted and thrown away."""

    def done(other: Work) -> None:
        statistics = shadow.statistics
        if other.error is not None:
            statistics.failed(type(other.error).__name__, _clock() - other.queued_ns)
            return
        spent = other.computed_ns - other.started_ns
        statistics.answered(other.rows, 0, other.started_ns - other.queued_ns, spent, 0)
        if work.error is None and not work.dropped and work.outputs:
            statistics.shadow_compared += other.rows
            statistics.shadow_differed += _differing(work.outputs, other.outputs)

    try:
        # A copy: the request's own bytes may be gone when the shadow's turn comes.
        shadow.submit({name: values.copy() for name, values in work.tensors.items()}, done, level=LEVELS)
    except (Overloaded, InputError):
        shadow.statistics.dropped += 1


def _differing(outputs: Tensors, others: Tensors) -> int:
    """In how many rows some output differs."""
    rows = len(next(iter(outputs.values())))
    differs = np.zeros(rows, bool)
    for name, values in outputs.items():
        other = others.get(name)
        if other is None or other.shape != values.shape or other.dtype != values.dtype:
            return rows
        if values.dtype.kind in "fV":
            near = np.isclose(
                values.astype(np.float64), other.astype(np.float64), atol=_CLOSE, rtol=_CLOSE, equal_nan=True
            )
        else:
            near = values == other
        differs |= ~near.reshape(rows, -1).all(axis=1)
    return int(differs.sum())
