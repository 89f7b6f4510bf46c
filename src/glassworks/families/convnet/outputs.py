"""What a network puts out for a picture: probabilities, its labels where it has several, novelty, an embedding."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from glassworks.contracts import Dataset, Split
from glassworks.families.convnet.networks import Network, deployable
from glassworks.families.convnet.novelty import fit_novelty, pooled
from glassworks.families.convnet.settings import ConvNetConfig
from glassworks.families.convnet.views import ViewedHead


class Outputs(nn.Module):
    """Probabilities (N K); then the labels (N K) of networks with several, novelty (N 2) and the embedding (N D) of
    those that have them, all from one pass.

    Probabilities are the mean of those of all views; novelty and embedding are of the picture as it is.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        network, features = self.network, self.network.features(x)
        if isinstance(network.head, ViewedHead):
            every, features = network.head.each(features), network.head.each_view(features)[0]
        else:
            every = network.head(features)[None]
        alone = network.thresholds is None
        probabilities = (every.softmax(dim=2) if alone else every.sigmoid()).mean(dim=0)
        vector, outputs = features.mean(dim=(2, 3)), [probabilities]
        if network.thresholds is not None:
            outputs.append(probabilities >= network.thresholds)
        if network.novelty is not None:
            outputs.append(network.novelty(vector, every[0]))
        if network.center is not None:
            outputs.append(functional.normalize(vector - network.center))
        return tuple(outputs)


def fit_outputs(network: Network, dataset: Dataset, config: ConvNetConfig) -> None:
    """Fit what the job wants beside the probabilities; the weights stay as they are. No views are chosen yet."""
    if config.novelty is not None:
        train, validation = (resident(dataset.splits[name]) for name in ("train", "validation"))
        network.novelty = fit_novelty(network, train, validation[0], config.novelty)
    if config.embed:
        network.center = center_of(network, resident(dataset.splits["train"])[0])


def resident(split: Split, device: str | torch.device = "cpu") -> tuple[Tensor, Tensor]:
    """All pixels as one uint8 tensor (N C H W) where they are used, and the targets: no loader, no copies."""
    pixels = torch.from_numpy(split.x).permute(0, 3, 1, 2).contiguous()
    return pixels.to(device), torch.from_numpy(split.y).to(device)


def center_of(network: Network, pixels: Tensor) -> Tensor:
    """The mean of the last features (1 D) over uint8 pixels (N C H W).

    Vectors that are counted from there and brought to one length distinguish classes that were never learned (Wang et
    al. 2019, section 3.2, "CL2N").
    """
    embedding, _ = pooled(deployable(network), pixels)
    return torch.mean(embedding, dim=0, keepdim=True)
