"""int8 products whose ranges are found at each call: the quickest form of a transformer in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Artifact, Opened, Pass, Precision, Value
from glassworks.errors import Unsupported
from glassworks.optimization.passes._graphs import (
    kinds,
    name_nodes,
    quietly,
    require_not_recurrent,
    with_int8_tables,
    written,
)

if TYPE_CHECKING:
    import onnx

    from glassworks.contracts import Tensors


class DynamicInt8(Pass):
    """Weights of matrix products in int8, a scale a channel, and tables with a scale a row; activations get their range
    at each call, one for the whole call, so that answers differ a little with what else is in it.
    """

    name: ClassVar[str] = "int8_dynamic"
    accepts: ClassVar[frozenset[str]] = frozenset({"onnx"})
    precision: ClassVar[Precision] = "int8"
    exactness: ClassVar[int] = 7
    space: ClassVar[Mapping[str, tuple[Value, ...]]] = MappingProxyType({"bits": (7, 8), "exclude": (0, 1, 2, 4, 8)})
    needs: ClassVar[tuple[str, ...]] = ("onnx",)

    def apply(self, opened: Opened, calibration: Sequence[Tensors], *, bits: int = 7, exclude: int = 0) -> Artifact:
        import onnx

        from glassworks.onnx_graphs.rewriting import beside_the_first_output
        from glassworks.optimization.sensitivity import most_sensitive

        model = onnx.load(opened.path)
        require_not_recurrent(model)
        if kinds(model) & {"Conv", "ConvTranspose"}:
            mend = "use the pass 'int8_onnxruntime' or 'int8'"
            raise Unsupported("convolutions with ranges found at each call are several times slower than fp32", mend)
        name_nodes(model)
        floating = [*beside_the_first_output(model), *most_sensitive(opened, calibration, exclude)]
        found = _quantized(with_int8_tables(model), floating, bits)
        if "MatMulInteger" not in kinds(found):
            raise Unsupported("this graph has no product with constant weights", "keep the fp32 artifact")
        chosen: dict[str, Value] = {"bits": bits, "exclude": exclude}
        settings = {**opened.artifact.settings, "weight_bits": str(bits)}
        return written(self, found, opened, chosen, runtime="onnxruntime", settings=settings)


def _quantized(model: onnx.ModelProto, floating: list[str], bits: int) -> onnx.ModelProto:
    import tempfile
    from pathlib import Path

    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder, quietly():
        quantize_dynamic(
            model,
            Path(folder, "made.onnx"),
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            reduce_range=bits == 7,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=floating,
            extra_options={"MatMulConstBOnly": True},
        )
        return onnx.load(Path(folder, "made.onnx"))
