"""Rewrites the nodes of an ONNX graph one by one, and says which of its layers compute in fp32."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterator, Mapping
from types import MappingProxyType

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from glassworks.onnx_graphs.builder import Builder

Floats = NDArray[np.float32]
CONTRIB = "com.microsoft"
RECURRENT = ("GRU", "LSTM", "RNN")
_WEIGHTS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {**dict.fromkeys(RECURRENT, (1, 2)), "MatMul": (0, 1), "Gemm": (0, 1), "Conv": (1,), "ConvTranspose": (1,)}
)
"""Which inputs of an operator are its weights."""
_CONVERSIONS = ("Cast", "DequantizeLinear", "Identity", "Mul", "Reshape", "Transpose")


class Rewriter(Builder):
    """Builds the new graph from an old one whose weights it knows."""

    def __init__(self, model: onnx.ModelProto) -> None:
        names = {name for node in model.graph.node for name in node.output} | {
            each.name for each in model.graph.initializer
        }
        words = itertools.chain(("rewritten",), (f"rewritten{number}" for number in itertools.count(2)))
        super().__init__(next(word for word in words if not any(name.startswith(f"{word}_") for name in names)))
        self._model = model
        self._given = {each.name: each for each in model.graph.initializer}
        self._read = {name for node in model.graph.node for name in node.input}
        self._read |= {output.name for output in model.graph.output}
        self._read.discard("")  # an input that is left out
        self._made: dict[Hashable, tuple[str, str]] = {}

    def weights(self, name: str) -> Floats | None:
        """The float32 values of a constant; None for anything else."""
        found = self._given.get(name)
        if found is None or found.data_type != onnx.TensorProto.FLOAT:
            return None
        return np.asarray(numpy_helper.to_array(found), np.float32)

    def once(self, what: Hashable, make: Callable[[], tuple[str, str]]) -> tuple[str, str]:
        """Values that several nodes share: made for the first of them."""
        return self._made[what] if what in self._made else self._made.setdefault(what, make())

    def is_read(self, name: str) -> bool:
        """Whether anything takes a node's output; one that is left out has no name."""
        return name in self._read

    def rewrite(self, rules: Mapping[str, Rule]) -> tuple[onnx.ModelProto, frozenset[str]]:
        """The graph with each node as the rule of its kind makes it, and the kinds of which any was made anew.

        A rule returns the value that stands for the node's first output, or None to leave the node alone.
        """
        changed = set()
        for node in self._model.graph.node:
            rule = rules.get(node.op_type)
            value = rule(self, node) if rule else None
            if value is None:
                self._nodes.append(node)
            else:
                self._rename(value, node.output[0])
                changed.add(node.op_type)
        return self._written(), frozenset(changed)

    def _rename(self, value: str, name: str) -> None:
        """Let the last node give its output under another name."""
        made = self._nodes[-1].output
        made[list(made).index(value)] = name

    def _written(self) -> onnx.ModelProto:
        found = onnx.ModelProto()
        found.CopyFrom(self._model)
        graph = found.graph
        for field in (graph.node, graph.initializer, graph.value_info):
            del field[:]
        graph.node.extend(self._nodes)
        read = set(_names(graph))
        graph.initializer.extend(each for each in (*self._given.values(), *self._constants) if each.name in read)
        if any(node.domain == CONTRIB for node in self._nodes):
            found.opset_import.append(helper.make_opsetid(CONTRIB, 1))
        return found


Rule = Callable[[Rewriter, onnx.NodeProto], str | None]


def fp32_layers(model: onnx.ModelProto) -> tuple[str, ...]:
    """Layers that compute in float32, with the number of their weights: `GRU (197,632 weights)`.

    Engines compute a recurrent operator in float32 even where its weights come as integers, and other layers unless
    their weights come through DequantizeLinear.
    """
    sizes = {each.name: int(np.prod(each.dims)) for each in model.graph.initializer}
    makers = {name: node for node in model.graph.node for name in node.output}
    found = []
    for node in model.graph.node:
        recurrent = node.op_type in RECURRENT
        names = [node.input[index] for index in _WEIGHTS.get(node.op_type, ()) if index < len(node.input)]
        count = sum(
            sizes.get(_origin(name, makers), 0) for name in names if recurrent or not _is_dequantized(name, makers)
        )
        if count or recurrent:
            found.append(f"{node.op_type} ({count:,} weights)")
    return tuple(found)


def beside_the_first_output(model: onnx.ModelProto) -> list[str]:
    """The names of nodes that the first output does not depend on, but others do."""
    makers = {name: node for node in model.graph.node for name in node.output}
    needed, waiting = set(), [model.graph.output[0].name]
    while waiting:
        node = makers.get(waiting.pop())
        if node is not None and node.name not in needed:
            needed.add(node.name)
            waiting.extend(node.input)
    return [node.name for node in model.graph.node if node.name not in needed]


def quantized_rows(rows: Floats, bits: int = 8) -> tuple[NDArray[np.int8], Floats]:
    """Symmetric integers (R C) of 8 bits or fewer and a scale a row (R), Jacob et al. 2018, equation 1 with zero point
    0.
    """
    largest = 2 ** (bits - 1) - 1
    scale = np.maximum(np.abs(rows).max(axis=1), 1e-12).astype(np.float32) / np.float32(largest)
    return np.round(rows / scale[:, None]).astype(np.int8), scale


def _is_dequantized(name: str, makers: Mapping[str, onnx.NodeProto]) -> bool:
    return name in makers and makers[name].op_type == "DequantizeLinear"


def _origin(name: str, makers: Mapping[str, onnx.NodeProto]) -> str:
    """What a value was before it was only converted or reshaped."""
    while name in makers and makers[name].op_type in _CONVERSIONS:
        name = makers[name].input[0]
    return name


def _names(graph: onnx.GraphProto) -> Iterator[str]:
    """All that nodes read, in loops too, and the outputs."""
    for node in graph.node:
        yield from node.input
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _names(attribute.g)
    yield from (output.name for output in graph.output)
