"""Weights of networks with recurrent layers in int8, computed with in fp32: small, and as quick as before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Artifact, Opened, Pass, Precision
from glassworks.errors import Unsupported

if TYPE_CHECKING:
    from glassworks.contracts import Tensors


class Int8Weights(Pass):
    """Only the file is int8, and the artifact says so: engines turn the weights into floats when they open it."""

    name: ClassVar[str] = "int8_weights"
    accepts: ClassVar[frozenset[str]] = frozenset({"onnx"})
    precision: ClassVar[Precision] = "int8"
    exactness: ClassVar[int] = 7
    needs: ClassVar[tuple[str, ...]] = ("onnx",)

    def apply(self, opened: Opened, calibration: Sequence[Tensors]) -> Artifact:
        import onnx

        from glassworks.onnx_graphs.rewriting import RECURRENT, Rewriter, fp32_layers
        from glassworks.onnx_graphs.stored_weights import store
        from glassworks.optimization.integer_layers import gather

        model = onnx.load(opened.path)
        if not any(node.op_type in RECURRENT for node in model.graph.node):
            raise Unsupported("there is no recurrent layer in this graph", "use the pass 'int8', which is quicker")
        found, _ = Rewriter(model).rewrite({"Gather": gather})
        store(found)
        onnx.checker.check_model(found)
        file = f"{opened.path.stem}.{self.name}.onnx"
        onnx.save(found, opened.folder / file)
        return opened.artifact.model_copy(
            update={"file": file, "precision": "int8", "made_by": self.name, "computes_fp32": fp32_layers(found)}
        )
