"""The trained network as ONNX graphs: prediction, embedding, and scores with their gradient by hand-derived rules.

The recurrent layers stay single operators. Their gradients are loops (`Scan`) over what one step passes to the one
before; everything that does not need the step after is computed for all steps at once. Time comes first (T N ...).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassworks.families.recurrent_text.network import BACKWARD, FORWARD, RecurrentText
from glassworks.onnx_graphs.builder import FLOAT, INT32, INT64, Builder

Floats = NDArray[np.float32]
_NOTHING = -1e9
# The order of gates: PyTorch's, as ONNX has them.
_GRU, _LSTM = (1, 0, 2), (0, 3, 1, 2)


@dataclass(frozen=True)
class _Direction:
    """Weights of one direction with gates as ONNX orders them: w (G H, D), r (G H, H), biases (G H)."""

    w: Floats
    r: Floats
    bw: Floats
    br: Floats


class Weights:
    """A network's weights as arrays."""

    def __init__(self, network: RecurrentText) -> None:
        state = {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}
        self.cell, self.embedding = network.cell, state["embedding.weight"]
        self.attention, self.attention_bias = state["attention.weight"].T, state["attention.bias"]
        self.query = state["query.weight"].T
        share = float(state["share"])
        self.out, self.out_bias = share * state["out.weight"].T, share * state["out.bias"]
        self.says, self.says_bias = state["says"].copy(), (1 - share) * state["bias"]
        self.says[:, :-1] *= 1 - share
        self.hidden, self.labels = state[f"{FORWARD}.weight_hh_l0"].shape[1], len(self.out_bias)
        order = _GRU if network.cell == "gru" else _LSTM
        self.directions = [
            _Direction(
                *(
                    _ordered(state[f"{layer}.{name}_l0"], order)
                    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
                )
            )
            for layer in (FORWARD, BACKWARD)
        ]


def _ordered(values: Floats, order: tuple[int, ...]) -> Floats:
    gates = np.split(values, len(order))
    return np.concatenate([gates[gate] for gate in order])


def write_predict(weights: Weights, path: Path) -> None:
    """ids (N T), lengths (N), n-grams (N M) -> scores (N K)."""
    g = Builder("predict")
    ids = g.input("ids", INT64, ["n", "t"])
    lengths = g.input("lengths", INT32, ["n"])
    ngrams = g.input("pieces", INT64, ["n", "m"])
    vectors = g.op("Gather", g.constant(weights.embedding), ids)
    states = _merged(g, _recurrent(g, weights, g.op("Transpose", vectors, perm=[1, 0, 2]), lengths), weights)
    steps = g.op("Slice", g.op("Shape", ids), g.constant([1]), g.constant([2]))
    index = g.op(
        "Range", *(g.constant(np.array(0, np.int64)), g.op("Squeeze", steps), g.constant(np.array(1, np.int64)))
    )
    last = g.op("Unsqueeze", g.op("Cast", lengths, to=INT64), g.constant([1]))
    beyond = g.op("Cast", g.op("GreaterOrEqual", index, last), to=FLOAT)
    hidden = g.op("Mul", beyond, g.scalar(_NOTHING))
    pooled, _ = _pooled(g, weights, states, hidden)
    deep = g.op("Add", g.op("MatMul", pooled, g.constant(weights.out)), g.constant(weights.out_bias))
    g.output(
        g.op("Add", deep, g.op("Add", _linear(g, weights, ngrams), g.constant(weights.says_bias))), *_scores(weights)
    )
    g.save(path)


def write_embed(weights: Weights, path: Path) -> None:
    """ids (N T), n-grams (N M) -> vectors (N T D), says (N M K): what each n-gram adds to the scores."""
    g = Builder("embed")
    ids, ngrams = g.input("ids", INT64, ["n", "t"]), g.input("pieces", INT64, ["n", "m"])
    width = weights.embedding.shape[1]
    g.output(g.op("Gather", g.constant(weights.embedding), ids), "vectors", FLOAT, ["n", "t", width])
    said, root = _said(g, weights, ngrams)
    says = g.op("Div", g.slice(said, 2, 0, weights.labels), g.op("Unsqueeze", root, g.constant([2])))
    g.output(says, "says", FLOAT, ["n", "m", weights.labels])
    g.save(path)


