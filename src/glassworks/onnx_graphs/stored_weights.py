"""Weights of layers stored in int8, in the graph's file alone."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import onnx
from onnx import helper, numpy_helper

from glassworks.onnx_graphs.rewriting import quantized_rows

_LAYERS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"GRU": (1, 2), "LSTM": (1, 2), "RNN": (1, 2), "MatMul": (1,)}
)
_LEAST_WEIGHTS = 4096


def store(model: onnx.ModelProto) -> None:
    """Replace the large float32 weights of layers by int8 with a scale a gate's value, cast back by the graph.

    A cast of a constant is done once, when an engine opens the file; DequantizeLinear would be done at each call.
    """
    graph = model.graph
    wanted = {name for node in graph.node for name in _weights(node)}
    kept, casts = [], list[onnx.NodeProto]()
    for tensor in graph.initializer:
        large = int(np.prod(tensor.dims)) >= _LEAST_WEIGHTS
        if tensor.name in wanted and large and tensor.data_type == onnx.TensorProto.FLOAT:
            kept += _integers(tensor)
            casts += [
                helper.make_node("Cast", [f"{tensor.name}_int8"], [f"{tensor.name}_float"], to=onnx.TensorProto.FLOAT),
                helper.make_node("Mul", [f"{tensor.name}_float", f"{tensor.name}_scale"], [tensor.name]),
            ]
        else:
            kept.append(tensor)
    nodes = [*casts, *graph.node]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(kept)


def _weights(node: onnx.NodeProto) -> list[str]:
    return [node.input[index] for index in _LAYERS.get(node.op_type, ()) if index < len(node.input)]


def _integers(tensor: onnx.TensorProto) -> list[onnx.TensorProto]:
    """Matrices are stored inputs x outputs, recurrent layers directions x gates x inputs: a scale an output or gate."""
    values = np.asarray(numpy_helper.to_array(tensor), np.float32)
    turned = values.T if values.ndim == 2 else values
    rows, scales = quantized_rows(turned.reshape(-1, turned.shape[-1]))
    integers, scale = rows.reshape(turned.shape), scales.reshape(*turned.shape[:-1], 1)
    if values.ndim == 2:
        integers, scale = integers.T, scale.T
    named = ((integers, f"{tensor.name}_int8"), (scale, f"{tensor.name}_scale"))
    return [numpy_helper.from_array(np.ascontiguousarray(each), name) for each, name in named]
