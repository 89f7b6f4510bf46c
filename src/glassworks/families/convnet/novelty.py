"""Pictures unlike those learned from: the energy of the scores and the distance of the embedding, in the graph itself.

Energy is -log sum exp of the scores (Liu et al. 2020, equation 4). The distance is Mahalanobis's from the nearest class
in the last features, averaged over positions, with one covariance for all classes (Lee et al. 2018, equation 2).

With several labels a picture, the energy is the sum of the labels' own, -log(1 + exp score) (Wang et al. 2021, equation
6), and each set of labels that is frequent enough counts as a class.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from glassworks.families.convnet.networks import Network, deployable

_ROWS = 512
_ENOUGH = 10
"""Pictures with a set of labels for it to have a center of its own."""
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

    def __init__(self, centers: Tensor, whiten: Tensor, *, multi_label: bool = False) -> None:
        super().__init__()
        self.multi_label = multi_label
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
        energy = -(functional.softplus(scores).sum(dim=1) if self.multi_label else torch.logsumexp(scores, dim=1))
        return torch.stack([energy, squares.amin(dim=1)], dim=1)


def fit_novelty(network: Network, learned: tuple[Tensor, Tensor], validation: Tensor, coverage: float) -> Novelty:
    """Centers and covariance of the training pictures; thresholds under which `coverage` of the validation ones stay.

    Pixels are uint8 N C H W, `learned` are those of the training split with their targets.
    """
    frozen, (pixels, targets) = deployable(network), learned
    embedding, _ = pooled(frozen, pixels)
    multi_label, codes = targets.ndim == 2, _kinds(targets)
    members = [embedding[codes == each] for each in range(int(codes.max()) + 1)]
    centers = torch.stack([own.mean(0) if len(own) else embedding.mean(0) for own in members])
    spread = (embedding - centers[codes]).double()
    covariance = spread.T @ spread / len(spread)
    covariance += _SHRINKAGE * covariance.diagonal().mean().clamp_min(1e-12) * torch.eye(len(covariance))
    whiten = torch.linalg.cholesky(torch.linalg.inv(covariance)).float()
    novelty = Novelty(centers, whiten, multi_label=multi_label)
    found = novelty.raw(*pooled(frozen, validation))
    novelty.threshold.copy_(thresholds(found, coverage))
    novelty.scale.copy_(found.std(dim=0).clamp_min(1e-6))
    return novelty.eval()


def _kinds(targets: Tensor) -> Tensor:
    """A number for each row: its class; of several labels its set, where that has enough pictures for a mean."""
    if targets.ndim == 1:
        return targets
    _, codes, counts = np.unique(targets.numpy(), axis=0, return_inverse=True, return_counts=True)
    usual = counts >= _ENOUGH
    number = np.where(usual, usual.cumsum(), 0)  # 0 is for all sets that are rare
    return torch.from_numpy(np.unique(number[codes.reshape(-1)], return_inverse=True)[1])


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
    index = worst[min(count, math.ceil((count + 1) * coverage)) - 1]
    return found.sort(dim=0).values[index]


def pooled(network: Network, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """The last features, averaged over positions (N D), and the scores (N K) of uint8 pixels (N C H W)."""
    parts = []
    with torch.inference_mode():
        for part in torch.split(pixels, _ROWS):
            features = network.features(part.float().div_(255))
            parts.append((features.mean(dim=(2, 3)), network.head(features)))
    embeddings, scores = zip(*parts, strict=True)
    return torch.cat(embeddings).clone(), torch.cat(scores).clone()