def write_gradient(weights: Weights, path: Path) -> None:
    """vectors (N T D + K), target (N) -> scores (N K), gradient (N T D + K) of the target's score; nothing fills up."""
    g = Builder("gradient")
    width = weights.embedding.shape[1]
    given = g.input("vectors", FLOAT, ["n", "t", width + weights.labels])
    target = g.input("target", INT64, ["n"])
    x = g.op("Transpose", g.slice(given, 2, 0, width), perm=[1, 0, 2])
    passes = [_Pass(g, weights, number, x) for number in range(2)]
    states = g.op("Transpose", g.op("Concat", *(each.states for each in passes), axis=2), perm=[1, 0, 2])
    pooled, backward = _pooled(g, weights, states, None)
    deep = g.op(
        "Add", g.op("MatMul", pooled, g.constant(weights.out)), g.constant(weights.out_bias + weights.says_bias)
    )
    said = g.op("ReduceSum", g.slice(given, 2, width, width + weights.labels), g.constant([1]), keepdims=0)
    g.output(g.op("Add", deep, said), *_scores(weights))
    chosen = g.op(
        "OneHot", target, g.constant(np.array(weights.labels, np.int64)), g.constant(np.array([0, 1], np.float32))
    )
    d_pooled = g.op("MatMul", chosen, g.constant(np.ascontiguousarray(weights.out.T)))
    d_states = g.op("Transpose", backward(d_pooled), perm=[1, 0, 2])
    h = weights.hidden
    parts = [each.backward(g.slice(d_states, 2, number * h, (number + 1) * h)) for number, each in enumerate(passes)]
    d_x = g.op("Transpose", g.op("Add", *parts), perm=[1, 0, 2])
    steps = g.op("Concat", g.op("Shape", given, start=0, end=2), g.constant([weights.labels]), axis=0)
    d_said = g.op("Expand", g.op("Unsqueeze", chosen, g.constant([1])), steps)
    g.output(g.op("Concat", d_x, d_said, axis=2), "gradient", FLOAT, ["n", "t", width + weights.labels])
    g.save(path)


def _scores(weights: Weights) -> tuple[str, int, list[str | int]]:
    return "scores", FLOAT, ["n", weights.labels]


def _recurrent(g: Builder, weights: Weights, x: str, lengths: str) -> str:
    """The layer (T 2 N H) as one operator."""
    pairs = weights.directions
    stacked = (
        np.stack([each.w for each in pairs]),
        np.stack([each.r for each in pairs]),
        np.stack([np.concatenate([each.bw, each.br]) for each in pairs]),
    )
    more: dict[str, Any] = {"linear_before_reset": 1} if weights.cell == "gru" else {}
    constants = [g.constant(each) for each in stacked]
    kind = weights.cell.upper()
    return g.op(kind, x, *constants, lengths, hidden_size=weights.hidden, direction="bidirectional", **more)


def _merged(g: Builder, y: str, weights: Weights) -> str:
    """T 2 N H as N T 2H."""
    shape = g.constant(np.array([0, 0, 2 * weights.hidden], np.int64))
    return g.op("Reshape", g.op("Transpose", y, perm=[2, 0, 1, 3]), shape)


def _linear(g: Builder, weights: Weights, ngrams: str) -> str:
    said, root = _said(g, weights, ngrams)
    total = g.op("ReduceSum", g.slice(said, 2, 0, weights.labels), g.constant([1]), keepdims=0)
    return g.op("Div", total, root)


def _said(g: Builder, weights: Weights, ngrams: str) -> tuple[str, str]:
    """Rows of the table (N M K + 1), and the length of the text's weights (N 1)."""
    said = g.op("Gather", g.constant(weights.says), ngrams)
    squares = g.op("ReduceSum", g.slice(said, 2, weights.labels, weights.labels + 1), g.constant([1]), keepdims=0)
    return said, g.op("Sqrt", g.op("Max", squares, g.scalar(1e-6)))


