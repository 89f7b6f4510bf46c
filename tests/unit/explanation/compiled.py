"""A network with its compiled graphs, for the tests of explanations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from glassworks.contracts import Differentiable, Opened, Session
from glassworks.explanation.compile import compile_explanations
from glassworks.families.convnet.networks import Network, deployable
from glassworks.runtimes.onnx_runtime import OnnxRuntime

CLASSES = 5


@dataclass(frozen=True)
class Compiled:
    """A network with its compiled graphs and pictures to explain."""

    network: Network
    sessions: dict[str, Session]
    images: NDArray[np.float32]
    targets: NDArray[np.int64]


def compiled_network(network: Network, folder: Path) -> Compiled:
    generator = np.random.default_rng(0)
    images = generator.random((6, 3, 20, 24), dtype=np.float32)
    images[:, :, :6] = 0  # equal values side by side: ties in max-pooling
    frozen = deployable(network)
    differentiable = Differentiable(
        network=frozen, example=torch.zeros(2, 3, 20, 24), features=frozen.features, head=frozen.head
    )
    sessions = {
        artifact.role: OnnxRuntime().open(Opened(artifact=artifact, folder=folder))
        for artifact in compile_explanations(differentiable, folder)
    }
    return Compiled(frozen, sessions, images, np.arange(6) % CLASSES)
