"""A trained network as an ONNX graph from pixels to probabilities, and as what the gradient compiler traces."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from glassworks.contracts import Artifact, Differentiable, Model, Signature, TensorSpec
from glassworks.families.convnet.networks import Network, deployable
from glassworks.families.convnet.novelty import Novelty, WithNovelty
from glassworks.training.onnx_export import write_onnx

NOVELTY = TensorSpec(name="novelty", datatype="FP32", shape=(-1, 2))


def signature(height: int, width: int, channels: int, classes: int, *, novelty: bool = False) -> Signature:
    """Pixels in [0, 1] in; one probability a class out, and where asked for how unlike the learned they are."""
    return Signature(
        inputs=(TensorSpec(name="image", datatype="FP32", shape=(-1, channels, height, width)),),
        outputs=(
            TensorSpec(name="probabilities", datatype="FP32", shape=(-1, classes)),
            *((NOVELTY,) if novelty else ()),
        ),
    )


def export(model: Model, folder: Path) -> Artifact:
    """Write `predict.onnx`: preprocessing and softmax are inside, the batch is free."""
    network = deployable(model.network)
    told = network.novelty
    whole = WithNovelty(network, told) if isinstance(told, Novelty) else nn.Sequential(network, nn.Softmax(dim=1))
    write_onnx(
        whole.eval(),
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
