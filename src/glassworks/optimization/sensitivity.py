"""How much each layer suffers in int8, measured once a graph and kept beside it.

A layer's signal-to-noise ratio is that of the answer when this layer alone has 7-bit weights and 8-bit inputs (Zhang et
al. 2021, "Towards Mixed-Precision Quantization of Neural Networks via Constrained Optimization", measure by output).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.contracts import Opened
from glassworks.storage import write_atomically

if TYPE_CHECKING:
    import onnx

    from glassworks.contracts import Tensors

_ROWS = 24
_KINDS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_NONE_DB = 200.0
"""Of a layer that changes nothing."""


def most_sensitive(opened: Opened, calibration: Sequence[Tensors], count: int) -> list[str]:
    """The names of the nodes whose quantization disturbs the answer most, the worst first."""
    if not count:
        return []
    ratios = sensitivities(opened, calibration)
    return sorted(ratios, key=lambda name: (ratios[name], name))[:count]


def sensitivities(opened: Opened, calibration: Sequence[Tensors]) -> Mapping[str, float]:
    """Signal-to-noise ratio of the first output in decibels, by the name of the only layer that is quantized.

    Kept in `STEM.sensitivity.json`, and read from there while the graph and the rows are the same.
    """
    rows = [{name: np.asarray(values) for name, values in each.items()} for each in calibration[:_ROWS]]
    digest = _digest(opened.path, rows)
    file = opened.folder / f"{opened.path.stem}.sensitivity.json"
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        if stored["digest"] == digest:
            return {str(name): float(ratio) for name, ratio in stored["snr_db"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    measured = _measured(opened.path, rows)
    write_atomically(file, json.dumps({"digest": digest, "snr_db": measured}, indent=1).encode())
    return measured


def _measured(path: Path, rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    import onnx

    from glassworks.optimization.passes._graphs import name_nodes

    model = onnx.load(path)
    name_nodes(model)
    output = model.graph.output[0].name
    layers = _layers(model)
    inputs = sorted({node.input[0] for node in layers})
    exact = _answers(model, rows, [output, *inputs])
    ranges = {name: _range([found[name] for found in exact]) for name in inputs}
    signal = [found[output] for found in exact]
    return {node.name: _ratio(signal, _disturbed(model, node, ranges[node.input[0]], rows, output)) for node in layers}


def _layers(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Layers with constant weights, those of convolutions and products."""
    given = {each.name for each in model.graph.initializer}
    return [node for node in model.graph.node if node.op_type in _KINDS and node.input[1] in given]


def _disturbed(
    model: onnx.ModelProto, node: onnx.NodeProto, limits: tuple[float, float], rows: Sequence[Any], output: str
) -> list[Any]:
    """Answers with that node's weights and input rounded."""
    import onnx
    from onnx import helper, numpy_helper

    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    graph = changed.graph
    (at,) = [number for number, each in enumerate(graph.node) if each.name == node.name]
    target = graph.node[at]
    weights = next(each for each in graph.initializer if each.name == node.input[1])
    rounded = numpy_helper.from_array(_rounded(numpy_helper.to_array(weights), node), "rounded_weights")
    scale = max(limits[1] - limits[0], 1e-12) / 255
    zero = int(np.clip(round(-limits[0] / scale), 0, 255))
    graph.initializer.append(rounded)
    graph.initializer.append(numpy_helper.from_array(np.array(scale, np.float32), "rounding_scale"))
    graph.initializer.append(numpy_helper.from_array(np.array(zero, np.uint8), "rounding_zero"))
    scales = ["rounding_scale", "rounding_zero"]
    quantize = helper.make_node("QuantizeLinear", [node.input[0], *scales], ["rounded_integers"])
    dequantize = helper.make_node("DequantizeLinear", ["rounded_integers", *scales], ["rounded_input"])
    target.input[0], target.input[1] = "rounded_input", "rounded_weights"
    graph.node.insert(at, dequantize)
    graph.node.insert(at, quantize)
    return [found[output] for found in _answers(changed, rows, [output])]


def _rounded(weights: Any, node: onnx.NodeProto) -> Any:
    """To 7 bits with a scale a channel of the output, as the quantizers do."""
    by_row = node.op_type == "Conv" or any(each.name == "transB" and each.i for each in node.attribute)
    channel = 0 if by_row else 1 if node.op_type == "ConvTranspose" else weights.ndim - 1
    axes = tuple(axis for axis in range(weights.ndim) if axis != channel)
    scale = np.maximum(np.abs(weights).max(axis=axes, keepdims=True), 1e-12) / 63
    return (np.round(weights / scale) * scale).astype(weights.dtype)


def _answers(model: onnx.ModelProto, rows: Sequence[Any], names: Sequence[str]) -> list[dict[str, Any]]:
    """Those values of the graph for each row."""
    import onnx
    import onnxruntime

    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    known = {each.name for each in (*whole.graph.output, *whole.graph.input)}
    whole.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    # Optimizing takes longer than these few rows do.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(whole.SerializeToString(), options, providers=["CPUExecutionProvider"])
    given = {each.name for each in whole.graph.input}
    asked = [name for name in names if name not in given]
    return [{**row, **dict(zip(asked, session.run(asked, dict(row)), strict=True))} for row in rows]


def _range(values: Sequence[Any]) -> tuple[float, float]:
    """Of all values, with 0."""
    return min(0.0, *(float(each.min()) for each in values)), max(0.0, *(float(each.max()) for each in values))


def _ratio(signal: Sequence[Any], disturbed: Sequence[Any]) -> float:
    power = sum(float(np.square(each, dtype=np.float64).sum()) for each in signal)
    noise = sum(float(np.square(a.astype(np.float64) - b).sum()) for a, b in zip(signal, disturbed, strict=True))
    return _NONE_DB if noise <= power * 10 ** (-_NONE_DB / 10) else 10 * math.log10(power / noise)


def _digest(path: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    for row in rows:
        for name, values in sorted(row.items()):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
