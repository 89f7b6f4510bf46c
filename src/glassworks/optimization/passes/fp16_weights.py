"""Weights in half precision, computed with in fp32: half the size, nearly the same answers, in every engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Artifact, Opened, Pass, Precision
from glassworks.errors import Unsupported
from glassworks.optimization.passes._graphs import written

if TYPE_CHECKING:
    from glassworks.contracts import Tensors

_LEAST_WEIGHTS = 1024
_LARGEST = 65_504


class Fp16Weights(Pass):
    """Only the file has 16 bits: engines turn the weights into float32 when they open it. Weights that half precision
    cannot hold stay as they are.
    """

    name: ClassVar[str] = "fp16_weights"
    accepts: ClassVar[frozenset[str]] = frozenset({"onnx"})
    precision: ClassVar[Precision] = "fp16"
    exactness: ClassVar[int] = 11
    by_itself: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("onnx",)

    def apply(self, opened: Opened, calibration: Sequence[Tensors]) -> Artifact:
        import numpy as np
        import onnx
        from onnx import helper, numpy_helper

        model = onnx.load(opened.path)
        graph, casts = model.graph, list[onnx.NodeProto]()
        for tensor in graph.initializer:
            if tensor.data_type != onnx.TensorProto.FLOAT or int(np.prod(tensor.dims)) < _LEAST_WEIGHTS:
                continue
            values, name = numpy_helper.to_array(tensor), tensor.name
            if not np.abs(values).max() <= _LARGEST:
                continue
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_fp16"))
            casts.append(helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT))
        if not casts:
            raise Unsupported("this graph has no large weights in fp32", "keep the exported artifact")
        nodes = [*casts, *graph.node]
        del graph.node[:]
        graph.node.extend(nodes)
        return written(self, model, opened, {})
