"""Decisions by cost: which class is answered where mistakes of some classes cost more than those of others.

A decision takes the class with the largest weight times probability. With calibrated probabilities the weights are the
costs themselves: what is then answered has the least expected cost (Elkan 2001, equation 1, for costs by true class).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import DECISION, Session
from glassworks.errors import ConfigError, Unsupported

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors

_ROUNDS, _FOLDS = 3, 5
_SMALLEST = 1e-12


def weighed(probabilities: NDArray[np.float64], preprocessing: Mapping[str, Any]) -> NDArray[np.float64]:
    """Probabilities (N K) times the weights of their classes, each row with the sum 1; as they are without costs."""
    found = preprocessing.get(DECISION)
    if not found:
        return probabilities
    scores = probabilities * np.asarray(found["weights"], np.float64)
    return np.asarray(scores / np.maximum(scores.sum(axis=1, keepdims=True), _SMALLEST))


def fit_decision(
    probabilities: NDArray[np.float64], targets: NDArray[np.int64], costs: Mapping[str, float], labels: Sequence[str]
) -> dict[str, Any]:
    """`costs` (K) and `weights` (K) of the decision, as `preprocessing` holds them, by N validation examples.

    The weights are the costs, unless others, chosen without them, cost less on the examples of each of five parts, by
    more than a standard error of the difference. Raises Unsupported where an example has several labels.
    """
    if targets.ndim != 1:
        raise Unsupported("costs choose one class, and here an example has several labels", "leave [decision] out")
    cost = costs_of(costs, labels)
    gain = _gains(probabilities, targets, cost)
    better = len(gain) > 0 and gain.mean() > gain.std() / np.sqrt(len(gain))
    weights = _searched(probabilities, targets, cost) if better else cost
    return {"costs": cost.tolist(), "weights": (weights / weights.max()).tolist()}


def costs_of(costs: Mapping[str, float], labels: Sequence[str]) -> NDArray[np.float64]:
    """Of each class (K), 1 where none is given. Raises ConfigError for a class that is not there."""
    unknown = [name for name in costs if name not in labels]
    if unknown:
        known = ", ".join(f"'{label}'" for label in labels[:10]) + (" ..." if len(labels) > 10 else "")
        raise ConfigError(f"decision.costs names '{unknown[0][:40]}', which is no class", f"classes: {known}"[:300])
    return np.array([costs.get(label, 1.0) for label in labels], np.float64)


def _gains(
    probabilities: NDArray[np.float64], targets: NDArray[np.int64], costs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What each example (N) would cost less by weights that were searched for without it than by the costs."""
    fold = np.empty(len(targets), np.int64)
    fold[np.argsort(targets, kind="stable")] = np.arange(len(targets)) % _FOLDS
    gain = np.zeros(len(targets))
    for each in np.unique(fold) if len(targets) >= _FOLDS else ():
        learned, left = fold != each, fold == each
        weights = _searched(probabilities[learned], targets[learned], costs)
        own, other = (_lost(probabilities[left] * by, targets[left], costs) for by in (costs, weights))
        gain[left] = own - other
    return gain


def _searched(
    probabilities: NDArray[np.float64], targets: NDArray[np.int64], costs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weights of the least cost on these examples, one class after the other from those of theory on."""
    weights = costs.copy()
    seen = np.maximum(probabilities, _SMALLEST)
    for _ in range(_ROUNDS):
        before = weights.copy()
        for own in range(len(weights)):
            weights[own] = _best_weight(seen, targets, costs, weights, own)
        if np.allclose(before, weights):
            break
    return weights


def _best_weight(
    seen: NDArray[np.float64],
    targets: NDArray[np.int64],
    costs: NDArray[np.float64],
    weights: NDArray[np.float64],
    own: int,
) -> float:
    """The weight of a class of the least cost, the others as they are: the nearest one to what it was before."""
    others = seen * weights
    others[:, own] = -1
    rival = others.argmax(axis=1)
    turns = others[np.arange(len(seen)), rival] / seen[:, own]
    """From this weight on an example is taken for the class."""
    price = costs[targets]
    gained = np.where(targets == own, -price, np.where(targets == rival, price, 0.0))
    order = np.argsort(turns, kind="stable")
    ranked = turns[order]
    total = np.concatenate([[0.0], np.cumsum(gained[order])])
    total[1:-1][ranked[1:] == ranked[:-1]] = np.inf  # no weight lies between two that are equal
    bounds = np.concatenate([[ranked[0] / 4], ranked, [ranked[-1] * 4]])
    middles = np.sqrt(bounds[:-1] * bounds[1:])
    begins = np.concatenate([[0.0], ranked])
    ends = np.concatenate([ranked, [np.inf]])
    best = np.flatnonzero(total <= total.min() + 1e-9)
    if ((begins[best] < weights[own]) & (weights[own] < ends[best])).any():
        return float(weights[own])
    return float(middles[best[np.argmin(np.abs(np.log(middles[best] / weights[own])))]])


def _lost(scores: NDArray[np.float64], targets: NDArray[np.int64], costs: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each example costs (N)."""
    return np.where(scores.argmax(axis=1) == targets, 0.0, costs[targets])


class Deciding(Session):
    """A session of probabilities that also puts out what is decided by: the largest one is the answered class."""

    def __init__(self, session: Session, preprocessing: Mapping[str, Any]) -> None:
        self.session, self._preprocessing = session, preprocessing
        self._probabilities = session.signature.outputs[0].name
        self.signature = session.signature.also(DECISION)

    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, Array]:
        wanted = [spec.name for spec in self.signature.outputs] if outputs is None else list(outputs)
        asked = [name for name in wanted if name != DECISION]
        if DECISION not in wanted:
            return self.session.run(tensors, asked)
        found = self.session.run(tensors, list(dict.fromkeys([self._probabilities, *asked])))
        probabilities = found[self._probabilities].astype(np.float64)
        found[DECISION] = weighed(probabilities, self._preprocessing).astype(np.float32)
        return {name: found[name] for name in wanted}

    def within(self) -> Session:
        return self.session

    def close(self) -> None:
        self.session.close()


def deciding(session: Session, preprocessing: Mapping[str, Any]) -> Session:
    """The session as it is, or one that decides where the model has costs."""
    return Deciding(session, preprocessing) if preprocessing.get(DECISION) else session
