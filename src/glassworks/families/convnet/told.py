"""What a network tells of a picture: probabilities, and where it is asked for novelty and an embedding."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from glassworks.contracts import Dataset, Split
from glassworks.families.convnet import ConvNetConfig
from glassworks.families.convnet.networks import Network, deployable
from glassworks.families.convnet.novelty import fit_novelty, pooled


class Told(nn.Module):
    """Probabilities (N K), then novelty (N 2) and the embedding (N D) of networks that have them, from one pass."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        places = self.network.features(x)
        scores: Tensor = self.network.head(places)
        vector, told = places.mean(dim=(2, 3)), [scores.softmax(dim=1)]
        if self.network.novelty is not None:
            told.append(self.network.novelty(vector, scores))
        if self.network.center is not None:
            told.append(functional.normalize(vector - self.network.center))
        return tuple(told)


def tell(network: Network, dataset: Dataset, config: ConvNetConfig) -> None:
    """Fit what the job wants told beside the probabilities; the weights stay as they are."""
    if config.novelty is not None:
        learned, validation = (resident(dataset.splits[name]) for name in ("train", "validation"))
        network.novelty = fit_novelty(network, learned, validation[0], len(dataset.classes), config.novelty)
    if config.embed:
        network.center = center_of(network, resident(dataset.splits["train"])[0])


def resident(split: Split, device: str | torch.device = "cpu") -> tuple[Tensor, Tensor]:
    """All pixels as one uint8 tensor (N C H W) where they are used, and the targets: no loader, no copies."""
    pixels = torch.from_numpy(split.x).permute(0, 3, 1, 2).contiguous()
    return pixels.to(device), torch.from_numpy(split.y).to(device)


def center_of(network: Network, pixels: Tensor) -> Tensor:
    """The mean of the last features (1 D) over uint8 pixels (N C H W).

    Vectors that are counted from there and brought to one length tell classes apart that were never learned (Wang et
    al. 2019, section 3.2, "CL2N").
    """
    embedding, _ = pooled(deployable(network), pixels)
    return torch.mean(embedding, dim=0, keepdim=True)
