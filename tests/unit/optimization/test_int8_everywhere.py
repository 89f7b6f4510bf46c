"""Static int8 answers alike in every engine, also where no instruction adds products of int8 in 32 bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from glassworks.catalog import get
from glassworks.contracts import Artifact, Opened, Pass, Runtime
from glassworks.onnx_graphs.builder import FLOAT, Builder

Floats = NDArray[np.float32]
SIDE, CHANNELS, VALUES = 12, 24, 64


def weights(*shape: int) -> Floats:
    """Of one size, as those of a layer with clipped weights: sums of their products are as large as can be."""
    signs = np.random.default_rng(len(shape)).choice([-1, 1], shape, p=[0.2, 0.8])
    return (signs * 0.1).astype(np.float32)


def convolutions(path: Path) -> Floats:
    g = Builder("pictures")
    x = g.input("x", FLOAT, ["n", CHANNELS, SIDE, SIDE])
    for _ in range(2):
        x = g.op("Relu", g.op("Conv", x, g.constant(weights(CHANNELS, CHANNELS, 3, 3)), pads=[1, 1, 1, 1]))
    g.output(x, "y", FLOAT, ["n", CHANNELS, SIDE, SIDE])
    g.save(path)
    return np.random.default_rng(0).random((50, CHANNELS, SIDE, SIDE), np.float32)


def products(path: Path) -> Floats:
    g = Builder("rows")
    x = g.input("x", FLOAT, ["n", VALUES])
    for _ in range(2):
        x = g.op("Relu", g.op("MatMul", x, g.constant(weights(VALUES, VALUES))))
    g.output(x, "y", FLOAT, ["n", VALUES])
    g.save(path)
    return np.random.default_rng(0).random((50, VALUES), np.float32)


@pytest.mark.parametrize("build", [convolutions, products])
def test_int8_is_the_same_in_every_engine_and_near_fp32(tmp_path: Path, build: Callable[[Path], Floats]) -> None:
    rows = build(tmp_path / "graph.onnx")
    opened = Opened(artifact=Artifact(role="predict", format="onnx", file="graph.onnx"), folder=tmp_path)
    made = get(Pass, "int8").apply(opened, [{"x": row[None]} for row in rows])
    constants = onnx.load(tmp_path / made.file).graph.initializer
    stored = [numpy_helper.to_array(each) for each in constants if each.data_type == onnx.TensorProto.INT8]
    assert 32 < max(np.abs(each).max() for each in stored) <= 64
    fp32 = answered("onnxruntime", opened.artifact, tmp_path, rows)
    for engine in ("onnxruntime", "openvino"):
        far = np.abs(answered(engine, made, tmp_path, rows) - fp32).max() / fp32.max()
        assert 1e-5 < far < 0.03, engine


def answered(engine: str, artifact: Artifact, folder: Path, rows: Floats) -> Floats:
    (found,) = get(Runtime, engine).open(Opened(artifact=artifact, folder=folder)).run({"x": rows}).values()
    return np.asarray(found, np.float32)
