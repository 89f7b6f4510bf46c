"""The trained network as ONNX graphs: prediction, embedding, and scores with their gradient by hand-derived rules.

The recurrent layers stay single operators. Their gradients are loops (`Scan`) over what one step passes to the one
before; everything that does not need the step after is computed for all steps at once. Time comes first (T N ...).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassworks.families.recurrent_text.directions import Pass, Weights
from glassworks.onnx_graphs.builder import FLOAT, INT32, INT64, Builder

Floats = NDArray[np.float32]
_NOTHING = -1e9


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
    passes = [Pass(g, weights, number, x) for number in range(2)]
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