def _pooled(g: Builder, weights: Weights, states: str, hidden: str | None) -> tuple[str, Any]:
    """Attention mean and maximum (N 4H) of states (N T 2H), and what carries their gradient back to the states."""
    inner = g.op(
        "Tanh", g.op("Add", g.op("MatMul", states, g.constant(weights.attention)), g.constant(weights.attention_bias))
    )
    strength = g.op("Squeeze", g.op("MatMul", inner, g.constant(weights.query)), g.constant([2]))
    if hidden is not None:
        strength = g.op("Add", strength, hidden)
    weight = g.op("Unsqueeze", g.op("Softmax", strength, axis=1), g.constant([1]))
    mean = g.op("Squeeze", g.op("MatMul", weight, states), g.constant([1]))
    seen = states if hidden is None else g.op("Add", states, g.op("Unsqueeze", hidden, g.constant([2])))
    largest = g.op("ReduceMax", seen, g.constant([1]), keepdims=1)

    def backward(d_pooled: str) -> str:
        size = 2 * weights.hidden
        d_mean = g.op("Unsqueeze", g.slice(d_pooled, 1, 0, size), g.constant([1]))
        d_largest = g.op("Unsqueeze", g.slice(d_pooled, 1, size, 2 * size), g.constant([1]))
        column = g.op("Transpose", weight, perm=[0, 2, 1])
        agreement = g.op("ReduceSum", g.op("Mul", states, d_mean), g.constant([2]), keepdims=1)
        expected = g.op("MatMul", weight, agreement)
        d_strength = g.op("Mul", column, g.op("Sub", agreement, expected))
        slope = g.op("Sub", g.scalar(1), g.op("Mul", inner, inner))
        d_inner = g.op("Mul", g.op("Mul", d_strength, g.constant(weights.query.reshape(1, 1, -1))), slope)
        through = g.op("MatMul", d_inner, g.constant(np.ascontiguousarray(weights.attention.T)))
        is_largest = g.op("Cast", g.op("Equal", states, largest), to=FLOAT)
        direct = g.op("Add", g.op("Mul", column, d_mean), g.op("Mul", is_largest, d_largest))
        return g.op("Add", direct, through)

    return g.op("Concat", mean, g.op("Squeeze", largest, g.constant([1])), axis=1), backward


