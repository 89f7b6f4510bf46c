"""What passes over ONNX graphs share."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from glassworks.contracts import Artifact, Opened, Pass, Value
from glassworks.errors import Unsupported

if TYPE_CHECKING:
    import onnx


def written(one: Pass, model: onnx.ModelProto, opened: Opened, chosen: dict[str, Value], **record: Any) -> Artifact:
    """Check the graph, write it into a file of its own, and return its record; `chosen` are the pass's parameters."""
    import onnx

    from glassworks.onnx_graphs.rewriting import fp32_layers

    onnx.checker.check_model(model)
    file = one.file(opened, **chosen)
    onnx.save(model, opened.folder / file)
    return opened.artifact.model_copy(
        update={"file": file, "precision": one.precision, "computes_fp32": fp32_layers(model), **record}
    )


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """ONNX Runtime's quantizer writes to stdout, and warns of what does not matter."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
            yield
    finally:
        logging.disable(before)


def kinds(model: onnx.ModelProto) -> set[str]:
    """The kinds of operators."""
    return {node.op_type for node in model.graph.node}


def attends(model: onnx.ModelProto) -> bool:
    """Whether the graph has attention: sums before its normalizations and softmaxes then stay in floating point."""
    return {"Softmax", "LayerNormalization", "MatMul"} <= kinds(model)


def require_not_recurrent(model: onnx.ModelProto) -> None:
    """Raise Unsupported for recurrent layers, which would stay in fp32."""
    from glassworks.onnx_graphs.rewriting import RECURRENT, fp32_layers

    if kinds(model) & set(RECURRENT):
        layers = ", ".join(fp32_layers(model))
        raise Unsupported(
            f"static int8 would leave the recurrent layer in fp32; this graph has: {layers}",
            "use the pass 'int8_recurrent'",
        )


def name_nodes(model: onnx.ModelProto) -> None:
    """Give every node a name of its own; libraries leave nodes out by their names."""
    taken = {node.name for node in model.graph.node}
    for number, node in enumerate(model.graph.node):
        if not node.name:
            node.name = next(
                name for extra in range(len(taken) + 1) if (name := f"{node.op_type}_{number + extra}") not in taken
            )
            taken.add(node.name)


def leave_floating(model: onnx.ModelProto, names: Collection[str]) -> None:
    """Give the nodes of those names their inputs before these were rounded for others that read them too."""
    makers = {name: node for node in model.graph.node for name in node.output}
    for node in model.graph.node:
        if node.name in names:
            node.input[:] = [_before_rounding(name, makers) for name in node.input]
    read = {name for node in model.graph.node for name in node.input} | {each.name for each in model.graph.output}
    for kind in ("DequantizeLinear", "QuantizeLinear"):
        unread = [node for node in model.graph.node if node.op_type == kind and node.output[0] not in read]
        for node in unread:
            model.graph.node.remove(node)
        read = {name for node in model.graph.node for name in node.input} | {each.name for each in model.graph.output}


def _before_rounding(name: str, makers: Mapping[str, onnx.NodeProto]) -> str:
    back = makers.get(name)
    there = makers.get(back.input[0]) if back is not None and back.op_type == "DequantizeLinear" else None
    return there.input[0] if there is not None and there.op_type == "QuantizeLinear" else name


def with_int8_tables(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with its tables in int8, a scale a row."""
    from glassworks.onnx_graphs.rewriting import Rewriter
    from glassworks.optimization.integer_layers import gather

    return Rewriter(model).rewrite({"Gather": gather})[0]
