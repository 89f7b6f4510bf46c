"""What engines really compute, read from their own optimized graphs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from glassworks.contracts import Layer

if TYPE_CHECKING:
    import onnx

_PRODUCTS = re.compile(r"Conv|MatMul|Gemm|^Q?Attention$|^MultiHeadAttention$|LSTM|GRU|RNN")
_INTEGER = re.compile(r"Integer|^QLinear|^QGemm|^QAttention|^DynamicQuantize")
_EXECUTED = ("Convolution", "Deconvolution", "FullyConnected", "MatMul", "RNNSeq", "RNNCell")
_PRECISIONS: Mapping[str, str] = MappingProxyType(
    {"f32": "fp32", "f16": "fp16", "bf16": "bf16", "u8": "int8", "i8": "int8"}
)


def of_onnx(model: onnx.ModelProto) -> tuple[Layer, ...]:
    """Of a graph that ONNX Runtime optimized for a CPU: integer operators have names of their own."""
    return tuple(
        Layer(node.name or node.output[0], node.op_type, "int8" if _is_integer(node) else "fp32")
        for node in _nodes(model.graph)
        if _PRODUCTS.search(node.op_type)
    )


def _is_integer(node: onnx.NodeProto) -> bool:
    """Products with weights in few bits are computed in int8 at that level of accuracy."""
    return bool(_INTEGER.search(node.op_type)) or any(
        each.name == "accuracy_level" and each.i == 4 for each in node.attribute
    )


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """In loops too."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)


def of_openvino(executed: Any) -> tuple[Layer, ...]:
    """Of the graph that an OpenVINO model executes (`CompiledModel.get_runtime_model`)."""
    found = []
    for operator in executed.get_ordered_ops():
        stated = operator.get_rt_info()
        kind = str(_value(stated, "layerType"))
        if kind in _EXECUTED:
            precision = str(_value(stated, "runtimePrecision"))
            found.append(Layer(operator.get_friendly_name(), kind, _PRECISIONS.get(precision, precision)))
    return tuple(found)


def _value(stated: Any, key: str) -> Any:
    value = stated[key]
    return value.astype(str) if hasattr(value, "astype") else value
