"""The engine: loaded models that predict and explain. It knows no transport."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from glassworks.catalog import get
from glassworks.contracts import Explainer, Explanation, TensorSpec
from glassworks.errors import InputError, NotFound, Unsupported
from glassworks.packaging.bundle import Bundle
from glassworks.packaging.opened import OpenedBundle
from glassworks.serving.batching import Batcher
from glassworks.serving.lane import Lane
from glassworks.serving.tensors import DTYPES, datatype

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from glassworks.contracts import Array, Tensors

_ON_LOOP_S = 200e-6
"""A shorter call is cheaper on the event loop than its way to a thread and back."""
_SMALL_FILE = 8192
_WARM_UP_CALLS = 5
_MAX_WAITING = 64
"""Explanations, and requests with large files, that may wait for their thread."""


@dataclass(frozen=True, kw_only=True)
class ExplainOptions:
    """How to explain; `budget_ms` holds for each row."""

    method: str | None
    target: int | str | None
    baseline: float | None
    budget_ms: float | None
    seed: int
    grade: bool


class LoadedModel:
    """A bundle that answers: its sessions are open and warm, its requests are batched."""

    def __init__(self, bundle: Bundle, version: str, engine: Engine) -> None:
        self.opened, self.version, self._engine = OpenedBundle(bundle), version, engine
        self.manifest = bundle.manifest
        self.inputs: Mapping[str, TensorSpec] = {spec.name: spec for spec in self.manifest.signature.inputs}
        self.outputs = tuple(spec.name for spec in self.manifest.signature.outputs)
        session = self.opened.session("predict")
        self.call_s = self._warm_up()
        self._open_explainers()
        executor = engine.threads if self.call_s > _ON_LOOP_S else None
        self.batcher = Batcher(session.run, engine.max_batch, engine.max_queue, executor)

    async def infer(self, tensors: Mapping[str, Array]) -> Tensors:
        """All outputs for the inputs of one request; files given as bytes are decoded. Raises InputError."""
        return await self.batcher.submit(await self._prepared(tensors))

    @property
    def busy(self) -> bool:
        """Whether a request must wait for others now."""
        return self.batcher.busy

    async def explain(self, tensors: Mapping[str, Array], options: ExplainOptions) -> list[Explanation]:
        """One explanation a row, on a thread of its own so that predictions do not wait behind it."""
        from glassworks.explanation import explain

        ready = await self._prepared(tensors)
        name, values = next(iter(ready.items()))
        if not np.isfinite(values).all():
            raise InputError(f"the input '{name}' holds values that are not finite", "send finite numbers to explain")
        one = functools.partial(
            explain,
            self.opened.session,
            method=self._method(options.method),
            target=self._target(options.target),
            baseline=options.baseline,
            budget=self.opened.budget(options.budget_ms),
            seed=options.seed,
            grade=options.grade,
            labels=self.manifest.labels,
            input_name=name,
            artifact_sha256=self.opened.bundle.artifact_sha256("predict"),
        )
        rows = np.split(np.ascontiguousarray(values, np.float32), len(values))
        return await self._engine.explaining.each([functools.partial(one, row) for row in rows])

    def _open_explainers(self) -> None:
        """Now, so that a graph that cannot be opened is known before anybody asks and nobody waits for it."""
        for name in self.manifest.explainers:
            self.opened.session(get(Explainer, name).role)

    def _warm_up(self) -> float:
        """Measure a call with one row, in seconds."""
        rows = {
            spec.name: np.zeros([1 if size < 0 else size for size in spec.shape], DTYPES.get(spec.datatype, object))
            for spec in self.inputs.values()
        }
        session, times = self.opened.session("predict"), []
        for _ in range(_WARM_UP_CALLS):
            start = time.perf_counter()
            session.run(rows)
            times.append(time.perf_counter() - start)
        return min(times)

    async def _prepared(self, tensors: Mapping[str, Array]) -> Mapping[str, Array]:
        """Inputs as the graph takes them: all there, of the right type and shape, files decoded."""
        for name in tensors:
            if name not in self.inputs:
                raise InputError(f"the model has no input '{name}'", f"its inputs: {', '.join(self.inputs)}")
        ready: dict[str, Array] = {}
        for name, spec in self.inputs.items():
            if name not in tensors:
                raise InputError(f"the input '{name}' is missing", f"send all inputs: {', '.join(self.inputs)}")
            values = tensors[name]
            if values.dtype == object and spec.datatype != "BYTES":
                ready |= await self._decoded(values)
            else:
                ready[name] = _checked(values, spec)
        if len(ready) > 1 and len(rows := {len(values) for values in ready.values()}) > 1:
            raise InputError(f"the inputs have {sorted(rows)} rows", "send as many rows of each input")
        return ready

    async def _decoded(self, values: NDArray[np.generic]) -> Mapping[str, Array]:
        """Files (N bytes objects) through the model's task: what the training data went through."""
        if values.ndim != 1 and values.shape[1:] != (1,):
            raise InputError(f"the files have the shape {list(values.shape)}", "send one a row: shape [N] or [N, 1]")
        files: list[bytes] = values.ravel().tolist()
        if not files:
            raise InputError("the request holds no file", "send at least one")

        def decode() -> Mapping[str, Array]:
            task, preprocessing = self.opened.task, self.manifest.preprocessing
            return task.encode(np.stack([task.decode(file, preprocessing) for file in files]), preprocessing)

        if sum(map(len, files)) <= _SMALL_FILE:
            return decode()
        return await self._engine.decoding.run(decode)

    def _method(self, method: str | None) -> str:
        methods = self.manifest.explainers
        if not methods:
            raise Unsupported("this model was packaged without explanations", "package it again with an explainer")
        if method is not None and method not in methods:
            raise Unsupported(f"this model has no explanation method '{method}'", f"it has: {', '.join(methods)}")
        return method or methods[0]

    def _target(self, target: int | str | None) -> int | None:
        if isinstance(target, str):
            if target not in self.manifest.labels:
                raise InputError(f"the model has no class '{target}'", "give one of its labels, or a class number")
            return self.manifest.labels.index(target)
        return target


