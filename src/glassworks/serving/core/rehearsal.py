"""Before a model is seen by anybody: two rows go all the way that requests go, and what comes out is compared with
what the manifest says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from glassworks.contracts import Pictures
from glassworks.errors import BundleError
from glassworks.serving.codec.tensors import DTYPES, datatype
from glassworks.serving.core.joining import joined

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors, TensorSpec
    from glassworks.packaging.opened import OpenedBundle

_MEND = "package the model again"
_SIDE = 32
_UNKNOWN = 1


def rehearse(opened: OpenedBundle) -> None:
    """Raise BundleError unless the graph answers as its manifest says, in tensors and in words."""
    manifest = opened.manifest
    tensors = _example(opened)
    for spec in manifest.signature.inputs:
        _check("the preprocessing gives", "input", tensors.get(spec.name), spec)
    outputs = _answered(opened, tensors)
    rows = len(next(iter(tensors.values())))
    for spec in manifest.signature.outputs:
        _check("the graph gives", "output", outputs.get(spec.name), spec, rows)
    answers = opened.task.answer(outputs, manifest.labels)
    if len(answers) != rows:
        raise BundleError(f"the model answers {rows} rows with {len(answers)}", _MEND)


def _answered(opened: OpenedBundle, tensors: Tensors) -> Tensors:
    """All outputs; of a model that writes, a short answer, as it is streamed."""
    session, brief = opened.session("predict"), opened.task.brief
    return joined(list(session.stream(tensors, brief))) if brief else session.run(tensors)


def _example(opened: OpenedBundle) -> Tensors:
    """What is usually sent: for a model that looks at pictures, one that went through its preprocessing. Two rows, but
    for a model that writes: it answers one at a time."""
    task, preprocessing = opened.task, opened.manifest.preprocessing
    if isinstance(task, Pictures):
        picture = np.zeros((_SIDE, _SIDE, 3), np.uint8)
        tensors: Tensors = task.encode(task.fit(picture, preprocessing)[None], preprocessing)
    else:
        tensors = task.usual(opened.session("predict"), preprocessing)
        tensors = tensors or {spec.name: _zeros(spec) for spec in opened.manifest.signature.inputs}
    if not task.brief and all(spec.shape[0] == -1 for spec in opened.manifest.signature.inputs):
        return {name: np.concatenate([values, values]) for name, values in tensors.items()}
    return tensors


def _zeros(spec: TensorSpec) -> Array:
    return np.zeros([_UNKNOWN if size < 0 else size for size in spec.shape], DTYPES[spec.datatype])


def _check(who: str, kind: str, values: Array | None, spec: TensorSpec, rows: int | None = None) -> None:
    if values is None:
        raise BundleError(f"{who} no {kind} '{spec.name}', which the manifest names", _MEND)
    fits = len(values.shape) == len(spec.shape) and all(
        said in (-1, size) for said, size in zip(spec.shape, values.shape, strict=True)
    )
    if not fits or datatype(values) != spec.datatype or (rows is not None and len(values) != rows):
        raise BundleError(
            f"{who} the {kind} '{spec.name}' as {datatype(values)} {list(values.shape)}, the manifest says "
            f"{spec.datatype} {list(spec.shape)}",
            _MEND,
        )
