"""Rules that compute the layers of a text network in int8: tables, matrix products, LSTM and GRU.

No engine has an int8 GRU, so it becomes what it is made of: one product for the inputs of all steps and directions, and
a loop with one product a step. Shapes: T steps, N texts, D values of an input, H of a state, R directions.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import onnx
from onnx import helper

from glassworks.onnx_graphs.builder import FLOAT, INT64, Builder
from glassworks.onnx_graphs.rewriting import CONTRIB, Floats, Rewriter, quantized_rows

_LEAST_WEIGHTS = 4096
"""Smaller layers gain nothing."""
_NARROW = 16
"""A scale for each shorter row would cost more than half-precision floats."""
_LARGEST_HALF = 65_504
_MIDDLE = np.array(128, np.uint8)
_STATE_SCALE = 1 / 127
"""States of a GRU are means of tanh and lie between -1 and 1: no calibration is needed."""


def gather(g: Rewriter, node: onnx.NodeProto) -> str | None:
    """Rows of a table: int8 with a scale a row, or half-precision floats where rows are short."""
    table = g.weights(node.input[0])
    if table is None or table.ndim != 2 or table.size < _LEAST_WEIGHTS or _attributes(node).get("axis", 0) != 0:
        return None
    if table.shape[1] < _NARROW:
        if np.abs(table).max() > _LARGEST_HALF:
            return None
        return g.op("Cast", g.op("Gather", g.constant(table.astype(np.float16)), node.input[1]), to=FLOAT)
    rows, scale = quantized_rows(table)
    found = g.op("Cast", g.op("Gather", g.constant(rows), node.input[1]), to=FLOAT)
    return g.op("Mul", found, g.op("Gather", g.constant(scale[:, None]), node.input[1]))


def product(
    g: Rewriter, node: onnx.NodeProto, *, bits: int = 8, floating: Collection[str] = (), least: int = _LEAST_WEIGHTS
) -> str | None:
    """x times a constant matrix of at least so many weights, of so many bits each; nodes that are named stay as they
    are.
    """
    matrix = g.weights(node.input[1])
    if matrix is None or matrix.ndim != 2 or matrix.size < least or node.name in floating:
        return None
    return _times(g, node.input[0], np.ascontiguousarray(matrix.T), bits)


def lstm(g: Rewriter, node: onnx.NodeProto) -> str | None:
    """The LSTM that ONNX Runtime computes in int8; its activations' range is found at each call."""
    layer = _layer(g, node, gates=4)
    if layer is None:
        return None
    parts = []
    for stack in (layer.w, layer.r):  # R 4H D, R 4H H
        pairs = [quantized_rows(each) for each in stack]
        integers = np.stack([each.T for each, _ in pairs])
        scale = np.stack([scale for _, scale in pairs])
        parts.append([g.constant(each) for each in (integers, scale, np.zeros(scale.shape, np.int8))])
    (w, *w_more), (r, *r_more) = parts
    bias = g.constant(layer.b)
    return g.op(
        "DynamicQuantizeLSTM", node.input[0], w, r, bias, layer.lengths, "", "", "", *w_more, *r_more,
        domain=CONTRIB, hidden_size=layer.hidden, direction=layer.direction,
    )  # fmt: skip


def gru(g: Rewriter, node: onnx.NodeProto) -> str | None:
    """A product for all inputs, then a loop over the steps with all directions side by side."""
    layer = _layer(g, node, gates=3)
    if layer is None or not _attributes(node).get("linear_before_reset", 0):
        return None
    x, h, directions = node.input[0], layer.hidden, len(layer.w)
    own, state = np.split(layer.b, 2, axis=1)
    # Both biases of the first two gates are added at once; the third's own is multiplied by the reset gate.
    whole = own + np.concatenate([state[:, : 2 * h], np.zeros_like(state[:, 2 * h :])], axis=1)
    given = g.op("Add", _times(g, x, layer.w.reshape(-1, layer.w.shape[2])), g.constant(whole.ravel()))
    shape = g.constant([0, 0, directions, 3 * h])
    given = g.op("Transpose", g.op("Reshape", given, shape), perm=[0, 2, 1, 3])  # T R N 3H
    lengths = _lengths(g, x, layer)
    parts = g.ops("Split", _turned(g, given, lengths, layer), g.constant([2 * h, h]), outputs=2, axis=3)
    count = g.op("Slice", g.op("Shape", x), g.constant([1]), g.constant([2]))
    first = g.op("Expand", g.scalar(0), g.op("Concat", g.constant([directions]), count, g.constant([h]), axis=0))
    _, states = g.ops(
        "Scan", first, *parts, outputs=2, body=_step(layer, state[:, 2 * h :]), num_scan_inputs=2,
    )  # fmt: skip
    states = _turned(g, states, lengths, layer)
    return g.op("Mul", states, _there(g, x, lengths))


@dataclass(frozen=True)
class _Layer:
    """Weights w (R G D), r (R G H) and biases b (R 2G) of a recurrent layer, with G gates times H."""

    w: Floats
    r: Floats
    b: Floats
    hidden: int
    direction: str
    lengths: str


