"""What validation pictures decide after training: how often to look, the temperature, and each label's threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glassworks.catalog import get
from glassworks.contracts import Measurement, Task
from glassworks.families.convnet.networks import Network
from glassworks.families.convnet.views import Views, views
from glassworks.tasks.image_classification import LABEL_SET
from glassworks.training.classification import fit_label_thresholds, fit_temperature

_ROWS = 512
_SMALLEST = 1e-12
_KINDS: tuple[Views, ...] = ("mirror", "shifts")


@dataclass(frozen=True, kw_only=True)
class Decision:
    """`thresholds` (K) are of networks with several labels a picture; else None."""

    views: Views
    temperature: float
    thresholds: tuple[float, ...] | None
    metrics: Mapping[str, Measurement]

    def record(self) -> dict[str, Any]:
        """As it is kept beside the weights."""
        metrics = {name: value.model_dump(mode="json") for name, value in self.metrics.items()}
        return {
            "views": self.views,
            "temperature": self.temperature,
            "thresholds": self.thresholds,
            "metrics": metrics,
        }


def decide(network: Network, pixels: Tensor, targets: Tensor, wanted: Views | Literal["auto"]) -> Decision:
    """By uint8 pixels (N C H W) and targets of the validation split.

    `auto` takes the views of the least log loss, if they are better than one look by more than a standard error of the
    difference. Probabilities of several labels get a temperature; those of one label are as they were learned.
    """
    truth = targets.cpu().numpy()
    kinds = ("none", *_KINDS) if wanted == "auto" else (wanted,)
    scores = {kind: view_scores(network, pixels, kind) for kind in kinds}
    multi_label = truth.ndim == 2
    temperature = fit_temperature(scores[kinds[0]].mean(axis=0), truth) if multi_label else 1.0
    seen = {kind: averaged(each, temperature, multi_label) for kind, each in scores.items()}
    kind = _best({name: _losses(each, truth) for name, each in seen.items()})
    thresholds = fit_label_thresholds(seen[kind], truth) if multi_label else None
    outputs = {"": seen[kind], LABEL_SET: seen[kind] >= thresholds if thresholds is not None else seen[kind]}
    return Decision(
        views=kind,
        temperature=temperature,
        thresholds=None if thresholds is None else tuple(thresholds.tolist()),
        metrics=get(Task, "image-classification").evaluate(outputs.__getitem__, truth),
    )


def apply_decision(network: Network, values: Mapping[str, Any]) -> None:
    """Put what was decided into the network."""
    network.temperature = float(values.get("temperature", 1.0))
    network.views = values.get("views", "none")
    if values.get("thresholds") is not None:
        network.thresholds = torch.tensor(values["thresholds"], dtype=torch.float32)


def view_scores(network: Network, pixels: Tensor, kind: Views) -> NDArray[np.float32]:
    """Scores (V N K) of every view of uint8 pixels (N C H W)."""
    network.eval()
    with torch.inference_mode():
        parts = [
            torch.stack([network(view).float() for view in views(part.float().div_(255), kind)])
            for part in torch.split(pixels, _ROWS)
        ]
    return torch.cat(parts, dim=1).cpu().numpy()


def averaged(scores: NDArray[np.float32], temperature: float, multi_label: bool) -> NDArray[np.float32]:
    """The mean probabilities (N K) of scores (V N K)."""
    tempered = torch.from_numpy(scores) / temperature
    found: NDArray[np.float32] = (tempered.sigmoid() if multi_label else tempered.softmax(dim=2)).mean(dim=0).numpy()
    return found


def _losses(probabilities: NDArray[np.float32], truth: NDArray[np.int64]) -> NDArray[np.float64]:
    """The log loss of each picture (N)."""
    seen = np.clip(probabilities.astype(np.float64), _SMALLEST, 1 - _SMALLEST)
    if truth.ndim == 2:
        found: NDArray[np.float64] = -np.log(np.where(truth > 0, seen, 1 - seen)).mean(axis=1)
        return found
    return np.asarray(-np.log(seen[np.arange(len(truth)), truth]), np.float64)


def _best(losses: Mapping[Views, NDArray[np.float64]]) -> Views:
    """The first, unless another one is better beyond doubt."""
    first = next(iter(losses))
    best = min(losses, key=lambda kind: float(losses[kind].mean()))
    gain = losses[first] - losses[best]
    return best if len(gain) and gain.mean() > gain.std() / np.sqrt(len(gain)) else first
