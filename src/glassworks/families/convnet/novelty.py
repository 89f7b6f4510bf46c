"""Pictures unlike those learned from: the energy of the scores and the distance of the embedding, in the graph itself.

Energy is -log sum exp of the scores (Liu et al. 2020, equation 4). The distance is Mahalanobis's from the nearest class
in the last features, averaged over places, with one covariance for all classes (Lee et al. 2018, equation 2).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from glassworks.families.convnet.networks import Network, deployable

_ROWS = 512
_SHRINKAGE = 1e-2
"""Share of the mean variance added to each: features that never vary would make every distance infinite."""


class Novelty(nn.Module):
    """(energy, distance) of pictures (N 2), each less its threshold, in standard deviations of validation pictures.

    A value above 0 marks a picture as unlike those learned from.
    """

    centers: Tensor
    whiten: Tensor
    threshold: Tensor
    scale: Tensor

    def __init__(self, centers: Tensor, whiten: Tensor) -> None:
        super().__init__()
        self.register_buffer("whiten", whiten)
        self.register_buffer("centers", centers @ whiten)
        self.register_buffer("threshold", torch.zeros(2))
        self.register_buffer("scale", torch.ones(2))

    def forward(self, embedding: Tensor, scores: Tensor) -> Tensor:
        return (self.raw(embedding, scores) - self.threshold) / self.scale

    def raw(self, embedding: Tensor, scores: Tensor) -> Tensor:
        """Energy and squared distance (N 2) as the papers have them; both are large for what is unlike."""
        white = embedding @ self.whiten
        squares = (white**2).sum(1, keepdim=True) - 2 * white @ self.centers.T + (self.centers**2).sum(1)
        return torch.stack([-torch.logsumexp(scores, dim=1), squares.amin(dim=1)], dim=1)


def fit_novelty(
    network: Network, learned: tuple[Tensor, Tensor], validation: Tensor, classes: int, coverage: float
) -> Novelty:
    """Centers and covariance of the training pictures; thresholds under which `coverage` of the validation ones stay.

    Pixels are uint8 N C H W, `learned` are those of the training split with their targets.
    """
    frozen, (pixels, targets) = deployable(network), learned
    embedding, _ = pooled(frozen, pixels)
    centers = torch.stack(
        [
            embedding[targets == each].mean(0) if (targets == each).any() else embedding.mean(0)
            for each in range(classes)
        ]
    )
    spread = (embedding - centers[targets]).double()
    covariance = spread.T @ spread / len(spread)
    covariance += _SHRINKAGE * covariance.diagonal().mean().clamp_min(1e-12) * torch.eye(len(covariance))
    whiten = torch.linalg.cholesky(torch.linalg.inv(covariance)).float()
    novelty = Novelty(centers, whiten)
    found = novelty.raw(*pooled(frozen, validation))
    novelty.threshold.copy_(thresholds(found, coverage))
    novelty.scale.copy_(found.std(dim=0).clamp_min(1e-6))
    return novelty.eval()


def thresholds(found: Tensor, coverage: float) -> Tensor:
    """One threshold a column, such that `coverage` of the rows of `found` (N S) are above none of them.

    Both are put at the same rank, that of the conformal quantile of a row's worst rank (Vovk et al. 2005): a new row of
    the same kind is then above one of them with a probability of at most 1 - coverage.
    """
    count = len(found)
    order = found.argsort(dim=0, stable=True)
    ranks = torch.empty_like(order)
    ranks.scatter_(0, order, torch.arange(count)[:, None].expand_as(order).contiguous())
    worst = ranks.amax(dim=1).sort().values
    place = worst[min(count, math.ceil((count + 1) * coverage)) - 1]
    return found.sort(dim=0).values[place]


def pooled(network: Network, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """The last features, averaged over places (N D), and the scores (N K) of uint8 pixels (N C H W)."""
    parts = []
    with torch.inference_mode():
        for part in torch.split(pixels, _ROWS):
            places = network.features(part.float().div_(255))
            parts.append((places.mean(dim=(2, 3)), network.head(places)))
    embeddings, scores = zip(*parts, strict=True)
    return torch.cat(embeddings).clone(), torch.cat(scores).clone()
