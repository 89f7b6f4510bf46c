"""One training of a text classifier: what its steps share, how it begins, and what it leaves."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from numpy.typing import NDArray

from glassworks.catalog import get
from glassworks.config import Job
from glassworks.contracts import Dataset, Measurement, Model, Progress, Task
from glassworks.data.text.dataset import columns_of
from glassworks.data.text.keys import TextData
from glassworks.families._text.ngrams import Bags, Pieces, fit_pieces
from glassworks.families._text.preparation import calibrated
from glassworks.text.session import signature
from glassworks.training.checkpoint import save_checkpoint, weights_sha256
from glassworks.training.loop import STATE

if TYPE_CHECKING:
    import numpy as np
    from tokenizers import Tokenizer


FINAL = "final.safetensors"


@dataclass(frozen=True, kw_only=True)
class TextStage:
    """A family adds its `[model]` table and what it begins with."""

    job: Job
    dataset: Dataset
    folder: Path
    progress: Progress
    started: float
    tokenizer: Tokenizer
    preprocessing: Mapping[str, Any]

    def pieces(self, learning: Bags, held: Bags, most: int) -> Pieces:
        """The linear classifier of at most so many pieces, fitted."""
        self.progress.start("pieces")
        labels, balanced = len(self.dataset.classes), self.job.training.class_weights == "balanced"
        found = fit_pieces(learning, held, labels, most, balanced=balanced)
        self.progress.finish(f"{len(found.known):,} pieces of texts")
        return found

    def outcome(
        self,
        scores: NDArray[np.float32],
        targets: NDArray[np.int64],
        coverage: float,
        history: Sequence[Mapping[str, float]],
        *,
        resumed: bool,
    ) -> dict[str, Any]:
        """What is kept beside the weights: calibration and metrics by the scores of validation texts."""
        calibration, probabilities = calibrated(scores, targets, coverage)
        metrics = get(Task, "text-classification").measure(probabilities, targets)
        self.progress.finish(f"accuracy {metrics['accuracy'].value:.4f} on validation")
        return {
            "seconds": time.monotonic() - self.started,
            "resumed": resumed,
            "metrics": {name: value.model_dump(mode="json") for name, value in metrics.items()},
            "history": list(history),
            "preprocessing": {**self.preprocessing, **calibration},
        }

    def keep(self, network: torch.nn.Module, parts: Sequence[Any], values: Mapping[str, Any]) -> Model:
        """Write what a finished run is read from, forget what an interrupted one would be, and return the model."""
        save_checkpoint(self.folder / FINAL, network.state_dict(), values)
        (self.folder / STATE).unlink(missing_ok=True)
        return self.model(network, parts, values)

    def model(self, network: torch.nn.Module, parts: Sequence[Any], values: Mapping[str, Any]) -> Model:
        """The network and what its family exports beside it, with what was kept."""
        network.eval()
        return Model(
            family=self.job.family,
            network=(network, *parts),
            signature=signature(len(self.dataset.classes)),
            preprocessing=values["preprocessing"],
            weights_sha256=weights_sha256(network),
            metrics={name: Measurement.model_validate(value) for name, value in values["metrics"].items()},
            run=self.folder.name,
            resumed=bool(values["resumed"]),
            seconds=float(values["seconds"]),
            history=tuple(values["history"]),
        )


def answers(dataset: Dataset, job: Job) -> dict[str, Any]:
    """What the bundle says of labels, and of the columns in which further texts and labels stand."""
    columns = columns_of(TextData.of(job))
    return {
        "labels": list(dataset.classes),
        "several": bool(columns.separator),
        "columns": asdict(columns),
    }
