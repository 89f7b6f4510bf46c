"""Structure and parameters of an artifact, layer by layer: a graph, a pipeline of operators, or arrays."""

from __future__ import annotations

from pathlib import Path

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
        case other:
            raise Unsupported(f"the layers of a file in the format '{other}' cannot be read", "inspect another role")


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
