"""Arrays: files that are mapped into memory instead of read, for models that are tables of numbers and not graphs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from glassworks.catalog import get
from glassworks.contracts import Artifact, Device, Opened, Precision, Runtime, Session, Signature
from glassworks.errors import BundleError, Unsupported

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from glassworks.contracts import Array, Tensors

_NO_GRAPH = "arrays are computed as they were fitted"


class Arrays(Runtime):
    """Opens an index in JSON that names `.npy` files, of which only what is used comes into memory, and graphs."""

    name: ClassVar[str] = "arrays"
    accepts: ClassVar[frozenset[str]] = frozenset({"arrays"})
    precisions: ClassVar[Mapping[Precision, str]] = MappingProxyType({"fp32": "", "bf16": _NO_GRAPH, "int8": _NO_GRAPH})

    def open(self, opened: Opened, device: Device = "cpu") -> Session:
        try:
            index = json.loads(opened.path.read_text(encoding="utf-8"))
            files = dict(index["arrays"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BundleError(f"{opened.path.name} is no index of arrays: {error}", "package the model again") from None
        arrays = {name: _mapped(opened, str(file)) for name, file in files.items()}
        return ArraysSession(index, arrays, _graphs(opened, index, device))


class ArraysSession(Session):
    """The index, its arrays and the graphs that belong to them; what they mean, the model's task knows and computes."""

    def __init__(
        self, index: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], graphs: Mapping[str, Session]
    ) -> None:
        self.index, self.arrays, self.graphs = index, arrays, graphs
        self.signature = Signature(inputs=(), outputs=())

    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, Array]:
        raise Unsupported("arrays compute nothing by themselves", "open the model with its task")


def _graphs(opened: Opened, index: Mapping[str, Any], device: Device) -> Mapping[str, Session]:
    """Graphs beside the arrays, each in the runtime that its record names."""
    found = dict[str, Session]()
    for name, record in dict(index.get("graphs", {})).items():
        try:
            artifact = Artifact.model_validate(record).model_copy(update={"threads": opened.artifact.threads})
        except ValueError as error:
            raise BundleError(
                f"{opened.path.name} names no graph '{name}': {error}"[:300], "package it again"
            ) from None
        if not {artifact.file, *artifact.beside} <= set(opened.artifact.beside):
            raise BundleError(
                f"{opened.path.name} names the graph '{name}', which the bundle lacks", "package it again"
            )
        found[name] = get(Runtime, artifact.runtime).open(Opened(artifact=artifact, folder=opened.folder), device)
    return found


def _mapped(opened: Opened, file: str) -> NDArray[np.generic]:
    import numpy as np

    if file not in opened.artifact.beside:
        raise BundleError(
            f"{opened.path.name} names the file {file[:200]!a}, which the bundle lacks", "package it again"
        )
    try:
        found: NDArray[np.generic] = np.load(opened.folder / file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        if not (opened.folder / file).exists():
            raise BundleError(f"the array {file} is missing", "package the model again") from None
        raise BundleError(f"{file} is no array: {error}", "package the model again") from None
    return found