class Engine:
    """Models by name and version. `threads` computes, `explaining` explains, `decoding` decodes files."""

    def __init__(self, max_batch: int = 32, max_queue: int = 1024) -> None:
        self.max_batch, self.max_queue = max_batch, max_queue
        self.threads = ThreadPoolExecutor(1, "engine")
        self.explaining = Lane("explain", _MAX_WAITING)
        self.decoding = Lane("decode", _MAX_WAITING)
        self._models: dict[str, dict[str, LoadedModel]] = {}

    def load(self, bundle: Bundle, name: str, version: str) -> LoadedModel:
        """Open, warm and add a model; the version loaded last is the one that is served by default."""
        model = LoadedModel(bundle, version, self)
        self._models.setdefault(name, {})[version] = model
        return model

    def model(self, name: str, version: str | None = None) -> LoadedModel:
        """A loaded model. Raises NotFound with what there is."""
        versions = self._models.get(name)
        if not versions:
            raise NotFound(f"there is no model '{name}' here", f"served: {', '.join(self._models) or 'none'}")
        if version is None:
            return next(reversed(versions.values()))
        if version not in versions:
            raise NotFound(f"the model '{name}' has no version '{version}' here", f"versions: {', '.join(versions)}")
        return versions[version]

    def names(self) -> Sequence[str]:
        """The names of all loaded models."""
        return tuple(self._models)

    def versions(self, name: str) -> Sequence[str]:
        """The loaded versions of a model, the default last. Raises NotFound."""
        self.model(name)
        return tuple(self._models[name])

    def close(self) -> None:
        """End the threads; what runs is finished first."""
        self.threads.shutdown()
        self.explaining.close()
        self.decoding.close()


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    if len(shape) != len(wanted):
        return False
    # Usually only the number of rows is variable.
    rows_only = wanted[:1] == (-1,) and shape[1:] == wanted[1:]
    return rows_only or all(want in (-1, have) for want, have in zip(wanted, shape, strict=True))


def _checked(values: NDArray[np.generic], spec: TensorSpec) -> Array:
    shape = values.shape
    if not _fits(shape, spec.shape):
        raise InputError(
            f"the input '{spec.name}' has the shape {list(shape)}, the model takes {list(spec.shape)} (-1: any)",
            "send that shape, or picture files as BYTES of shape [N]",
        )
    if shape[0] == 0:
        raise InputError(f"the input '{spec.name}' has no rows", "send at least one row")
    if datatype(values) != spec.datatype:
        raise InputError(
            f"the input '{spec.name}' was sent as {datatype(values)}, the model takes {spec.datatype}",
            f"send {spec.datatype}",
        )
    return values
