"""The dispatcher that every transport brings its requests to: who may ask, which version answers, what is counted."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from glassworks.errors import InputError, StorageError, Unauthenticated
from glassworks.serving.access.ledger import Usage
from glassworks.serving.codec.json_data import LARGE_BYTES, json_object
from glassworks.serving.core.explaining.rows import ExplainOptions
from glassworks.serving.core.model import LoadedModel
from glassworks.serving.core.schedule import schedule
from glassworks.serving.core.shadow import cast
from glassworks.serving.core.work import Work

if TYPE_CHECKING:
    from glassworks.contracts import Explanation, Tensors
    from glassworks.serving.access.gate import Gate
    from glassworks.serving.access.keys import Role
    from glassworks.serving.access.ledger import Ledger
    from glassworks.serving.core.engine import Engine

    Respond = Callable[[Tensors | None, Exception | None], None]

_T = TypeVar("_T")
_ANONYMOUS = "anonymous"
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
    key_id: str = field(default="", init=False)
    """Who was let in, and counts for that many `rows` from then on; empty before."""
    rows: int = field(default=0, init=False)
    refused: bool = field(default=False, init=False)


class Dispatcher:
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
        if not call.key_id:
            self.admit(call, len(next(iter(tensors.values()))))

        def done(work: Work) -> None:
            if work.usage is not None:  # it came in parts, or was never computed
                self.settle([work])
            if work.dropped:
                model.statistics.dropped += 1
                return
            if work.error is not None:
                respond(None, work.error)
                model.statistics.failed(type(work.error).__name__, _clock() - call.arrived_ns)
                return
            respond(work.outputs, None)
            model.statistics.answered(work.rows, *work.times(call.arrived_ns))
            self._trace(call, model, work)

        work = model.submit(tensors, done, timeout_ns, level, None if self._gate is None else call.key_id)
        if self._ledger is not None:
            work.usage = (call.key_id, model.name, model.version)
        shadow = self.engine.shadow(call.name) if call.version is None else None
        if shadow is not None and shadow is not model:
            self._cast(shadow, work)
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

        with self.counted(call, model):
            work = self.infer(call, model, await self._ready(call, model, tensors, parameters), parameters, respond)
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
        begun, computed_ns, ok = _clock(), 0, False
        try:
            with self.counted(call, model), self._of_content(call):
                self.admit(call, 1)
                answer, computed_ns = await model.looked(file, form)
            ok = True
        finally:
            self._record(call, model, "infer", computed_ns, ok)
        model.statistics.answered(1, begun - call.arrived_ns, 0, computed_ns, _clock() - begun - computed_ns)
        self._trace(call, model)
        return answer

    async def explain(
        self, call: Call, model: LoadedModel, tensors: Tensors, options: ExplainOptions
    ) -> list[Explanation]:
        """Explain each row. Raises what forbids it, InputError and Overloaded."""
        with self.counted(call, model):
            ready = await self._ready(call, model, tensors, {})
            if not call.key_id:
                self.admit(call, len(next(iter(ready.values()))))
        start, ok = _clock(), False
        try:
            found = await model.explain(ready, options, self._caller(call))
            ok = True
            return found
        finally:
            self._record(call, model, "explain", _clock() - start, ok)
            self._trace(call, model)

    async def learn(self, call: Call, model: LoadedModel, body: object) -> Mapping[str, int]:
        """Keep what people tell a model; in counts. Raises what forbids it, InputError and StorageError."""
        with self.counted(call, model), self._of_content(call):
            self.admit(call, 1)
            try:
                counts = await model.learn(body)
            except StorageError as error:
                self.engine.supervisor.suffers("feedback", error.problem)
                raise
        self.engine.supervisor.recovered("feedback")
        return counts

    async def read(self, call: Call, content: bytes | bytearray, of: Callable[[dict[str, Any]], _T]) -> _T:
        """Something of a JSON object; what is large is read on a thread, for who may ask now. Raises InputError."""
        if len(content) <= LARGE_BYTES:
            return of(json_object(content))
        return await self.beside(call, len(content), lambda: of(json_object(content)))

    async def beside(self, call: Call, size_bytes: int, work: Callable[[], _T]) -> _T:
        """What reading a large request gives, on a thread. Raises what forbids it, InputError and Overloaded."""
        if self._gate is not None:
            self._gate.expect(call.token)
        return await self.engine.threads.decoding.read(size_bytes, work, self._caller(call))

    async def decoded(self, call: Call, model: LoadedModel, tensors: Tensors, parameters: Mapping[str, Any]) -> Tensors:
        """Tensors of files as the model takes them. Raises what forbids it, before one is decoded, and InputError."""
        schedule(parameters)
        with self._of_content(call):
            self.admit(call, max(len(values) if values.ndim else 1 for values in tensors.values()))
            return await model.decoded(tensors)

    def _caller(self, call: Call) -> str | None:
        """Whom queues are fair to; without keys nobody is known."""
        return call.key_id if self._gate is not None else None

    def admit(self, call: Call, rows: int) -> None:
        """Count a request as used. Raises Unauthenticated, Forbidden and LimitExceeded."""
        call.key_id = _ANONYMOUS if self._gate is None else self._gate.admit(call.token, call.name, rows).key_id
        call.rows = rows

    @contextlib.contextmanager
    def counted(self, call: Call, model: LoadedModel) -> Iterator[None]:
        """Count what ends before the engine has it: an error, or a client that left."""
        try:
            yield
        except asyncio.CancelledError:
            model.statistics.dropped += 1
            raise
        except Exception as error:
            self.refuse(call, model, error)
            raise

    def refuse(self, call: Call, model: LoadedModel | None, error: Exception) -> None:
        """Count a request that did not come as far as the engine, once."""
        if model is not None and not call.refused:
            call.refused = True
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
        self._keep(entries)

    def _record(self, call: Call, model: LoadedModel, verb: str, spent_ns: int, ok: bool) -> None:
        if self._ledger is not None and call.rows:
            usage = Usage(call.key_id, model.name, model.version, 1, call.rows, 0, spent_ns // 1000, verb, ok)
            self._keep([usage])

    def _keep(self, entries: list[Usage]) -> None:
        """The ledger counts and logs what it cannot keep; the answers are right all the same."""
        if self._ledger is None or not entries:
            return
        try:
            self._ledger.record(entries)
        except StorageError:
            return
        except Exception as error:  # noqa: BLE001 - usage is not worth an answer
            self.engine.supervisor.failed("usage ledger", error)

    async def _ready(self, call: Call, model: LoadedModel, tensors: Tensors, parameters: Mapping[str, Any]) -> Tensors:
        checked = model.checked(tensors)
        return checked if checked is not None else await self.decoded(call, model, tensors, parameters)

    @contextlib.contextmanager
    def _of_content(self, call: Call) -> Iterator[None]:
        """What is refused for what it holds uses up nothing of a day; its caller's rate counts it all the same."""
        try:
            yield
        except InputError:
            if self._gate is not None and call.rows:
                self._gate.give_back(call.token, call.rows)
            call.rows = 0
            raise

    def _cast(self, shadow: LoadedModel, work: Work) -> None:
        try:
            cast(shadow, work)
        except Exception as error:  # noqa: BLE001 - the request itself is on its way
            self.engine.supervisor.failed("shadow traffic", error)

    def _trace(self, call: Call, model: LoadedModel, work: Work | None = None) -> None:
        if self.spans is None:
            return
        try:
            self.spans(call, model, work)
        except Exception as error:  # noqa: BLE001 - the answer is there
            self.engine.supervisor.failed("tracing", error)
