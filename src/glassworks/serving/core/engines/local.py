"""An engine in this process."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Mapping
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.catalog import get
from glassworks.contracts import Explainer, Session
from glassworks.serving.codec.tensors import DTYPES
from glassworks.serving.core.engines.client import EngineClient, EngineStats
from glassworks.serving.core.explanations import explain_row
from glassworks.serving.core.rehearsal import rehearse

if TYPE_CHECKING:
    from glassworks.contracts import Array, Chunk, Explanation, Tensors, TensorSpec
    from glassworks.packaging.opened import OpenedBundle
    from glassworks.serving.core.explanations import ExplainOptions

_INLINE_S = 200e-6
"""A shorter call is cheaper on the event loop than its way to a thread and back."""
_WARM_UP_CALLS, _WARM_UP_S = 5, 1.0


class LocalEngine(EngineClient):
    """Computes with the sessions of an opened bundle, which it closes at its end."""

    def __init__(self, opened: OpenedBundle) -> None:
        self._opened = opened
        session = opened.session("predict")
        self._run, self._stream = session.run, session.stream
        self.streams = type(session).stream is not Session.stream
        self._open: dict[int, Event] = {}
        """Streams by their numbers; the event says that one was cancelled."""

    def prepare(self, explains: bool = True) -> LocalEngine:
        """Warm up, and raise BundleError for what would fail later.

        The graphs of explainers stay open where the engine `explains` itself.
        """
        self.inline = self._warm_up() <= _INLINE_S
        opening = self._opened.session if explains else self._opened.check
        for name in self._opened.manifest.explainers:
            opening(get(Explainer, name).role)
        rehearse(self._opened)
        return self

    def infer(self, tensors: Tensors) -> Tensors:
        return self._run(tensors)

    def explain(self, example: Tensors, options: ExplainOptions, left: Event | None = None) -> Explanation:
        return explain_row(self._opened, example, options, left)

    def stream(self, request_id: int, tensors: Tensors, parameters: Mapping[str, Any]) -> Generator[Chunk, None, None]:
        cancelled = self._open[request_id] = Event()
        try:
            with contextlib.closing(self._stream(tensors, parameters)) as chunks:
                for number, chunk in enumerate(chunks):
                    if cancelled.is_set():
                        return
                    if number == 0 or chunk.outputs or chunk.finish_reason:
                        yield chunk
        finally:
            del self._open[request_id]

    def cancel(self, request_id: int) -> None:
        if (cancelled := self._open.get(request_id)) is not None:
            cancelled.set()

    def stats(self) -> EngineStats:
        return EngineStats(streams=len(self._open))

    def close(self) -> None:
        self._opened.close()

    def _warm_up(self) -> float:
        """Measure a call with one row, in seconds; one that writes its answer token by token is always long."""
        opened, times = self._opened, list[float]()
        rows = opened.task.usual(opened.session("predict"), opened.manifest.preprocessing)
        rows = rows or {spec.name: _zeros(spec) for spec in opened.manifest.signature.inputs}
        if opened.task.brief:
            return sum(1.0 for _ in self._stream(rows, opened.task.brief))
        for _ in range(_WARM_UP_CALLS):
            start = time.perf_counter()
            self._run(rows)
            times.append(time.perf_counter() - start)
            if sum(times) > _WARM_UP_S:
                break
        return min(times)


def _zeros(spec: TensorSpec) -> Array:
    """A row to warm up with."""
    return np.zeros([1 if size < 0 else size for size in spec.shape], DTYPES[spec.datatype])
