"""Recurrent layers in int8, against the operators they replace and against the same arithmetic in NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

from glassworks.catalog import get
from glassworks.contracts import Artifact, Opened, Pass, Runtime
from glassworks.errors import Unsupported
from glassworks.families.recurrent_text.directions import Weights
from glassworks.families.recurrent_text.graphs import write_predict
from glassworks.families.recurrent_text.network import Cell, RecurrentText
from glassworks.onnx_graphs.builder import FLOAT, INT32, INT64, Builder
from glassworks.onnx_graphs.rewriting import Rewriter, fp32_layers
from glassworks.optimization.integer_layers import gather, gru, lstm, product

Floats = NDArray[np.float32]
T, N, D, H = 9, 3, 8, 40
LENGTHS = np.array([9, 4, 1], np.int32)
GATES = {"GRU": 3, "LSTM": 4}


def weights(kind: str, directions: int) -> tuple[Floats, Floats, Floats]:
    """Of PyTorch's usual size."""
    generator = np.random.default_rng(directions)
    shapes = (GATES[kind] * H, D), (GATES[kind] * H, H), (2 * GATES[kind] * H,)
    w, r, b = (generator.uniform(-0.3, 0.3, (directions, *shape)).astype(np.float32) for shape in shapes)
    return w, r, b


def layer(path: Path, kind: str, direction: str, *, lengths: bool, **attributes: Any) -> Path:
    """x (T N D), and lengths (N) where they are given -> y (T R N H)."""
    g = Builder("layer")
    x = g.input("x", FLOAT, ["t", "n", D])
    given = g.input("lengths", INT32, ["n"]) if lengths else ""
    constants = [g.constant(each) for each in weights(kind, 1 + (direction == "bidirectional"))]
    more = {"linear_before_reset": 1} if kind == "GRU" else {}
    y = g.op(kind, x, *constants, given, hidden_size=H, direction=direction, **{**more, **attributes})
    g.output(y, "y", FLOAT, ["t", "r", "n", H])
    g.save(path)
    return path


def inputs(*, lengths: bool) -> dict[str, NDArray[Any]]:
    x = np.random.default_rng(5).normal(size=(T, N, D)).astype(np.float32)
    return {"x": x, "lengths": LENGTHS} if lengths else {"x": x}


def run(path: Path, tensors: dict[str, NDArray[Any]]) -> Floats:
    opened = Opened(artifact=Artifact(role="", format="onnx", file=path.name), folder=path.parent)
    found = get(Runtime, "onnxruntime").open(opened).run(tensors)
    return np.asarray(next(iter(found.values())), np.float32)


def rewritten(path: Path) -> Path:
    model, changed = Rewriter(onnx.load(path)).rewrite({"GRU": gru, "LSTM": lstm, "Gather": gather, "MatMul": product})
    assert changed
    onnx.checker.check_model(model)
    onnx.save(model, path.with_suffix(".int8.onnx"))
    return path.with_suffix(".int8.onnx")


def rounded(values: Floats, scale: Floats | float) -> Floats:
    return np.asarray(np.round(values / scale) * scale, np.float32)


def rows_rounded(values: Floats) -> Floats:
    return rounded(values, np.abs(values).max(axis=-1, keepdims=True) / 127)


def gru_in_numpy(x: Floats, lengths: NDArray[Any], direction: str, *, integers: bool) -> Floats:
    """The layer step by step and text by text; `integers` rounds what int8 rounds."""
    count = 1 + (direction == "bidirectional")
    w, r, b = weights("GRU", count)
    if integers:
        x, w, r = rows_rounded(x), rows_rounded(w), rows_rounded(r)
    y = np.zeros((T, count, N, H), np.float32)
    for way in range(count):
        backward = direction == "reverse" or way == 1
        own, state = np.split(b[way], 2)
        for text, length in enumerate(lengths.tolist()):
            h = np.zeros(H, np.float32)
            for step in reversed(range(length)) if backward else range(length):
                u = r[way] @ (rounded(h, 1 / 127) if integers else h) + state
                z_r = 1 / (1 + np.exp(-(w[way] @ x[step, text] + own + u)[: 2 * H]))
                n = np.tanh((w[way] @ x[step, text] + own)[2 * H :] + z_r[H:] * u[2 * H :])
                h = (1 - z_r[:H]) * n + z_r[:H] * h
                y[step, way, text] = h
    return y


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("lengths", [True, False])
def test_an_int8_gru_computes_what_the_operator_would_with_rounded_values(
    tmp_path: Path, direction: str, lengths: bool
) -> None:
    path, tensors = layer(tmp_path / "gru.onnx", "GRU", direction, lengths=lengths), inputs(lengths=lengths)
    long = tensors.get("lengths", np.full(N, T))
    operator = run(path, tensors)
    assert np.abs(gru_in_numpy(tensors["x"], long, direction, integers=False) - operator).max() < 1e-5
    found = run(rewritten(path), tensors)
    assert np.abs(found - gru_in_numpy(tensors["x"], long, direction, integers=True)).max() < 1e-5
    assert 1e-5 < np.abs(found - operator).max() < 0.02


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("lengths", [True, False])
def test_an_int8_lstm_is_near_the_operator(tmp_path: Path, direction: str, lengths: bool) -> None:
    path, tensors = layer(tmp_path / "lstm.onnx", "LSTM", direction, lengths=lengths), inputs(lengths=lengths)
    operator, found = run(path, tensors), run(rewritten(path), tensors)
    assert operator.shape == found.shape
    assert 1e-5 < np.abs(found - operator).max() < 0.03
    if lengths:
        assert not found[LENGTHS[1] :, :, 1].any()


