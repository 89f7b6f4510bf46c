"""An ONNX file becomes a graph with its weights inside, one input, a free batch and one output of numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.contracts import Imported
from glassworks.errors import DataError, Unsupported
from glassworks.packaging.importers._metadata import attribute, labels_of, preprocessing_of, task_of
from glassworks.packaging.importers._places import LARGEST, inside, require_file

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, TensorProto

_DOMAINS = frozenset(("", "ai.onnx", "ai.onnx.ml", "com.microsoft"))
_AGAIN = "export the model again"
_MATRIX = 2


def load_graph(path: Path, folder: Path | None = None) -> ModelProto:
    """The file's graph with all weights in memory, checked. Raises DataError, UnsafePath, Unsupported.

    `folder` is where data beside the file may lie; left out, the file's own.
    """
    import onnx
    import onnx.inliner
    from google.protobuf.message import DecodeError

    require_file(path)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except (DecodeError, OSError, ValueError) as error:
        raise DataError(f"{path} is no ONNX file: {error}", _AGAIN) from None
    if not model.graph.node:
        raise DataError(f"{path} holds no ONNX graph, or one that computes nothing", _AGAIN)
    _take_in(model, folder or path.parent)
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    _require_known(model, path)
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # noqa: BLE001
        # The checker raises errors of three modules and of C++ for whatever a file holds.
        raise DataError(f"{path} is no valid ONNX graph: {_first(error)}", _AGAIN) from None
    return model


def imported(model: ModelProto, form: str, path: Path, notes: tuple[str, ...] = ()) -> Imported:
    """The graph with what it says of itself, brought to one input and one output. Raises DataError, Unsupported."""
    labels = labels_of(model)
    notes = (*notes, *_one_output(model, path))
    _one_input(model, path)
    notes = (*notes, *_free_batch(model, path))
    require_computable(model, path)
    said = {entry.key: entry.value for entry in model.metadata_props}
    found = Imported(form=form, graph=model, labels=labels, task=task_of(said), notes=notes, scores=scores_of(model))
    return replace(found, preprocessing=preprocessing_of(said))


def require_computable(model: ModelProto, path: Path) -> None:
    """Raises Unsupported for a graph that ONNX Runtime cannot open, with what it says."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001
        raise Unsupported(f"{path}: ONNX Runtime cannot open the graph: {_first(error)}", _AGAIN) from None


def scores_of(model: ModelProto) -> bool | None:
    """Whether the output is of scores; None where the last operator does not tell."""
    maker = _maker(model.graph, model.graph.output[0].name)
    while maker is not None and maker.op_type in ("Identity", "Cast"):
        maker = _maker(model.graph, maker.input[0])
    if maker is None:
        return None
    if maker.op_type == "Softmax" or attribute(maker, "post_transform") in ("SOFTMAX",):
        return False
    return True if maker.op_type in ("Gemm", "MatMul") else None


def _maker(graph: GraphProto, name: str) -> Any:
    return next((node for node in graph.node if name in node.output), None)