def _layer(g: Rewriter, node: onnx.NodeProto, gates: int) -> _Layer | None:
    """A layer without initial states and peepholes, with the usual activations, of which all states are read."""
    inputs, attributes = [*node.input, *[""] * 8], _attributes(node)
    w, r = g.weights(inputs[1]), g.weights(inputs[2])
    special = {"activations", "activation_alpha", "activation_beta", "clip", "input_forget", "layout"} & {*attributes}
    if w is None or r is None or special or any(inputs[5:8]) or any(map(g.is_read, node.output[1:])):
        return None
    hidden = r.shape[2]
    bias = g.weights(inputs[3]) if inputs[3] else np.zeros((len(w), 2 * gates * hidden), np.float32)
    if bias is None or w.shape[2] < 2:
        return None
    direction = attributes.get("direction", b"forward").decode()
    return _Layer(w, r, bias, hidden, direction, inputs[4])


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


def _times(g: Rewriter, x: str, rows: Floats, bits: int = 8) -> str:
    """x (... D) times the transpose of `rows` (C D): integers with a scale a row of x and one a row of `rows`.

    A row of x keeps its own range, so that its result does not depend on what else is in the batch.
    """
    integers, scale = quantized_rows(rows, bits)
    small, unit = g.once(("int8 rows", x), partial(_int8_rows, g, x))
    found = g.op("MatMulInteger", small, g.constant(integers.T), g.constant(_MIDDLE))
    return g.op("Mul", g.op("Mul", g.op("Cast", found, to=FLOAT), unit), g.constant(scale))


def _int8_rows(g: Rewriter, x: str) -> tuple[str, str]:
    """x (... D) in uint8 around 128, and the scale of each row (... 1)."""
    largest = g.op("ReduceMax", g.op("Abs", x), g.constant([-1]), keepdims=1)
    unit = g.op("Mul", g.op("Max", largest, g.scalar(1e-12)), g.scalar(1 / 127))
    return g.op("QuantizeLinear", g.op("Div", x, unit), g.scalar(1), g.constant(_MIDDLE)), unit


def _lengths(g: Builder, x: str, layer: _Layer) -> str:
    """Steps of each text (N): those given, or all."""
    if layer.lengths:
        return g.op("Cast", layer.lengths, to=INT64)
    shape = g.op("Shape", x)
    steps, count = (g.op("Slice", shape, g.constant([k]), g.constant([k + 1])) for k in (0, 1))
    return g.op("Expand", steps, count)


def _turned(g: Builder, values: str, lengths: str, layer: _Layer) -> str:
    """Values (T R N ...) of the direction that reads backward, from each text's end to its beginning; or back again."""
    if layer.direction == "forward":
        return values
    parts = [values]
    if layer.direction == "bidirectional":
        parts = g.ops("Split", values, outputs=2, axis=1, num_outputs=2)
    axis = g.constant([1])
    back = g.op("ReverseSequence", g.op("Squeeze", parts[-1], axis), lengths, time_axis=0, batch_axis=1)
    parts[-1] = g.op("Unsqueeze", back, axis)
    return g.op("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]


def _there(g: Builder, x: str, lengths: str) -> str:
    """1 for the steps of each text, 0 behind its end (T 1 N 1), as the operator fills up."""
    steps = g.op("Squeeze", g.op("Slice", g.op("Shape", x), g.constant([0]), g.constant([1])))
    indices = g.op("Range", g.constant(np.array(0, np.int64)), steps, g.constant(np.array(1, np.int64)))
    within = g.op("Less", g.op("Unsqueeze", indices, g.constant([1])), lengths)
    return g.op("Unsqueeze", g.op("Cast", within, to=FLOAT), g.constant([1, 3]))


def _step(layer: _Layer, inner: Floats) -> onnx.GraphProto:
    """One step: state (R N H) and what the inputs give for z and r (R N 2H) and for n (R N H) -> state."""
    b, h = Builder("step"), layer.hidden
    state, given_gates, given_n = (b.input(name, FLOAT, None) for name in ("state", "given_gates", "given_n"))
    pairs = [quantized_rows(each) for each in layer.r]
    integers = np.stack([each.T for each, _ in pairs])
    scale = np.stack([each for _, each in pairs])[:, None] * np.float32(_STATE_SCALE)
    small = b.op("QuantizeLinear", state, b.scalar(_STATE_SCALE), b.constant(_MIDDLE))
    product = b.op("Cast", b.op("MatMulInteger", small, b.constant(integers), b.constant(_MIDDLE)), to=FLOAT)
    gates, n = b.ops("Split", b.op("Mul", product, b.constant(scale)), b.constant([2 * h, h]), outputs=2, axis=2)
    z, r = b.ops("Split", b.op("Sigmoid", b.op("Add", given_gates, gates)), outputs=2, axis=2, num_outputs=2)
    n = b.op("Tanh", b.op("Add", given_n, b.op("Mul", r, b.op("Add", n, b.constant(inner[:, None])))))
    found = b.op("Add", n, b.op("Mul", z, b.op("Sub", state, n)))
    b.output(found, "state_next", FLOAT, None)
    b.output(found, "state_here", FLOAT, None)
    return b.body()
