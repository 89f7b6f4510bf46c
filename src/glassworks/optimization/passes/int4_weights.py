"""Weights of matrix products in 4 bits with a scale a block, for ONNX Runtime's own operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from glassworks.contracts import Artifact, Opened, Pass, Precision, Value
from glassworks.errors import Unsupported
from glassworks.optimization.passes._graphs import kinds, name_nodes, quietly, with_int8_tables, written

if TYPE_CHECKING:
    from glassworks.contracts import Tensors

_INT8_LEVEL = 4


class Int4Weights(Pass):
    """Products with constant weights in 4 bits (MatMulNBits) and tables in int8: about an eighth of a transformer.

    `block` weights share a scale and a zero point; `compute` says whether activations are rounded to int8 for the
    product, a range a block.
    """

    name: ClassVar[str] = "int4_weights"
    accepts: ClassVar[frozenset[str]] = frozenset({"onnx"})
    precision: ClassVar[Precision] = "int4"
    exactness: ClassVar[int] = 3
    space: ClassVar[Mapping[str, tuple[Value, ...]]] = MappingProxyType(
        {"block": (32, 64, 128), "compute": ("int8", "fp32")}
    )
    by_itself: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("onnx", "onnx_ir")

    def apply(
        self, opened: Opened, calibration: Sequence[Tensors], *, block: int = 32, compute: str = "int8"
    ) -> Artifact:
        import onnx
        from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

        model = onnx.load(opened.path)
        name_nodes(model)
        level: dict[str, Any] = {"accuracy_level": _INT8_LEVEL} if compute == "int8" else {}
        quantizer = MatMulNBitsQuantizer(with_int8_tables(model), bits=4, block_size=block, is_symmetric=False, **level)
        with quietly():
            quantizer.process()
        found = quantizer.model.model
        if "MatMulNBits" not in kinds(found):
            raise Unsupported("this graph has no product with constant weights", "use the pass 'int8_onnxruntime'")
        return written(self, found, opened, {"block": block, "compute": compute}, runtime="onnxruntime")
