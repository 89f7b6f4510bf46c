"""The two directions of the recurrent layer in ONNX: their weights, and their gradient by hand-derived rules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glassworks.families.recurrent_text.network import BACKWARD, FORWARD, RecurrentText
from glassworks.onnx_graphs.builder import FLOAT, Builder

Floats = NDArray[np.float32]
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


class Pass:
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
