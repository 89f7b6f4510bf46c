"""Tables of tokens in int8, the rest of the graph as it is: what comes after may compress that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Artifact, Opened, Pass, Precision
from glassworks.errors import Unsupported
from glassworks.optimization.passes._graphs import written

if TYPE_CHECKING:
    from glassworks.contracts import Tensors


class Int8Embeddings(Pass):
    """A scale a row of each table, and only the rows that are read become floats."""

    name: ClassVar[str] = "int8_embeddings"
    accepts: ClassVar[frozenset[str]] = frozenset({"onnx"})
    precision: ClassVar[Precision] = "int8"
    exactness: ClassVar[int] = 7
    stage: ClassVar[str] = "graph"
    by_itself: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("onnx",)

    def apply(self, opened: Opened, calibration: Sequence[Tensors]) -> Artifact:
        import onnx

        from glassworks.onnx_graphs.rewriting import Rewriter
        from glassworks.optimization.integer_layers import gather

        found, changed = Rewriter(onnx.load(opened.path)).rewrite({"Gather": gather})
        if not changed:
            raise Unsupported("this graph has no large table of embeddings", "leave 'int8_embeddings' out")
        return written(self, found, opened, {})