def test_an_int8_gru_answers_a_text_the_same_in_any_company(tmp_path: Path) -> None:
    path, tensors = layer(tmp_path / "gru.onnx", "GRU", "bidirectional", lengths=True), inputs(lengths=True)
    together = run(rewritten(path), tensors)
    alone = run(path.with_suffix(".int8.onnx"), {"x": tensors["x"][:4, 1:2], "lengths": LENGTHS[1:2]})
    assert np.abs(together[:4, :, 1:2] - alone).max() < 1e-6


@pytest.mark.parametrize("attributes", [{"activations": ["Relu", "Tanh"]}, {"linear_before_reset": 0}, {"clip": 1.0}])
def test_a_gru_without_an_int8_form_is_left_alone(tmp_path: Path, attributes: dict[str, Any]) -> None:
    path = layer(tmp_path / "gru.onnx", "GRU", "forward", lengths=True, **attributes)
    _, changed = Rewriter(onnx.load(path)).rewrite({"GRU": gru})
    assert not changed
    with pytest.raises(Unsupported, match="no recurrent layer of this graph has an int8 form"):
        get(Pass, "int8_recurrent").apply(
            Opened(artifact=Artifact(role="predict", format="onnx", file=path.name), folder=tmp_path), []
        )


def test_tables_keep_a_scale_a_row_and_narrow_ones_are_halves(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    wide = (generator.normal(size=(300, 32)) * np.logspace(-3, 3, 300)[:, None]).astype(np.float32)
    narrow = generator.normal(size=(3000, 3)).astype(np.float32)
    g = Builder("tables")
    ids = g.input("ids", INT64, ["n"])
    both = g.op("Gather", g.constant(wide), ids), g.op("Gather", g.constant(narrow), ids)
    g.output(g.op("Concat", *both, axis=1), "rows", FLOAT, ["n", 35])
    g.save(tmp_path / "tables.onnx")
    found = run(rewritten(tmp_path / "tables.onnx"), {"ids": np.arange(300)})
    assert np.all(np.abs(found[:, :32] - wide) <= np.abs(wide).max(axis=1, keepdims=True) / 253)
    assert np.abs(found[:, 32:] - narrow[:300]).max() < 2e-3
    assert (tmp_path / "tables.int8.onnx").stat().st_size < 0.45 * (tmp_path / "tables.onnx").stat().st_size


def exported(folder: Path, cell: Cell) -> Opened:
    """A network as it is exported, untrained."""
    torch.manual_seed(0)
    network = RecurrentText(500, 32, 48, 2, cell, 0.0, 2000).eval()
    network.says = torch.randn(2001, 3).abs()
    network.share.fill_(0.9)
    write_predict(Weights(network), folder / "predict.onnx")
    return Opened(artifact=Artifact(role="predict", format="onnx", file="predict.onnx"), folder=folder)


def texts() -> dict[str, NDArray[Any]]:
    generator = np.random.default_rng(1)
    lengths = np.array([30, 12, 1, 30], np.int32)
    ids = np.where(np.arange(30) < lengths[:, None], generator.integers(2, 500, (4, 30)), 0)
    return {"ids": ids, "lengths": lengths, "pieces": generator.integers(0, 2000, (4, 50))}


@pytest.mark.parametrize(("name", "bound"), [("int8_recurrent", 0.05), ("int8_weights", 0.02)])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_whole_network_in_int8_scores_nearly_the_same(tmp_path: Path, cell: Cell, name: str, bound: float) -> None:
    opened = exported(tmp_path, cell)
    artifact = get(Pass, name).apply(opened, [])
    difference = run(tmp_path / artifact.file, texts()) - run(opened.path, texts())
    assert 1e-6 < np.abs(difference).max() < bound
    assert (tmp_path / artifact.file).stat().st_size < 0.4 * opened.path.stat().st_size


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_what_an_int8_artifact_computes_in_fp32_is_said(tmp_path: Path, cell: Cell) -> None:
    opened = exported(tmp_path, cell)
    recurrent = f"{cell.upper()} ({2 * GATES[cell.upper()] * 48 * (32 + 48):,} weights)"
    rest = ("MatMul (64 weights)", "MatMul (384 weights)")
    assert get(Pass, "int8_recurrent").apply(opened, []).computes_fp32 == rest
    weights_only = get(Pass, "int8_weights").apply(opened, []).computes_fp32
    assert weights_only == (recurrent, "MatMul (6,144 weights)", *rest)
    assert fp32_layers(onnx.load(opened.path)) == weights_only
    with pytest.raises(Unsupported, match="would leave the recurrent layer in fp32") as told:
        get(Pass, "int8").apply(opened, [])
    assert recurrent in told.value.problem
    assert "int8_recurrent" in told.value.mend


@pytest.mark.parametrize("name", ["int8_recurrent", "int8_weights"])
def test_a_graph_without_recurrent_layers_is_refused(tmp_path: Path, name: str) -> None:
    g = Builder("plain")
    x = g.input("x", FLOAT, ["n", 128])
    g.output(g.op("MatMul", x, g.constant(np.ones((128, 64), np.float32))), "y", FLOAT, ["n", 64])
    g.save(tmp_path / "plain.onnx")
    opened = Opened(artifact=Artifact(role="predict", format="onnx", file="plain.onnx"), folder=tmp_path)
    with pytest.raises(Unsupported, match="no recurrent layer") as told:
        get(Pass, name).apply(opened, [])
    assert "'int8'" in told.value.mend