def _take_in(model: ModelProto, folder: Path) -> None:
    """Data beside the file, each checked, into the graph."""
    import numpy as np

    total = 0
    for tensor in _tensors(model.graph):
        if not tensor.external_data and tensor.data_location != tensor.EXTERNAL:
            continue
        where = {entry.key: entry.value for entry in tensor.external_data}
        path = inside(folder, where.get("location", ""))
        size = require_file(path)
        try:
            offset, length = int(where.get("offset", 0)), int(where.get("length", size))
        except ValueError:
            raise DataError(f"the data of '{tensor.name}' have no readable place in {path.name}", _AGAIN) from None
        total += max(length, 0)
        if offset < 0 or length < 0 or offset + length > size:
            raise DataError(f"{path.name} is too short for the weight '{tensor.name}'", "copy the whole file again")
        if total > LARGEST:
            raise Unsupported(f"the weights have over {LARGEST:,} bytes", "give a smaller model, or fewer bits")
        with path.open("rb") as file:
            file.seek(offset)
            tensor.raw_data = file.read(length)
        del tensor.external_data[:]
        tensor.data_location = tensor.DEFAULT
        if int(np.prod(tensor.dims, dtype=np.float64)) < 0:
            raise DataError(f"the weight '{tensor.name}' has a negative size", _AGAIN)


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    """All of a graph and of the graphs inside its nodes."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for field in node.attribute:
            if field.HasField("t"):
                yield field.t
            yield from field.tensors
            for inner in (*([field.g] if field.HasField("g") else []), *field.graphs):
                yield from _tensors(inner)


def _require_known(model: ModelProto, path: Path) -> None:
    """Raises Unsupported for operators of others, which need a library that would run inside this process."""
    unknown = sorted({f"{node.domain}::{node.op_type}" for node in model.graph.node if node.domain not in _DOMAINS})
    if unknown:
        raise Unsupported(
            f"{path} uses operators that no engine here knows: {', '.join(unknown[:5])}",
            "export it with operators of ONNX alone",
        )


def _one_input(model: ModelProto, path: Path) -> None:
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise Unsupported(
            f"{path} takes {len(inputs)} inputs ({names}); a model of pictures takes one",
            "export it with one input; a model of texts as its Hugging Face folder",
        )
    # Weights that are inputs too (IR below 4) could be overridden, and optimizers leave them alone.
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, 4)


def _one_output(model: ModelProto, path: Path) -> tuple[str, ...]:
    """Keeps what has a number a class: of several outputs the only matrix of floating-point numbers."""
    import onnx

    outputs = list(model.graph.output)
    for value in outputs:
        maker = _maker(model.graph, value.name)
        if maker is not None and maker.op_type == "ZipMap":  # a list of dictionaries: the matrix before it is kept
            value.CopyFrom(onnx.helper.make_tensor_value_info(maker.input[0], onnx.TensorProto.FLOAT, [None, None]))
            model.graph.node.remove(maker)
    kinds = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16)
    fitting = [
        value
        for value in outputs
        if value.type.tensor_type.elem_type in kinds and len(value.type.tensor_type.shape.dim) == _MATRIX
    ]
    if len(fitting) != 1:
        shown = "; ".join(f"{value.name} {_shape(value)}" for value in outputs)
        raise Unsupported(
            f"{path} has {len(fitting)} outputs of one number a class: {shown}",
            "export it with one output of shape (batch, classes)",
        )
    if outputs == fitting:
        return ()
    left = ", ".join(value.name for value in outputs if value.name != fitting[0].name)
    kept = onnx.ValueInfoProto()
    kept.CopyFrom(fitting[0])
    del model.graph.output[:]
    model.graph.output.append(kept)
    return (f"of the outputs '{kept.name}' is taken, not {left}",)


def _free_batch(model: ModelProto, path: Path) -> tuple[str, ...]:
    """A batch of any size, as declared or where rows do not depend on each other. Raises Unsupported."""
    (taken,) = model.graph.input
    dims = taken.type.tensor_type.shape.dim
    if not dims:
        raise Unsupported(f"{path}: the input '{taken.name}' has no shape", "export it with the shape of its input")
    fixed = dims[0].dim_value
    if not fixed:
        return ()
    dims[0].dim_param = "batch"
    if model.graph.output[0].type.tensor_type.shape.dim:
        model.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    del model.graph.value_info[:]
    if not _rows_alone(model):
        raise Unsupported(
            f"{path} takes batches of {fixed} alone", "export it with a free batch: dynamic_axes or dynamic_shapes"
        )
    return (f"made for batches of {fixed}; it answers the same in batches of other sizes",)


def _rows_alone(model: ModelProto) -> bool:
    """Whether three rows together give what each gives alone."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    generator = np.random.default_rng(0)
    (taken,) = model.graph.input
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        kind = session.get_inputs()[0].type
        shape = [3, *[dim.dim_value or 32 for dim in taken.type.tensor_type.shape.dim[1:]]]
        x = generator.uniform(0, 1, shape)
        x = (x * 255).astype(np.uint8) if "uint8" in kind else x.astype(np.float64 if "double" in kind else np.float32)
        (together,) = session.run(None, {taken.name: x})
        alone = np.concatenate([session.run(None, {taken.name: x[row : row + 1]})[0] for row in range(3)])
    except Exception:  # noqa: BLE001
        # Whatever the engine says of a batch that it was not made for.
        return False
    return together.shape == alone.shape and bool(np.allclose(together, alone, atol=1e-4))


def _shape(value: Any) -> str:
    return str([dim.dim_value or dim.dim_param or "?" for dim in value.type.tensor_type.shape.dim])


def _first(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
