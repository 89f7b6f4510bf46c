"""int8 for networks with recurrent layers, which no engine quantizes whole: their operators are made anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Artifact, Opened, Pass, Precision
from glassworks.errors import Unsupported

if TYPE_CHECKING:
    from glassworks.contracts import Tensors


class RecurrentInt8(Pass):
    """Recurrent layers, tables and matrix products compute in int8; ranges are found at each call.

    A GRU answers a row alike whatever else is in the call; an LSTM has one range for the whole call, and its answers
    differ with their company by about as much as int8 differs from fp32.
    """

    name: ClassVar[str] = "int8_recurrent"
    accepts: ClassVar[frozenset[str]] = frozenset({"onnx"})
    precision: ClassVar[Precision] = "int8"
    exactness: ClassVar[int] = 7
    needs: ClassVar[tuple[str, ...]] = ("onnx",)

    def apply(self, opened: Opened, calibration: Sequence[Tensors]) -> Artifact:
        import onnx

        from glassworks.onnx_graphs.rewriting import RECURRENT, Rewriter, fp32_layers
        from glassworks.optimization.integer_layers import gather, gru, lstm, product

        model = onnx.load(opened.path)
        if not any(node.op_type in RECURRENT for node in model.graph.node):
            raise Unsupported("there is no recurrent layer in this graph", "use the pass 'int8'")
        found, changed = Rewriter(model).rewrite({"GRU": gru, "LSTM": lstm, "Gather": gather, "MatMul": product})
        if changed.isdisjoint(RECURRENT):
            raise Unsupported(
                "no recurrent layer of this graph has an int8 form: layers need constant weights, no initial state, "
                "the usual activations, and GRU linear_before_reset=1",
                "use the pass 'int8_weights'",
            )
        onnx.checker.check_model(found)
        file = f"{opened.path.stem}.{self.name}.onnx"
        onnx.save(found, opened.folder / file)
        # OpenVINO opens these operators too, and turns them into fp32.
        record = {"file": file, "precision": "int8", "made_by": self.name, "runtime": "onnxruntime"}
        return opened.artifact.model_copy(update={**record, "computes_fp32": fp32_layers(found)})
