"""Learning which of two answers is preferred: direct preference optimization (DPO, Rafailov et al. 2023)."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from glassworks.families.tuned_language_model.network import Tuned
from glassworks.families.tuned_language_model.objective import Course, Objective
from glassworks.families.tuned_language_model.packing import Group, Row, packed
from glassworks.language.session import LOG_LIKELIHOOD, MARGIN
from glassworks.storage import write_atomically

if TYPE_CHECKING:
    from glassworks.contracts import Progress

REFERENCE = "reference.npy"
_BETA, _WEIGHT = 0.1, 0.0
_PARTS = ("train", "validation")


class Preferences(Objective):
    """-log sigmoid(beta ((p(c) - r(c)) - (p(w) - r(w)))) (equation 7 there): p are log-probabilities of the preferred
    and the rejected answer, r those of the model as it was brought, which are computed once and kept with the run. To
    it is added the mean negative log-probability of the preferred answers' tokens, where the job gives it a weight
    (Pang et al. 2024, equation 4).

    Both answers to a question stand behind one copy of it in a row.
    """

    epochs = 2
    rates: Mapping[str, float] = {"lora": 1e-4, "dora": 1e-4, "full": 5e-6}

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        self._pairs = {part: self._read(part) for part in _PARTS}
        self._reference: NDArray[np.float64] = np.zeros((0, 2))
        self.examples = len(self._pairs["train"])
        self.tokens = sum(len(answer) for pair in self._pairs["train"] for answer in pair)
        self.shown = [pair[0] for pair in self._pairs["validation"][: course.config.answers_shown]]
        self._beta = course.config.beta or _BETA
        weight = course.config.preferred_weight
        self._weight = _WEIGHT if weight is None else weight

    def begin(self, network: Tuned) -> None:
        pairs, path = [pair for part in _PARTS for pair in self._pairs[part]], self.course.folder / REFERENCE
        self._reference = _reference(network, pairs, path, self.course)

    def parts(self, network: Tuned, rows: Sequence[int]) -> Iterator[Callable[[], Tensor]]:
        pairs = [self._pairs["train"][row] for row in rows]

        def part(row: Row) -> Tensor:
            found = network.log_probabilities(row).view(-1, 2)
            reference = self._reference[[rows[member] for member in row.members]]
            own = -found[:, 0] / torch.tensor(row.sizes[::2]).to(found)
            compared = loss(found, torch.from_numpy(reference).to(found), self._beta)
            return (compared + self._weight * own).sum() / len(rows)

        for row in packed(pairs, self.course.config.row_tokens, self.course.processors.parts):
            yield partial(part, row)

    def validate(self, network: Tuned) -> Mapping[str, float]:
        found = torch.from_numpy(pair_scores(network, self._pairs["validation"], self.course.progress))
        reference = torch.from_numpy(self._reference[self.examples :])
        moved = found - reference
        counts = np.array([int(preferred.learned[1:].sum()) for preferred, _ in self._pairs["validation"]])
        own = -(found[:, 0] / torch.from_numpy(counts)).mean()
        return {
            "validation_loss": float(loss(found, reference, self._beta).mean() + self._weight * own),
            "reward_accuracy": float((moved[:, 0] > moved[:, 1]).double().mean()),
            "reward_margin": self._beta * float((moved[:, 0] - moved[:, 1]).mean()),
        }

    def outputs(self, network: Tuned, part: str) -> Mapping[str, NDArray[Any]]:
        pairs = self._pairs.get(part) or self._read(part)
        scores = pair_scores(network, pairs, self.course.progress)
        counts = [int(preferred.learned[1:].sum()) for preferred, _ in pairs]
        return {LOG_LIKELIHOOD: np.stack([scores[:, 0], counts], axis=1), MARGIN: scores[:, 0] - scores[:, 1]}

    def _read(self, part: str) -> list[Group]:
        return [self.course.reading.pair(item) for item in self.course.items(part)]


def loss(found: Tensor, reference: Tensor, beta: float) -> Tensor:
    """Of pairs (N 2) of log-probabilities of the preferred and the rejected answer (N)."""
    moved = found - reference
    return -functional.logsigmoid(beta * (moved[:, 0] - moved[:, 1]))


def pair_scores(network: Tuned, pairs: Sequence[Group], progress: Progress) -> NDArray[np.float64]:
    """Log-probabilities (N 2) of the preferred and the rejected answers."""
    return np.array(list(_scores(network, pairs, progress)), np.float64).reshape(-1, 2)


def _scores(network: Tuned, pairs: Sequence[Group], progress: Progress) -> Iterator[list[float]]:
    """Each alone, so that another number of pairs gives the same bits."""
    network.eval()
    for pair in pairs:
        progress.check()
        with torch.inference_mode():
            (row,) = packed([pair], 1)
            yield network.log_probabilities(row).tolist()


def _reference(network: Tuned, pairs: Sequence[Group], path: Path, course: Course) -> NDArray[np.float64]:
    """What the model says before it learns; a run that was killed goes on behind what it had kept."""
    known = np.load(path, allow_pickle=False) if path.exists() else np.zeros((0, 2))
    if len(known) == len(pairs):
        return known
    found, kept = known.tolist(), time.monotonic()
    course.progress.start("reference", len(pairs))
    try:
        for each in _scores(network, pairs[len(known) :], course.progress):
            found.append(each)
            course.progress.update(step=len(found))
            if time.monotonic() - kept > course.job.training.checkpoint_every:
                _keep(found, path)
                kept = time.monotonic()
    finally:
        _keep(found, path)
    course.progress.finish(f"{len(pairs)} pairs of answers scored as it came")
    return np.array(found)


def _keep(found: Sequence[Sequence[float]], path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array(found, np.float64).reshape(-1, 2), allow_pickle=False)
    write_atomically(path, buffer.getvalue())
