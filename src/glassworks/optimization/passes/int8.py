"""Static int8 quantization of weights and activations with NNCF (Jacob et al. 2018, section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Artifact, Opened, Pass, Precision
from glassworks.errors import Unsupported
from glassworks.optimization.quiet_nncf import quiet_nncf

if TYPE_CHECKING:
    import onnx

    from glassworks.contracts import Tensors


class StaticInt8(Pass):
    """Quantizes an ONNX graph; the ranges come from the calibration rows."""

    name: ClassVar[str] = "int8"
    accepts: ClassVar[frozenset[str]] = frozenset({"onnx"})
    precision: ClassVar[Precision] = "int8"
    exactness: ClassVar[int] = 7
    needs: ClassVar[tuple[str, ...]] = ("nncf", "onnx")

    def apply(self, opened: Opened, calibration: Sequence[Tensors]) -> Artifact:
        import onnx

        from glassworks.onnx_graphs.rewriting import RECURRENT, beside_the_first_output, fp32_layers

        model = onnx.load(opened.path)
        if any(node.op_type in RECURRENT for node in model.graph.node):
            layers = ", ".join(fp32_layers(model))
            raise Unsupported(
                f"static int8 would leave the recurrent layer in fp32; this graph has: {layers}",
                "use the pass 'int8_recurrent'",
            )
        # What is put out beside the answer, such as a distance, is above all asked for pictures unlike those that the
        # ranges come from.
        graph = _quantized(model, calibration, beside_the_first_output(model))
        if not any(node.op_type == "QuantizeLinear" for node in graph.graph.node):
            raise Unsupported("int8 found nothing to quantize in this graph", "keep the fp32 artifact")
        file = f"{opened.path.stem}.int8.onnx"
        onnx.save(graph, opened.folder / file)
        return opened.artifact.model_copy(
            update={"file": file, "precision": "int8", "made_by": self.name, "computes_fp32": fp32_layers(graph)}
        )


def _quantized(model: onnx.ModelProto, calibration: Sequence[Tensors], floating: Sequence[str]) -> onnx.ModelProto:
    """Weights have 7 bits: without VNNI engines add products in 16 bits, which those of 8 overflow, and a model may be
    served by an older processor than the one it was made on. Nodes in `floating` stay as they are.
    """
    with quiet_nncf() as nncf:
        found: onnx.ModelProto = nncf.quantize(
            model,
            nncf.Dataset(list(calibration)),
            subset_size=len(calibration),
            target_device=nncf.TargetDevice.CPU,
            model_type=nncf.ModelType.TRANSFORMER if _attends(model) else None,
            advanced_parameters=nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.ENABLE),
            ignored_scope=nncf.IgnoredScope(names=list(floating), validate=False),
        )
        return found


def _attends(model: onnx.ModelProto) -> bool:
    """Whether the graph has attention: sums before its normalizations and softmaxes then stay in floating point."""
    kinds = {node.op_type for node in model.graph.node}
    return {"Softmax", "LayerNormalization", "MatMul"} <= kinds
