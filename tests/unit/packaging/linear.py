"""The smallest model of pictures."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper


def linear_graph(channels: int, height: int, width: int, seed: int = 1) -> bytes:
    """Softmax of a linear layer over pictures, with three labels."""
    weights = np.random.default_rng(seed).normal(size=(channels * height * width, 3)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["image"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        ],
        "linear",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", channels, height, width])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(weights, "weights")],
    )
    opset = [helper.make_opsetid("", 17)]
    model: bytes = helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()
    return model
