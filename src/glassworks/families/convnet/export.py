"""A trained network as an ONNX graph from pixels to probabilities, and as what the gradient compiler traces."""

from __future__ import annotations

from pathlib import Path

import torch

from glassworks.contracts import EMBEDDING, Artifact, Differentiable, Model, Signature, TensorSpec
from glassworks.families.convnet.networks import Network, deployable
from glassworks.families.convnet.outputs import Outputs
from glassworks.onnx_graphs.export import write_onnx
from glassworks.tasks.image_classification import LABEL_SET

NOVELTY = TensorSpec(name="novelty", datatype="FP32", shape=(-1, 2))


def signature(height: int, width: int, channels: int, classes: int, network: Network) -> Signature:
    """Pixels in [0, 1] in; one probability a class out, and what else the network puts out."""
    outputs = [TensorSpec(name="probabilities", datatype="FP32", shape=(-1, classes))]
    if network.thresholds is not None:
        outputs.append(TensorSpec(name=LABEL_SET, datatype="BOOL", shape=(-1, classes)))
    if network.novelty is not None:
        outputs.append(NOVELTY)
    if network.center is not None:
        outputs.append(TensorSpec(name=EMBEDDING, datatype="FP32", shape=(-1, network.center.shape[1])))
    image = TensorSpec(name="image", datatype="FP32", shape=(-1, channels, height, width))
    return Signature(inputs=(image,), outputs=tuple(outputs))


def export(model: Model, folder: Path) -> Artifact:
    """Write `predict.onnx`: preprocessing, softmax or sigmoid and views are inside, the batch is free."""
    write_onnx(
        Outputs(deployable(model.network)).eval(),
        (_example(model),),
        folder / "predict.onnx",
        inputs=("image",),
        outputs=tuple(spec.name for spec in model.signature.outputs),
    )
    return Artifact(role="predict", format="onnx", file="predict.onnx", made_by="export")


def differentiable(model: Model) -> Differentiable:
    """The network up to its scores, in the parts that Grad-CAM needs."""
    network: Network = deployable(model.network)
    return Differentiable(network=network, example=_example(model), features=network.features, head=network.head)


def _example(model: Model) -> torch.Tensor:
    return torch.zeros(2, *model.signature.inputs[0].shape[1:])
