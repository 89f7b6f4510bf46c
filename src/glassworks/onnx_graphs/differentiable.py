"""An ONNX graph of common operators as a PyTorch module, so that gradients of models made elsewhere can be compiled.

Semantics of the operators: https://onnx.ai/onnx/operators. Shapes are followed as Python numbers, so that a batch stays
free when the module is traced.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from glassworks.errors import Unsupported
from glassworks.onnx_graphs import computing, moving
from glassworks.onnx_graphs.moving import Operator

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto


class OnnxModule(nn.Module):
    """The graph from its only input to one of its values. Raises Unsupported for operators not known here."""

    def __init__(self, model: ModelProto, output: str) -> None:
        from onnx import helper, numpy_helper

        super().__init__()
        self._input, self._output = model.graph.input[0].name, output
        self._nodes = _needed(model.graph.node, output)
        unknown = sorted({node.op_type for node in self._nodes if node.domain or node.op_type not in _OPERATORS})
        if unknown:
            raise Unsupported(
                f"no gradient is known of: {', '.join(unknown)}", "methods that need predictions explain it"
            )
        self._attributes = [{a.name: helper.get_attribute_value(a) for a in node.attribute} for node in self._nodes]
        self._opset = next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), 1)
        wanted = {name for node in self._nodes for name in node.input}
        self._constants: dict[str, torch.Tensor] = {}
        for tensor in model.graph.initializer:
            if tensor.name in wanted:
                self._constants[tensor.name] = moving.tensor(numpy_helper.to_array(tensor))

    def forward(self, x: torch.Tensor) -> Any:
        values: dict[str, Any] = {**self._constants, self._input: x, "": None}
        for node, attributes in zip(self._nodes, self._attributes, strict=True):
            given = [values[name] for name in node.input]
            found = _OPERATORS[node.op_type]({**attributes, "opset": self._opset, "outputs": len(node.output)}, *given)
            outputs = found if isinstance(found, tuple) else (found,)
            values.update(zip(node.output, outputs, strict=False))
        return values[self._output]


def _needed(nodes: Sequence[NodeProto], output: str) -> list[NodeProto]:
    """Those that the value depends on, in their order."""
    wanted, found = {output}, []
    for node in reversed(nodes):
        if wanted & set(node.output):
            found.append(node)
            wanted |= set(node.input)
    return found[::-1]


_OPERATORS: Mapping[str, Operator] = {
    "Add": moving.shapes(operator.add, torch.add),
    "Sub": moving.shapes(operator.sub, torch.sub),
    "Mul": moving.shapes(operator.mul, torch.mul),
    "Div": moving.shapes(operator.floordiv, torch.div),
    "Pow": computing.plain(torch.pow),
    "Max": computing.plain(torch.maximum),
    "Min": computing.plain(torch.minimum),
    "Sum": lambda _, *given: sum(given[1:], start=given[0]),
    "MatMul": computing.plain(torch.matmul),
    "Relu": computing.plain(torch.relu),
    "Sigmoid": computing.plain(torch.sigmoid),
    "Tanh": computing.plain(torch.tanh),
    "Exp": computing.plain(torch.exp),
    "Log": computing.plain(torch.log),
    "Sqrt": computing.plain(torch.sqrt),
    "Neg": computing.plain(torch.neg),
    "Abs": computing.plain(torch.abs),
    "Erf": computing.plain(torch.erf),
    "Reciprocal": computing.plain(torch.reciprocal),
    "Softplus": computing.plain(functional.softplus),
    "Gelu": computing.gelu,
    "HardSwish": computing.plain(lambda x: x * (x / 6 + 0.5).clamp(0, 1)),
    "HardSigmoid": lambda a, x: (x * a.get("alpha", 0.2) + a.get("beta", 0.5)).clamp(0, 1),
    "LeakyRelu": lambda a, x: torch.where(x > 0, x, x * a.get("alpha", 0.01)),
    "Elu": lambda a, x: torch.where(x > 0, x, a.get("alpha", 1.0) * torch.expm1(torch.clamp(x, max=0))),
    "PRelu": computing.plain(lambda x, slope: torch.where(x > 0, x, x * slope)),
    "Clip": computing.clip,
    "Conv": computing.conv,
    "Gemm": computing.gemm,
    "MaxPool": computing.max_pool,
    "AveragePool": computing.average_pool,
    "GlobalAveragePool": computing.plain(lambda x: x.mean(tuple(range(2, x.ndim)), keepdim=True)),
    "GlobalMaxPool": computing.plain(lambda x: x.amax(tuple(range(2, x.ndim)), keepdim=True)),
    "BatchNormalization": computing.normalize,
    "LayerNormalization": computing.layer_norm,
    "Flatten": moving.flatten,
    "Reshape": moving.reshape,
    "Transpose": lambda a, x: x.permute(*a.get("perm", reversed(range(x.ndim)))),
    "Concat": moving.concat,
    "Gather": moving.gather,
    "Slice": moving.slice_of,
    "Split": moving.split_of,
    "Unsqueeze": moving.unsqueeze,
    "Squeeze": moving.squeeze_of,
    "Shape": moving.shape_of,
    "Expand": moving.expand,
    "Pad": moving.pad,
    "Cast": moving.cast,
    "Constant": moving.constant,
    "Identity": lambda _, x: x,
    "Dropout": lambda _, x, *rest: x,
    "ReduceMean": partial(computing.reduce, "mean"),
    "ReduceSum": partial(computing.reduce, "sum"),
    "ReduceMax": partial(computing.reduce, "amax"),
    "Softmax": partial(computing.softmax, "softmax"),
    "LogSoftmax": partial(computing.softmax, "log_softmax"),
    "Where": computing.plain(torch.where),
    "Greater": computing.plain(torch.gt),
    "Less": computing.plain(torch.lt),
    "Equal": computing.plain(torch.eq),
}
