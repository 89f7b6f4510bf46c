"""A loaded model: its sessions are open and warm, its requests are checked, batched and counted."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.contracts import Explanation, Generation, Pictures, TensorSpec
from glassworks.errors import Unsupported
from glassworks.serving.core.batching import Batcher
from glassworks.serving.core.decoding import pixels, require_one_size, tiny
from glassworks.serving.core.explanations import ExplainOptions
from glassworks.serving.core.inputs import check, check_names, check_rows, files, texts
from glassworks.serving.core.slots import Slots
from glassworks.serving.core.statistics import Statistics
from glassworks.serving.core.streaming import MAX_STREAMS, Stream
from glassworks.serving.core.threads import ModelThreads, Threads
from glassworks.serving.core.work import DEFAULT_LEVEL, Work
from glassworks.serving.supervision import Supervisor

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors
    from glassworks.packaging.opened import OpenedBundle
    from glassworks.serving.core.engines.opening import Engines

_clock = time.perf_counter_ns


@dataclass(frozen=True, kw_only=True)
class Batching:
    """Rows computed together, and rows that may wait."""

    max_rows: int = 32
    max_queue: int = 1024


class LoadedModel:
    """A bundle that answers. Opening one takes a while: do it off the event loop."""

    def __init__(
        self,
        opened: OpenedBundle,
        name: str,
        version: str,
        engines: Engines,
        threads: Threads,
        batching: Batching,
        settle: Callable[[Sequence[Work]], None] = lambda works: None,
        supervisor: Supervisor | None = None,
    ) -> None:
        self.opened, self.name, self.version, self.engines = opened, name, version, engines
        self._loading, self._threads = threads.loading, ModelThreads(engines, threads)
        self.manifest, self.batching = opened.manifest, batching
        self.inputs: Mapping[str, TensorSpec] = {spec.name: spec for spec in self.manifest.signature.inputs}
        self.outputs = tuple(spec.name for spec in self.manifest.signature.outputs)
        first = self.manifest.signature.inputs[0]
        parts = (f"{self.opened.task.parts}:{first.name}",) if self.opened.task.parts else ()
        self.explained = (*self.outputs, f"attributions:{first.name}", *parts)
        self.statistics = Statistics()
        self.heads: dict[object, bytes] = {}
        """JSON before binary outputs, by their shapes."""
        executor = None if engines.computing.inline else self._threads.computing
        sizes = batching.max_rows, batching.max_queue
        self._batcher = Batcher(engines.computing.infer, *sizes, executor, self.statistics, settle, supervisor)
        self.writes = isinstance(opened.task, Generation)  # token by token: whole answers are joined from streams
        self.slots = Slots(_at_once(self.manifest.preprocessing), batching.max_queue)
        """Answers that are streamed, and those that wait for it."""
        self._users = 0
        self._retired: Callable[[], None] | None = None

    @property
    def users(self) -> int:
        """How many requests it is at, or has waiting."""
        return self._users

    @property
    def waiting_rows(self) -> int:
        """How many rows wait to be computed."""
        return self._batcher.waiting_rows

    @property
    def waiting_requests(self) -> int:
        """How many requests wait to be computed, or for a stream."""
        return self._batcher.waiting_requests + self.slots.waiting

    def submit(
        self,
        tensors: Tensors,
        done: Callable[[Work], None],
        timeout_ns: int = 0,
        level: int = DEFAULT_LEVEL,
        caller: str | None = None,
    ) -> Work:
        """Compute all outputs for checked inputs; `done` is called on the event loop. Raises Overloaded."""

        def finished(work: Work) -> None:
            try:
                done(work)
            finally:
                self._leave()

        work = Work(tensors, finished, timeout_ns, level, caller)
        self._batcher.submit(work)
        self._users += 1
        return work

    async def explain(self, tensors: Tensors, options: ExplainOptions, caller: str | None = None) -> list[Explanation]:
        """One explanation a row of checked inputs, beside the event loop: predictions do not wait behind it."""
        start = _clock()
        self._users += 1
        try:
            found = await self._explained(tensors, options, caller)
        except Exception as error:
            self.statistics.failed(type(error).__name__, _clock() - start)
            raise
        finally:
            self._leave()
        self.statistics.explain.add(_clock() - start)
        return found

    async def _explained(self, tensors: Tensors, options: ExplainOptions, caller: str | None) -> list[Explanation]:
        target = self.opened.task.target(options.target, self.manifest.labels)
        asked = replace(options, method=self._method(options.method), target=target)
        if not self.writes:  # other parameters are nobody's
            asked = replace(asked, asked={})

        left = threading.Event()

        def one(row: int) -> Explanation:
            example = {name: values[row : row + 1] for name, values in tensors.items()}
            return self.engines.explaining.explain(example, asked, left)

        rows = range(len(next(iter(tensors.values()))))
        try:
            return await self._threads.explaining.each([functools.partial(one, row) for row in rows], caller)
        finally:
            left.set()

    @property
    def streams(self) -> bool:
        """Whether the model answers bit by bit: then `stream` is there."""
        return self.engines.computing.streams

    def stream(self, tensors: Tensors, parameters: Mapping[str, Any]) -> Stream:
        """The answer for checked inputs in chunks, each computed when who has one of the `slots` asks for it."""
        self._users += 1
        return self._threads.streaming.open(tensors, parameters, self._leave)

    async def learn(self, body: object) -> Mapping[str, int]:
        """Keep feedback; the next answers use it. Raises InputError, StorageError, Unsupported, Overloaded."""
        memory = self.opened.memory
        if memory is None:
            raise Unsupported(f"a model for {self.manifest.task} takes no feedback", "send it to a model that does")
        counts = await self._threads.decoding.run(lambda: memory.learn(body))
        for kind, count in counts.items():
            self.statistics.feedback[kind] = self.statistics.feedback.get(kind, 0) + count
        return counts

    def checked(self, tensors: Tensors) -> Tensors | None:
        """Inputs as the graph takes them: all there, of the right type and shape, tiny files decoded.

        None where files take so long that `decoded` must do it on a thread. Raises InputError.
        """
        if len(tensors) == 1 == len(self.inputs):  # nearly always
            ((name, values),) = tensors.items()
            spec = self.inputs.get(name)
            if spec is not None and not values.dtype.hasobject:
                check(values, spec)
                return tensors
        tensors = self.opened.task.gathered(tensors, self.manifest.preprocessing)
        check_names(tensors, self.inputs)
        ready: dict[str, Array] = {}
        for name, spec in self.inputs.items():
            values = tensors[name]
            if values.dtype.hasobject and spec.datatype != "BYTES":
                found = files(values)
                if not tiny(found):
                    return None
                ready |= self._decode(found)
            else:
                check(values, spec)
                ready[name] = texts(values) if values.dtype.hasobject else values
        check_rows(ready)
        return ready

    async def decoded(self, tensors: Tensors) -> Tensors:
        """The same as `checked`, with files decoded on a thread. Raises InputError and Overloaded."""
        check_names(tensors, self.inputs)
        ready: dict[str, Array] = {}
        for name, spec in self.inputs.items():
            values = tensors[name]
            if values.dtype.hasobject and spec.datatype != "BYTES":
                cost = pixels if isinstance(self.opened.task, Pictures) else len
                ready |= await self._threads.decoding.files(files(values), self._decode_one, cost, self._encode)
            else:
                check(values, spec)
                ready[name] = texts(values) if values.dtype.hasobject else values
        check_rows(ready)
        return ready

    async def shown(self, file: bytes, outputs: Tensors, form: str) -> tuple[dict[str, Any], bytes | None]:
        """The answer for one picture file in words and, unless `form` is none, as a PNG or JPEG; made on a thread."""
        return await self._threads.decoding.run(functools.partial(self._show, file, outputs, form))

    @property
    def alone(self) -> bool:
        """Whether a picture may go all its way on one thread, and nobody would wait for it."""
        return self._threads.idle and self.waiting_rows == 0

    async def looked(self, file: bytes, form: str) -> tuple[tuple[dict[str, Any], bytes | None], int]:
        """The same for a file that is decoded, computed and shown on one thread; and the nanoseconds of computing."""

        def look() -> tuple[tuple[dict[str, Any], bytes | None], int]:
            tensors = self._decode([file])
            start = _clock()
            outputs = self.engines.computing.infer(tensors)
            computed = _clock() - start
            return self._show(file, outputs, form), computed

        self._users += 1
        try:
            return await self._threads.whole.run(look)
        finally:
            self._leave()

    def _show(self, file: bytes, outputs: Tensors, form: str) -> tuple[dict[str, Any], bytes | None]:
        from glassworks.imaging.files import read_picture, write_jpeg, write_png

        task = self.opened.task
        words = task.answer(outputs, self.manifest.labels)[0]
        first = np.asarray(next(iter(outputs.values())))
        if form == "none" or not isinstance(task, Pictures):
            return words, None
        if first.ndim == 4 and form == "png":  # a picture came out: it goes as it is
            return words, write_png(first[0])
        picture = task.show(first[0] if first.ndim == 4 else read_picture(file, 3), outputs, words)
        return words, write_png(picture) if form == "png" else write_jpeg(picture)

    def retire(self, then: Callable[[], None] = lambda: None) -> None:
        """Close once nobody uses the model any longer; nobody new may come."""

        def close() -> None:
            self._retired = None
            asyncio.get_running_loop().run_in_executor(self._loading, self._close, then)

        self._retired = close
        if self._users == 0:
            close()

    def close(self) -> None:
        """End its threads and engines; what runs in this process is finished first."""
        self.engines.stop()
        self._threads.close()
        self.engines.close()

    def _close(self, then: Callable[[], None]) -> None:
        self.close()
        then()

    def _leave(self) -> None:
        self._users -= 1
        if self._users == 0 and self._retired is not None:
            self._retired()

    def _decode(self, files: Sequence[bytes]) -> Tensors:
        """Files through the model's task: what the training data went through."""
        return self._encode([self._decode_one(file) for file in files])

    def _decode_one(self, file: bytes) -> Array:
        return self.opened.task.decode(file, self.manifest.preprocessing)

    def _encode(self, decoded: Sequence[Array]) -> Tensors:
        for each in decoded:
            require_one_size(decoded[0], each)
        stacked = decoded[0][None] if len(decoded) == 1 else np.stack(decoded)
        return self.opened.task.encode(stacked, self.manifest.preprocessing)

    def _method(self, method: str | None) -> str:
        methods = self.manifest.explainers
        if not methods:
            raise Unsupported("this model was packaged without explanations", "package it again with an explainer")
        if method is not None and method not in methods:
            raise Unsupported(f"this model has no explanation method '{method}'", f"it has: {', '.join(methods)}")
        return method or methods[0]


def _at_once(preprocessing: Mapping[str, Any]) -> int:
    """How many answers a model can stream at a time."""
    found = preprocessing.get("streams")
    return found if isinstance(found, int) else MAX_STREAMS
