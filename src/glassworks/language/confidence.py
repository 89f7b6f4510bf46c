"""How often an answer is right that a model gives such a probability: fitted on held-out answers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassworks.language.parameters import MOST_ALTERNATIVES
from glassworks.record import Record

if TYPE_CHECKING:
    from glassworks.language.engine import Scoring

KEY = "confidence"
"""Where it is in the preprocessing of a bundle."""
LONGEST = 68
"""Tokens of the longest answer that is told how sure it is: those of known answers that are compared, and some more."""
FEWEST = 20
"""Held-out answers: with fewer nothing is fitted."""
LARGEST_ERROR = 0.05
"""By how much confidences may be off on average, as far as it comes from few answers: else none is told."""
_SURE = -1e-6
"""The largest log-probability that counts as one: the logit of 1 is infinite."""
_SLOPE, _OFFSET = 1.0, 2.0
"""How far the logarithm of the slope, and the offset, lie from 0 before anything is known (standard deviations)."""


class Confidence(Record):
    """sigmoid(`slope` * logit(p) + `offset`) for an answer of probability p (Platt 1999), fitted on `examples` held-out
    answers of which `right` were exactly as they should be; `error` is how far it is off on average, as it was fitted
    on so few.
    """

    slope: float
    offset: float
    examples: int
    right: int
    error: float = 0.0

    @property
    def supported(self) -> bool:
        """Whether there were answers enough to tell people."""
        return self.error <= LARGEST_ERROR

    @property
    def about(self) -> str:
        """What the card says of it."""
        fitted = f"fitted on {self.examples:,} held-out answers, {self.right:,} of them right"
        return fitted if self.supported else f"not told: {fitted}; about {self.needed:,} different ones are needed"

    @property
    def needed(self) -> int:
        """Held-out answers like these with which the error would be small enough: it falls with their root."""
        return math.ceil(self.examples * (self.error / LARGEST_ERROR) ** 2)

    def of(self, log_probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
        """How often answers of these log-probabilities (N) are right."""
        return _sigmoid(self.slope * _logit(log_probabilities) + self.offset)


@dataclass(frozen=True, kw_only=True)
class Scored:
    """An answer's log-probability, its end included where the model ended it; and its tokens."""

    log_probability: float
    tokens: int


def confidence_of(preprocessing: Mapping[str, Any]) -> Confidence | None:
    """What a bundle says of a model's answers, if it does."""
    found = preprocessing.get(KEY)
    return None if found is None else Confidence.model_validate(found)


def fit(
    log_probabilities: NDArray[np.float64], right: NDArray[np.float64], groups: NDArray[np.int64] | None = None
) -> Confidence | None:
    """From answers (N) of the held-out conversations and which of them are right (0 or 1); None for too few.

    The most probable slope and offset with a prior around the probability as it is (slope 1, offset 0), so that some
    dozens of answers, or answers that are all right, give no extreme ones. Questions of one of the `groups` (N) are
    near copies, of which mostly all or none are answered rightly: they tell less than as many different ones.
    """
    if len(right) < FEWEST:
        return None
    from scipy.optimize import minimize

    logits = _logit(log_probabilities)

    def cost(values: NDArray[np.float64]) -> float:
        scores = math.exp(values[0]) * logits + values[1]
        prior = (values[0] / _SLOPE) ** 2 + (values[1] / _OFFSET) ** 2
        return float(np.logaddexp(0, scores).sum() - scores @ right + prior / 2)

    slope, offset = minimize(cost, np.zeros(2), method="Nelder-Mead").x
    found = Confidence(slope=math.exp(slope), offset=float(offset), examples=len(right), right=int(right.sum()))
    error = _error(found, logits, right, np.arange(len(right)) if groups is None else groups)
    return found.model_copy(update={"error": error})


def near_copies(items: Sequence[str]) -> NDArray[np.int64]:
    """Conversations in JSON (N): those whose questions are near copies have the same number."""
    from glassworks.data.text.duplicates import find_copies
    from glassworks.language.nearest import text_of

    return find_copies([text_of(json.loads(item)["messages"][:-1]) for item in items]).near


