"""Two small networks, one with max-pooling and one with strides and smooth activations, compiled once."""

from __future__ import annotations

import pytest
import torch
from tests.unit.explanation.compiled import CLASSES, Compiled, compiled_network
from torch import nn

from glassworks.families.convnet.networks import Classic, Default


@pytest.fixture(scope="session", params=["classic", "default"])
def compiled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    """Both recipes' networks with random weights and normalization statistics that are not the identity."""
    torch.manual_seed(3)
    build = {"classic": Classic, "default": Default}[request.param]
    network = build(20, 24, 3, CLASSES)
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.rand(16, 3, 20, 24))
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
                module.bias.add_(0.05)
    return compiled_network(network.eval(), tmp_path_factory.mktemp(request.param))
