"""The embedding model's own graph with the classifier behind it: one graph from pixels to probabilities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, numpy_helper

from glassworks.contracts import EMBEDDING, Artifact, Embedder, Model
from glassworks.families.few_shot.nearest import SHARPNESS, NearestClasses

_OUTPUT = "probabilities"
_PREFIX = "few_shot."
_STEPS = (
    ("MatMul", (EMBEDDING, ".vectors"), ".cosine"),
    ("ReduceMax", (".cosine", ".last"), ".largest"),
    ("Sub", (".cosine", ".largest"), ".below"),
    ("Mul", (".below", ".sharpness"), ".sharp"),
    ("Exp", (".sharp",), ".weights"),
    ("MatMul", (".weights", ".shares"), ".of_classes"),
    ("Log", (".of_classes",), ".logs"),
    ("Mul", (".logs", ".heat"), ".tempered"),
    ("Mul", (".largest", ".largest.heat"), ".largest.tempered"),
    ("Add", (".tempered", ".largest.tempered"), ".scores"),
    ("Softmax", (".scores",), _OUTPUT),
)
"""What `NearestClasses.probabilities` computes, as operators; names of its own values begin with a dot."""


def export(model: Model, embedder: Embedder, folder: Path) -> Artifact:
    """Write `predict.onnx`; the batch is free, as it was."""
    (given,) = model.signature.inputs
    graph = onnx.load(embedder.graph.path)
    # What the model below says of its own classes is left out.
    body = onnx.utils.Extractor(graph).extract_model([given.name], [EMBEDDING])
    onnx.save(_with_classifier(body, model.network, model.signature.outputs[0].shape[1]), folder / "predict.onnx")
    return Artifact(role="predict", format="onnx", file="predict.onnx", made_by="export")


def _with_classifier(body: ModelProto, nearest: NearestClasses, classes: int) -> ModelProto:
    constants = {
        "vectors": nearest.vectors.T,
        "shares": nearest.shares,
        "sharpness": np.float32(SHARPNESS),
        "heat": np.float32(1 / (SHARPNESS * nearest.temperature)),
        "largest.heat": np.float32(1 / nearest.temperature),
        "last": np.array([1], np.int64),
    }
    graph = body.graph
    graph.initializer.extend(
        numpy_helper.from_array(np.ascontiguousarray(value), _PREFIX + name) for name, value in constants.items()
    )
    graph.node.extend(
        helper.make_node(kind, [_named(name) for name in taken], [_named(given)], name=_named(given))
        for kind, taken, given in _STEPS
    )
    batch = graph.output[0].type.tensor_type.shape.dim[0].dim_param or "batch"
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(_OUTPUT, TensorProto.FLOAT, [batch, classes]))
    onnx.checker.check_model(body)
    return body


def _named(name: str) -> str:
    return _PREFIX + name[1:] if name.startswith(".") else name
