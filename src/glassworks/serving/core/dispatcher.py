"""The dispatcher that every protocol brings its requests to: who may ask, which version answers, what is counted."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from glassworks.errors import ServingError, StorageError, Unsupported
from glassworks.serving.codec.json_data import LARGE_BYTES, json_object
from glassworks.serving.core.admission import Admission
from glassworks.serving.core.answering import UNREAD_S, Answering
from glassworks.serving.core.charging import charged
from glassworks.serving.core.model import LoadedModel
from glassworks.serving.core.schedule import schedule
from glassworks.serving.core.shadow import cast
from glassworks.serving.core.waiting import answer, only, waited
from glassworks.serving.core.work import Work
from glassworks.serving.requests import Call, ExplainRequest, InferRequest, check_outputs
from glassworks.serving.results import ExplainResult, InferResult

if TYPE_CHECKING:
    from glassworks.contracts import Chunk, Tensors
    from glassworks.serving.access.gate import Gate
    from glassworks.serving.access.ledger import Ledger
    from glassworks.serving.core.models import Models
    from glassworks.serving.requests import Read

    Respond = Callable[[InferResult | None, Exception | None], None]
    """Gets the result or the error of a request, once, on the event loop."""

_T = TypeVar("_T")
_clock = time.perf_counter_ns


class Dispatcher:
    """Takes requests for loaded models. Without a `gate` everybody may ask.

    A protocol brings who asks and how to read the request (`read`), which is called only for who may ask. `long_bytes`
    is the size of a request that takes long to read: beyond LARGE_BYTES that is done on a thread. Everything raises
    what forbids a request (NotFound, Unauthenticated, Forbidden, LimitExceeded), InputError for what is wrong with it,
    and Overloaded; whatever ends a request is counted once.
    """

    def __init__(
        self, models: Models, gate: Gate | None = None, ledger: Ledger | None = None, unread_s: float = UNREAD_S
    ) -> None:
        self.models = models
        self.admission = Admission(gate, ledger, models.supervisor)
        models.settle = self.admission.settle
        self.spans: Callable[[Call, LoadedModel, Work | None], None] | None = None
        """Called with every answer, where traces are kept; it must not raise."""
        self._tasks: set[asyncio.Task[InferResult]] = set()
        self._answering = Answering(self.admission, unread_s, self._ended)

    def model(self, call: Call) -> LoadedModel:
        """The model that answers this request. Raises NotFound; Unauthenticated and Forbidden where keys are needed."""
        self.admission.permit(call.token, model=call.name)
        return self.models.chosen(call.name, call.version, call.routing_key)

    def begin(
        self, call: Call, read: Read[InferRequest], respond: Respond, long_bytes: int = 0
    ) -> Callable[[], object]:
        """Answer a request through `respond`, without a task where it can do without; returns what cancels it."""
        model = self.model(call)
        if long_bytes > LARGE_BYTES:
            return self._spawn(self.answer(call, model, read, long_bytes), respond)
        try:
            request = read(model)
            ready = _checked(model, request)
            if ready is not None and not model.writes:
                return self._submit(call, model, request, ready, respond).drop
        except Exception as error:
            self._refuse(call, model, error)
            raise
        return self._spawn(self._computed(call, model, request, ready), respond)

    async def infer(self, call: Call, read: Read[InferRequest], long_bytes: int = 0) -> InferResult:
        """The answer to a request."""
        return await self.answer(call, self.model(call), read, long_bytes)

    async def stream(
        self, call: Call, read: Read[InferRequest], long_bytes: int = 0
    ) -> AsyncGenerator[InferResult, None]:
        """The answer to a request in its parts: one where the model does not stream. Close the generator to cancel.

        Whatever forbids the request is raised here: the first part is there when this returns. What fails later is
        raised between the parts. Several streams of the same call, one for each of its answers, are one request.
        """
        model = self.model(call)
        request, ready = await self._received(call, model, read, long_bytes)
        if not model.streams:
            return only(await self._computed(call, model, request, ready))
        with self.counted(call, model):
            return await self._answering.parts(*await self._admitted(call, model, request, ready))

    async def generate(self, call: Call, read: Read[InferRequest], long_bytes: int = 0) -> tuple[InferResult, Chunk]:
        """The whole answer of a model that writes, with all outputs of its parts, see `joining.joined`; and the counts
        of its tokens, and why it ended. Raises Unsupported for other models."""
        model = self.model(call)
        if not model.writes:
            raise Unsupported(f"the model '{model.name}' writes no text", "ask a model for text generation")
        result = await self.answer(call, model, read, long_bytes)
        if result.chunk is None:
            raise ServingError("the engine gave no answer", "send the request again")
        return result, result.chunk

    async def explain(self, call: Call, read: Read[ExplainRequest], long_bytes: int = 0) -> ExplainResult:
        """The explanation of each row."""
        model, call.verb = self.model(call), "explain"
        with self.counted(call, model):
            request = await self._read(call, model, read, long_bytes)
            check_outputs(request, model.explained)
            ready = model.checked(request.tensors)
            if ready is None:
                ready = await self._decoded(call, model, request.tensors, {})
            caller = self.admission.admit(call, _rows(ready), of_tokens=model.writes)
        start, ok, tokens = _clock(), False, 0
        try:
            found = await model.explain(ready, request.options, caller)
            ok, tokens = True, sum(each.details.get("computed_tokens", 0) for each in found)
        finally:
            self.admission.record(call, model, "explain", _clock() - start, ok, tokens)
            self._seen(call, model)
        return ExplainResult.of(model, request, found)

    async def learn(self, call: Call, content: bytes | bytearray) -> Mapping[str, int]:
        """Keep what people did, a JSON object, for the next answers; counts by what became of it."""
        model = self.model(call)
        with self.counted(call, model), self.admission.unused_if_wrong(call):
            body = await self._read(call, model, lambda _: json_object(content), len(content))
            self.admission.admit(call, 1)
            try:
                counts = await model.learn(body)
            except StorageError as error:
                self.models.supervisor.suffers("feedback", error.problem)
                raise
        self.models.supervisor.recovered("feedback")
        return counts

    async def answer(
        self, call: Call, model: LoadedModel, read: Read[InferRequest], long_bytes: int = 0
    ) -> InferResult:
        """The answer to a request of a model that is chosen already."""
        request, ready = await self._received(call, model, read, long_bytes)
        return await self._computed(call, model, request, ready)

    async def _received(
        self, call: Call, model: LoadedModel, read: Read[InferRequest], long_bytes: int
    ) -> tuple[InferRequest, Tensors | None]:
        """A request and its checked inputs, None where files are still to be decoded."""
        with self.counted(call, model):
            request = await self._read(call, model, read, long_bytes)
            return request, _checked(model, request)

    async def _computed(
        self, call: Call, model: LoadedModel, request: InferRequest, ready: Tensors | None
    ) -> InferResult:
        if model.writes:
            return await self._written(call, model, request, ready)
        result: asyncio.Future[InferResult] = asyncio.get_running_loop().create_future()
        with self.counted(call, model):
            if ready is None:
                ready = await self._decoded(call, model, request.tensors, request.parameters)
            work = self._submit(call, model, request, ready, functools.partial(answer, result))
        return await waited(work, result)

    async def _written(
        self, call: Call, model: LoadedModel, request: InferRequest, ready: Tensors | None
    ) -> InferResult:
        with self.counted(call, model):
            found = await self._answering.whole(*await self._admitted(call, model, request, ready))
        self._seen(call, model)
        return found

    async def _admitted(
        self, call: Call, model: LoadedModel, request: InferRequest, ready: Tensors | None
    ) -> tuple[Call, LoadedModel, InferRequest, Tensors, str | None]:
        """A request that is streamed, with its inputs and whom to be fair to."""
        call.verb = "generate"
        schedule(request.parameters)
        tensors = ready or await self._decoded(call, model, request.tensors, request.parameters)
        return call, model, request, tensors, self.admission.admit(call, _rows(tensors))

    def _ended(self, call: Call, model: LoadedModel, error: BaseException | None) -> None:
        """Count how a streamed answer ended."""
        with contextlib.suppress(BaseException), self.counted(call, model):
            if error is not None:
                raise error
        self._seen(call, model)

    def _seen(self, call: Call, model: LoadedModel) -> None:
        if self.spans is not None:
            self.spans(call, model, None)

    def _submit(
        self, call: Call, model: LoadedModel, request: InferRequest, tensors: Tensors, respond: Respond
    ) -> Work:
        """Compute checked tensors, where the caller may."""
        timeout_ns, level = schedule(request.parameters)
        level, admission = call.level or level, self.admission
        caller = admission.admit(call, _rows(tensors))
        done = functools.partial(self._done, call, model, request, respond)
        submit = charged(request.tokens, admission, call, model.submit) if request.tokens else model.submit
        work = submit(tensors, done, timeout_ns, level, caller)
        if admission.written:
            work.usage = (call.key_id, model.name, model.version)
        shadow = self.models.shadow(call.name) if call.version is None else None
        if shadow is not None and shadow is not model:
            cast(shadow, work, self.models.supervisor)
        return work

    def _done(self, call: Call, model: LoadedModel, request: InferRequest, respond: Respond, work: Work) -> None:
        """Answer with what was computed, and count it."""
        if work.usage is not None:  # it came in parts, or was never computed
            self.admission.settle([work])
        if work.dropped:
            model.statistics.dropped += 1
            return
        result = None
        if work.error is None:
            try:
                result = InferResult.of(model, request, work.outputs)
            except Exception as error:  # noqa: BLE001 - whatever happens, the client gets an answer
                work.error = error
        respond(result, work.error)
        if work.error is not None:
            model.statistics.failed(type(work.error).__name__, _clock() - call.arrived_ns)
            return
        model.statistics.answered(work.rows, *work.times(call.arrived_ns))
        if self.spans is not None:
            self.spans(call, model, work)

    def _spawn(self, answer: Coroutine[Any, Any, InferResult], respond: Respond) -> Callable[[], object]:
        """Answer a request in a task of its own."""

        def answered(task: asyncio.Task[InferResult]) -> None:
            self._tasks.discard(task)
            if task.cancelled():
                return
            error = task.exception()
            if error is None:
                respond(task.result(), None)
            elif isinstance(error, Exception):
                respond(None, error)

        task = asyncio.get_running_loop().create_task(answer)
        # The loop itself holds tasks only weakly.
        self._tasks.add(task)
        task.add_done_callback(answered)
        return task.cancel

    async def _read(self, call: Call, model: LoadedModel, read: Callable[[LoadedModel], _T], long_bytes: int) -> _T:
        """What was sent; what takes long is read on a thread, for who may ask now."""
        if long_bytes <= LARGE_BYTES:
            return read(model)
        caller = self.admission.expect(call)
        return await self.models.threads.decoding.read(long_bytes, functools.partial(read, model), caller)

    async def _decoded(
        self, call: Call, model: LoadedModel, tensors: Tensors, parameters: Mapping[str, Any]
    ) -> Tensors:
        """Inputs with their files decoded on a thread; they are counted as rows before that."""
        schedule(parameters)
        with self.admission.unused_if_wrong(call):
            self.admission.admit(call, max(len(values) if values.ndim else 1 for values in tensors.values()))
            return await model.decoded(tensors)

    @contextlib.contextmanager
    def counted(self, call: Call, model: LoadedModel) -> Iterator[None]:
        """Count what ends without an answer: an error, or a client that left."""
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            model.statistics.dropped += 1
            raise
        except Exception as error:
            self._refuse(call, model, error)
            raise

    def _refuse(self, call: Call, model: LoadedModel, error: Exception) -> None:
        """Count a request that has failed, once."""
        if not call.refused:
            call.refused = True
            model.statistics.failed(type(error).__name__, _clock() - call.arrived_ns)


def _rows(tensors: Tensors) -> int:
    return len(next(iter(tensors.values())))


def _checked(model: LoadedModel, request: InferRequest) -> Tensors | None:
    """Its inputs as the engine takes them; None where they hold files that take long to decode."""
    if request.outputs:
        check_outputs(request, model.outputs)
    return model.checked(request.tensors)
