"""Runs compiled gradient graphs; nodes of the integral along a path; enlarging of coarse maps."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from glassworks.contracts import Session

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


def gradients(session: Session, rows: Floats, target: int) -> tuple[Floats, Floats]:
    """Scores of `target` (N) and their gradients (the rows' shape)."""
    return targeted(session, rows, target, "gradient")


def targeted(session: Session, rows: Floats, target: int, output: str) -> tuple[Floats, Floats]:
    """Scores of `target` (N) and another output of a compiled graph for these rows."""
    name = session.signature.inputs[0].name
    results = session.run({name: rows, "target": np.full(len(rows), target, np.int64)}, ["scores", output])
    scores = np.asarray(results["scores"], np.float32)
    return scores[:, target], np.asarray(results[output], np.float32)


@functools.cache
def clenshaw_curtis(count: int) -> tuple[Floats, Floats]:
    """Nodes and weights of the Clenshaw-Curtis rule on [0, 1]; `count` is odd.

    Every node of a rule is a node of the next one with 2 count - 1 nodes, so that refining wastes nothing, and both
    ends are nodes, so that the scores which completeness compares cost nothing extra. For smooth functions
    it is about as exact as Gauss's rule (Trefethen 2008).
    """
    n = count - 1
    angles = np.arange(count) * np.pi / n
    terms = np.arange(1, n // 2 + 1)
    factors = np.where(terms == n // 2, 1.0, 2.0) / (4.0 * terms**2 - 1)
    weights = (1 - np.cos(2 * angles[:, None] * terms) @ factors) * 2 / n
    weights[[0, -1]] /= 2
    return ((1 - np.cos(angles)) / 2).astype(np.float32), (weights / 2).astype(np.float32)


def enlarge(coarse: Floats, height: int, width: int) -> Floats:
    """A map (h w) at another size (height width), bilinear with pixel centers half a pixel in."""
    down, across = _weights(coarse.shape[0], height), _weights(coarse.shape[1], width)
    return np.asarray(down @ coarse @ across.T, np.float32)


@functools.cache
def _weights(count: int, size: int) -> Floats:
    """The linear interpolation from `count` to `size` points as a matrix (size count)."""
    positions = np.clip((np.arange(size) + 0.5) * count / size - 0.5, 0, count - 1)
    left = np.minimum(positions.astype(int), max(count - 2, 0))
    right = np.minimum(left + 1, count - 1)
    matrix = np.zeros((size, count), np.float32)
    matrix[np.arange(size), left] += 1 - (positions - left)
    matrix[np.arange(size), right] += positions - left
    return matrix
