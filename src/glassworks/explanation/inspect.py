"""Structure and parameters of an artifact, layer by layer: a graph, a pipeline of operators, or arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from glassworks.contracts import Opened
from glassworks.errors import Unsupported
from glassworks.record import Record


class Layer(Record):
    """One operator that has parameters or changes the shape; shapes are of its output."""

    name: str
    operator: str
    shape: tuple[int | str, ...]
    parameters: int
    size_bytes: int


def inspect_artifact(opened: Opened) -> tuple[Layer, ...]:
    """The layers of an artifact of any format that is known. Raises Unsupported for another, MissingLibrary."""
    match opened.artifact.format:
        case "onnx":
            return inspect_graph(opened.path)
        case "arrays":
            return tuple(_array(opened.folder / name) for name in opened.artifact.beside if name.endswith(".npy"))
        case "operators":
            return _operators(opened)
        case "decoder":
            return _openvino(opened.path)
        case other:
            raise Unsupported(f"the layers of a file in the format '{other}' cannot be read", "inspect another role")


def _openvino(path: Path) -> tuple[Layer, ...]:
    """The products of a decoder and its table of tokens; weights in fewer bits with their scales."""
    import openvino

    model, seen, layers = openvino.Core().read_model(path), set[str](), list[Layer]()
    for node in model.get_ordered_ops():
        if node.get_type_name() not in _WEIGHED or _stored(node) or not (constants := _constants(node)):
            continue
        # A table that embeds and predicts is there once.
        counted = [sizes for name, sizes in constants.items() if name not in seen]
        seen |= constants.keys()
        layers.append(
            Layer(
                name=node.get_friendly_name(),
                operator=node.get_type_name(),
                shape=tuple(size.get_length() if size.is_static else "?" for size in node.get_output_partial_shape(0)),
                parameters=max((size for size, _ in counted), default=0),
                size_bytes=sum(size_bytes for _, size_bytes in counted),
            )
        )
    return tuple(layers)


_WEIGHED = ("MatMul", "Gather", "Multiply")
_BETWEEN = ("Convert", "Multiply", "Subtract", "Reshape")
"""What stands between stored weights and the operator that computes with them."""
_POSITIONS = ("i32", "i64")
"""Whole numbers of these types are shapes and axes, not parameters."""


def _constants(node: Any) -> dict[str, tuple[int, int]]:
    """Elements and bytes, by name, of the weights that an operator computes with; empty where none is stored."""
    import math

    found: dict[str, tuple[int, int]] = {}
    waiting = [source.get_node() for source in node.input_values()]
    while waiting:
        each = waiting.pop()
        if each.get_type_name() == "Constant":
            size, kind = math.prod(each.get_output_shape(0)), each.get_element_type()
            if size > 1 and kind.get_type_name() not in _POSITIONS:
                found[each.get_friendly_name()] = size, size * kind.bitwidth // 8
        elif each.get_type_name() in _BETWEEN and _stored(each):
            waiting += [source.get_node() for source in each.input_values()]
    return found


def _stored(node: Any) -> bool:
    """Whether an operator takes nothing but constants."""
    sources = [source.get_node() for source in node.input_values()]
    return all(
        each.get_type_name() == "Constant" or (each.get_type_name() in _BETWEEN and _stored(each)) for each in sources
    )


def _array(path: Path) -> Layer:
    import numpy as np

    values = np.load(path, mmap_mode="r", allow_pickle=False)
    return Layer(
        name=path.stem, operator=path.stem, shape=values.shape, parameters=values.size, size_bytes=values.nbytes
    )


def _operators(opened: Opened) -> tuple[Layer, ...]:
    """In the order of computation; pictures have any size."""
    from glassworks.imaging.pipeline import from_json

    return tuple(
        Layer(
            name=step.operator.name or step.operator.title,
            operator=step.operator.title,
            shape=("height", "width", step.kind.channels),
            parameters=0,
            size_bytes=0,
        )
        for step in from_json(opened.path.read_bytes(), opened.artifact.file).steps
    )


def inspect_graph(path: Path) -> tuple[Layer, ...]:
    """The layers of an ONNX file in the order of computation. Raises MissingLibrary without `onnx`."""
    from glassworks.catalog import require

    require(["onnx"], "inspecting a graph")
    import onnx

    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    # Whole 64-bit numbers are shapes and axes, not parameters.
    weights = {t.name: t for t in model.graph.initializer if t.data_type != onnx.TensorProto.INT64}
    shapes = {
        value.name: tuple(d.dim_value or d.dim_param or "?" for d in value.type.tensor_type.shape.dim)
        for value in (*model.graph.value_info, *model.graph.output)
    }
    layers = []
    for node in model.graph.node:
        tensors = [weights[name] for name in node.input if name in weights and len(weights[name].dims) > 0]
        counts = [_size(tensor.dims) for tensor in tensors]
        layers.append(
            Layer(
                name=node.name or node.output[0],
                operator=node.op_type,
                shape=shapes.get(node.output[0], ()),
                parameters=sum(counts),
                size_bytes=sum(count * _width(tensor.data_type) for count, tensor in zip(counts, tensors, strict=True)),
            )
        )
    return tuple(layers)


def _size(dims: object) -> int:
    import math

    return math.prod(dims)  # type: ignore[call-overload, no-any-return]


def _width(data_type: int) -> int:
    import onnx

    return int(onnx.helper.tensor_dtype_to_np_dtype(data_type).itemsize)
