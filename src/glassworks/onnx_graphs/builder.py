"""Writes ONNX graphs node by node; names are made up, constants stand in the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from glassworks.onnx_graphs.export import OPSET

_IR = 10
FLOAT, INT64, INT32 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32


class Builder:
    """A graph, or the body of a loop. Values are their names."""

    def __init__(self, name: str) -> None:
        self._name, self._count = name, 0
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, kind: int, shape: Sequence[int | str | None] | None) -> str:
        """A value that comes from outside."""
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, value: str, name: str, kind: int, shape: Sequence[int | str | None] | None) -> None:
        """A value that goes outside, under a name."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, kind, shape))

    def constant(self, values: NDArray[Any] | Sequence[int]) -> str:
        """Weights, or integers such as axes."""
        array = np.asarray(values, np.int64) if not isinstance(values, np.ndarray) else values
        name = self._fresh("constant")
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def scalar(self, value: float) -> str:
        """A float32 without dimensions."""
        return self.constant(np.array(value, np.float32))

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """The first output of an operator."""
        return self.ops(kind, *inputs, outputs=1, **attributes)[0]

    def ops(self, kind: str, *inputs: str, outputs: int, **attributes: Any) -> list[str]:
        """All outputs of an operator."""
        names = [self._fresh(kind.lower()) for _ in range(outputs)]
        self._nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def slice(self, value: str, axis: int, begin: int, end: int) -> str:
        """`begin` to `end` along an axis; ends may be negative."""
        bounds = (self.constant([each]) for each in (begin, end, axis))
        return self.op("Slice", value, *bounds)

    def body(self) -> onnx.GraphProto:
        """As the body of a loop."""
        return helper.make_graph(self._nodes, self._name, self._inputs, self._outputs, self._constants)

    def save(self, path: Path) -> None:
        """Check and write it."""
        model = helper.make_model(self.body(), opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR)
        onnx.checker.check_model(model)
        onnx.save(model, path)

    def _fresh(self, word: str) -> str:
        self._count += 1
        return f"{self._name}_{word}_{self._count}"
