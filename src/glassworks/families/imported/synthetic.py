"""An ONNX classifier that nobody trained, for tests, and its pictures: lines of three directions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DIRECTIONS = ("across", "down", "diagonal")
_LENGTH, _SHARPNESS = 8, 2.0


def write_lines(path: Path, *, scores: bool = True, side: int = 16) -> None:
    """Write a graph `pixels` (N 1 `side` `side`, from 0 to 1) -> `scores` (N 3), or probabilities, with labels."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Conv", ["pixels", "kernels"], ["found"], pads=[_LENGTH // 2] * 4),
        helper.make_node("Exp", ["found"], ["weights"]),
        helper.make_node("GlobalAveragePool", ["weights"], ["mean"]),
        helper.make_node("Log", ["mean"], ["largest"]),  # a maximum with a slope everywhere
        helper.make_node("Flatten", ["largest"], ["flat"]),
        helper.make_node("Gemm", ["flat", "sharpness"], ["scores"]),
    ]
    if not scores:
        nodes.append(helper.make_node("Softmax", ["scores"], ["probabilities"]))
    constants = {"kernels": _kernels(), "sharpness": np.eye(3, dtype=np.float32) * _SHARPNESS}
    graph = helper.make_graph(
        nodes,
        "lines",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 1, side, side])],
        [helper.make_tensor_value_info("scores" if scores else "probabilities", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"labels": json.dumps(DIRECTIONS), "task": "image-classification"})
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)


def _kernels() -> NDArray[np.float32]:
    """A line of each direction (3 1 8 8), without its mean."""
    kernels = np.zeros((3, 1, _LENGTH, _LENGTH), np.float32)
    kernels[0, 0, _LENGTH // 2], kernels[1, 0, :, _LENGTH // 2] = 1, 1
    np.fill_diagonal(kernels[2, 0], 1)
    return np.asarray(kernels - kernels.mean((2, 3), keepdims=True), np.float32)


def write_pictures(path: Path, *, examples: int, side: int = 16) -> None:
    """Write `x` (uint8 N H W) and `y` (N) as an npz file: a bright line of 8 pixels on noise."""
    generator = np.random.default_rng(0)
    x = generator.integers(0, 60, (examples, side, side), dtype=np.uint8)
    y, steps = np.arange(examples) % len(DIRECTIONS), np.arange(_LENGTH)
    for picture, direction in zip(x, y.tolist(), strict=True):
        row, column = generator.integers(0, side - _LENGTH, 2)
        picture[row + steps * (direction > 0), column + steps * (direction != 1)] = generator.integers(180, 256)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, x=x, y=np.asarray(DIRECTIONS)[y])