class _Pass:
    """One direction of the layer, forward now and backward when its gradient is known."""

    def __init__(self, g: Builder, weights: Weights, number: int, x: str) -> None:
        self._g, self._weights, self._turned, self._x = g, weights, number == 1, x
        self._own = weights.directions[number]
        batch = g.op("Slice", g.op("Shape", x), g.constant([1]), g.constant([2]))
        one = g.op("Concat", batch, g.constant([weights.hidden]), axis=0)
        self._nothing = g.op("Expand", g.scalar(0), one)
        self._gru = weights.cell == "gru"
        self.states = self._forward_gru() if self._gru else self._forward_lstm()

    def backward(self, d_states: str) -> str:
        """The gradient of x (T N D)."""
        d_gates = self._backward_gru(d_states) if self._gru else self._backward_lstm(d_states)
        return self._g.op("MatMul", d_gates, self._g.constant(self._own.w))

    def _before(self, states: str) -> str:
        """Each step's state before it, in the order in which this direction reads."""
        g, first = self._g, self._g.op("Unsqueeze", self._nothing, self._g.constant([0]))
        if self._turned:
            return g.op("Concat", g.slice(states, 0, 1, 2**31), first, axis=0)
        return g.op("Concat", first, g.slice(states, 0, 0, -1), axis=0)

    def _gates(self, value: str, weight: Floats, bias: Floats, count: int) -> list[str]:
        g = self._g
        whole = g.op("Add", g.op("MatMul", value, g.constant(np.ascontiguousarray(weight.T))), g.constant(bias))
        return g.ops("Split", whole, outputs=count, axis=2, num_outputs=count)

    def _scan(self, body: Builder, states: list[str], inputs: list[str], outputs: int, *, backward: bool) -> list[str]:
        """Outputs a step; `backward` runs against the direction in which the layer reads."""
        against = int(self._turned != backward)
        return self._g.ops(
            "Scan", *states, *inputs, outputs=len(states) + outputs, body=body.body(), num_scan_inputs=len(inputs),
            scan_input_directions=[against] * len(inputs), scan_output_directions=[against] * outputs,
        )[len(states) :]  # fmt: skip

    def _forward_gru(self) -> str:
        g, own, weights = self._g, self._own, self._weights
        self._layer = g.op(
            "GRU", self._x, *(g.constant(each[None]) for each in (own.w, own.r, np.concatenate([own.bw, own.br]))),
            hidden_size=weights.hidden, direction="reverse" if self._turned else "forward", linear_before_reset=1,
        )  # fmt: skip
        return g.op("Squeeze", self._layer, g.constant([1]))

    def _backward_gru(self, d_states: str) -> str:
        """h = (1 - z) n + z h', n = tanh(x + r u); what each step passes on needs only its own gates."""
        g, one = self._g, self._g.scalar(1)
        before = self._before(self.states)
        xz, xr, xn = self._gates(self._x, self._own.w, self._own.bw, 3)
        uz, ur, un = self._gates(before, self._own.r, self._own.br, 3)
        z, r = (g.op("Sigmoid", g.op("Add", a, b)) for a, b in ((xz, uz), (xr, ur)))
        n = g.op("Tanh", g.op("Add", xn, g.op("Mul", r, un)))
        keep = g.op("Sub", one, z)
        for_z = g.op("Mul", g.op("Sub", before, n), g.op("Mul", z, keep))
        for_n = g.op("Mul", keep, g.op("Sub", one, g.op("Mul", n, n)))
        for_r = g.op("Mul", un, g.op("Mul", r, g.op("Sub", one, r)))
        b = Builder(f"backward{int(self._turned)}")
        carried = b.input("carried", FLOAT, None)
        d, pz, pn, pr, zt, rt = (b.input(name, FLOAT, None) for name in ("d", "pz", "pn", "pr", "zt", "rt"))
        here = b.op("Add", carried, d)
        dz, dn = b.op("Mul", here, pz), b.op("Mul", here, pn)
        dr = b.op("Mul", dn, pr)
        inner = b.op("Concat", dz, dr, b.op("Mul", dn, rt), axis=1)
        passed = b.op("Add", b.op("Mul", here, zt), b.op("MatMul", inner, b.constant(self._own.r)))
        b.output(passed, "passed", FLOAT, None)
        b.output(b.op("Concat", dz, dr, dn, axis=1), "gates", FLOAT, None)
        return self._scan(b, [self._nothing], [d_states, for_z, for_n, for_r, z, r], 1, backward=True)[0]

    def _forward_lstm(self) -> str:
        """i, o, f, c: the operator does not tell its cells, so they are kept here."""
        g, own = self._g, self._own
        given = g.op(
            "Add", g.op("MatMul", self._x, g.constant(np.ascontiguousarray(own.w.T))), g.constant(own.bw + own.br)
        )
        b = Builder(f"forward{int(self._turned)}")
        h, c, x = (b.input(name, FLOAT, None) for name in ("h", "c", "x"))
        gates = b.op("Add", x, b.op("MatMul", h, b.constant(np.ascontiguousarray(own.r.T))))
        i, o, f, n = b.ops("Split", gates, outputs=4, axis=1, num_outputs=4)
        i, o, f, n = b.op("Sigmoid", i), b.op("Sigmoid", o), b.op("Sigmoid", f), b.op("Tanh", n)
        cell = b.op("Add", b.op("Mul", f, c), b.op("Mul", i, n))
        state = b.op("Mul", o, b.op("Tanh", cell))
        b.output(state, "h_next", FLOAT, None)
        b.output(cell, "c_next", FLOAT, None)
        for name, value in zip(("y", "cells", "i", "o", "f", "n"), (state, cell, i, o, f, n), strict=True):
            b.output(value, f"all_{name}", FLOAT, None)
        self._kept = self._scan(b, [self._nothing, self._nothing], [given], 6, backward=False)
        return self._kept[0]

    def _backward_lstm(self, d_states: str) -> str:
        g, one = self._g, self._g.scalar(1)
        _, cells, i, o, f, n = self._kept
        spread = g.op("Tanh", cells)
        for_o = g.op("Mul", spread, g.op("Mul", o, g.op("Sub", one, o)))
        for_c = g.op("Mul", o, g.op("Sub", one, g.op("Mul", spread, spread)))
        for_i = g.op("Mul", n, g.op("Mul", i, g.op("Sub", one, i)))
        for_f = g.op("Mul", self._before(cells), g.op("Mul", f, g.op("Sub", one, f)))
        for_n = g.op("Mul", i, g.op("Sub", one, g.op("Mul", n, n)))
        b = Builder(f"backward{int(self._turned)}")
        dh, dc, d = (b.input(name, FLOAT, None) for name in ("dh", "dc", "d"))
        po, pc, pi, pf, pn, ft = (b.input(name, FLOAT, None) for name in ("po", "pc", "pi", "pf", "pn", "ft"))
        here = b.op("Add", dh, d)
        cell = b.op("Add", dc, b.op("Mul", here, pc))
        gates = b.op(
            "Concat", b.op("Mul", cell, pi), b.op("Mul", here, po), b.op("Mul", cell, pf), b.op("Mul", cell, pn), axis=1
        )
        b.output(b.op("MatMul", gates, b.constant(self._own.r)), "dh_next", FLOAT, None)
        b.output(b.op("Mul", cell, ft), "dc_next", FLOAT, None)
        b.output(gates, "gates", FLOAT, None)
        inputs = [d_states, for_o, for_c, for_i, for_f, for_n, f]
        return self._scan(b, [self._nothing, self._nothing], inputs, 1, backward=True)[0]