def _error(
    found: Confidence, logits: NDArray[np.float64], right: NDArray[np.float64], groups: NDArray[np.int64]
) -> float:
    """The mean distance between confidences and those of a fit to endless answers, by Laplace's approximation.

    The covariance of slope and offset is widened by what groups share (the trace of the robust covariance over that of
    independent answers, Liang and Zeger 1986), where that is more.
    """
    sure = _sigmoid(found.slope * logits + found.offset)
    spread = sure * (1 - sure)
    moves = np.stack([found.slope * logits, np.ones_like(logits)], axis=1)
    known = (moves * spread[:, None]).T @ moves
    covariance = np.linalg.inv(known + np.diag([_SLOPE**-2, _OFFSET**-2]))
    shared = np.zeros((int(groups.max()) + 1, 2))
    np.add.at(shared, groups, moves * (sure - right)[:, None])
    widening = max(1.0, float(np.trace(covariance @ shared.T @ shared) / np.trace(covariance @ known)))
    variances = np.einsum("ni,ij,nj->n", moves, covariance, moves) * widening
    return math.sqrt(2 / math.pi) * max(
        float(np.mean(spread * np.sqrt(variances))), _share_error(right.sum(), len(right), widening)
    )


def _share_error(right: float, answers: int, widening: float) -> float:
    """The standard deviation of the share of right answers by Jeffreys' prior: where all of few are right, the curve
    alone would be too sure."""
    one, other = right / widening + 0.5, (answers - right) / widening + 0.5
    return math.sqrt(one * other / ((one + other) ** 2 * (one + other + 1)))


def scored(scorer: Scoring, prompt: Sequence[int], said: Sequence[int], stop_ids: Sequence[int]) -> Scored:
    """Of an answer that the model ended itself; without `stop_ids`, of one that was ended for it."""
    ids = [*prompt, *said, *stop_ids[:1]]
    found = scorer.read(ids, MOST_ALTERNATIVES if stop_ids else 0)[0][len(prompt) - 1 :]
    total = math.fsum(each.log_probability for each in found[: len(said)])
    if stop_ids:
        ends = {stop_ids[0]: found[-1].log_probability, **dict(found[-1].alternatives)}
        share = math.fsum(math.exp(value) for number, value in ends.items() if number in stop_ids)
        total += math.log(min(share, 1.0)) if share > 0 else found[-1].log_probability
    return Scored(log_probability=total, tokens=len(said))


def report(confidence: Confidence | None, answer: Scored, reason: str, *, usual: bool) -> Mapping[str, Any]:
    """What people get to know: `value`, None where nothing is known, and why that is so or how far to trust it.

    `reason` is why the answer ended; `usual` says that it is the most probable one to a conversation, as those were
    that the confidence was fitted on.
    """
    unknown = _unknown(confidence, answer, reason)
    value = float(confidence.of(np.array([answer.log_probability]))[0]) if confidence and not unknown else None
    return {
        "value": value,
        "log_probability": answer.log_probability,
        "tokens": answer.tokens,
        "examples": confidence.examples if confidence else 0,
        "note": unknown or _doubt(usual=usual),
    }


def _unknown(confidence: Confidence | None, answer: Scored, reason: str) -> str:
    """Why nothing can be said; empty where something can."""
    if confidence is None:
        return f"no {FEWEST} held-out answers are known by which to tell how often this model is right"
    if not confidence.supported:
        return (
            f"fitted on {confidence.examples} held-out answers, it would be off by {confidence.error:.2f} on average: "
            f"about {confidence.needed} different ones are needed"
        )
    if reason == "length":
        return "the answer was cut at its longest: as a whole it is not known"
    if reason != "stop":
        return "calls of tools were not among the held-out answers that were compared"
    if answer.tokens > LONGEST:
        return f"the answer is longer than those that were compared, which have at most {LONGEST} tokens"
    return ""


def _doubt(*, usual: bool) -> str:
    if not usual:
        return "fitted on the most probable answers to conversations: this one was asked for otherwise"
    return "on questions like those that were held out; of others nothing is known"


def _logit(log_probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    values = np.minimum(log_probabilities, _SURE)
    return np.asarray(values - np.log(-np.expm1(values)), np.float64)


def _sigmoid(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.exp(-np.logaddexp(0, -scores)), np.float64)
