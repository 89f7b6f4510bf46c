"""How far an explanation can be trusted: deletion and insertion against random order, agreement, stability.

Curves run over the share of pixels removed, from 0 to 1, ends included, and their areas lie in [0, 1]
(Petsiuk et al. 2018, RISE). All channels of a pixel are removed together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Scorer = Callable[[Floats], Floats]

STEPS = 8
RANDOM_ORDERS = 8
_ROWS = 64


def grade(
    score: Scorer, example: Floats, values: Floats, baseline: Floats, seed: int, random_orders: int = RANDOM_ORDERS
) -> dict[str, float]:
    """Deletion and insertion areas of `values`, and how far deletion beats random orders.

    `comprehensiveness` is how much is lost, on average over growing shares, without the most important parts,
    `sufficiency` how much with them alone (DeYoung et al. 2020, ERASER, section 4.2).

    `score` maps rows (N C H W) to the target's probability (N). `faithfulness_z` is the number of standard
    deviations by which the deletion area lies below that of random orders: about 0 is no better than chance.
    """
    order = importance_order(values, seed)
    generator = np.random.default_rng(seed)
    orders = [order, order[::-1], *(generator.permutation(len(order)) for _ in range(random_orders))]
    curves = removal_curves(score, example, baseline, orders)
    areas = np.asarray(np.trapezoid(curves, dx=1 / STEPS, axis=1), np.float64)
    spread = float(areas[2:].std(ddof=1))
    chance = float(areas[2:].mean())
    return {
        "deletion_auc": float(areas[0]),
        # Removing the least important first is inserting the most important, read backwards.
        "insertion_auc": float(areas[1]),
        "random_auc": chance,
        "comprehensiveness": float(curves[0, 0] - curves[0, 1:-1].mean()),
        "sufficiency": float(curves[1, 0] - curves[1, 1:-1].mean()),
        "faithfulness_z": (chance - float(areas[0])) / spread if spread > 1e-9 else 0.0,
    }


def importance_order(values: Floats, seed: int) -> NDArray[np.int64]:
    """Pixels (H * W) from the most to the least important; equal ones in a seeded random order.

    A sparse map would else be removed from corner to corner, and exactly k of k pixels asked must go.
    """
    flat = values.reshape(-1, values.shape[-2] * values.shape[-1]).sum(axis=0)
    shuffled = np.random.default_rng(seed).permutation(flat.size)
    return shuffled[np.argsort(-flat[shuffled], kind="stable")]


def removal_curves(
    score: Scorer, example: Floats, baseline: Floats, orders: list[NDArray[np.int64]]
) -> NDArray[np.float64]:
    """Scores (orders x STEPS + 1) while growing shares of each order are replaced by the baseline."""
    pixels = example.shape[-2] * example.shape[-1]
    flat, base = example.reshape(-1, pixels), baseline.reshape(-1, pixels)
    ends = score(np.concatenate([example, baseline]))
    curves = np.empty((len(orders), STEPS + 1))
    curves[:, 0], curves[:, -1] = ends[0], ends[1]
    cuts = [round(pixels * step / STEPS) for step in range(1, STEPS)]
    rows = np.repeat(flat[None], len(orders) * len(cuts), axis=0)
    for row, (order, cut) in zip(rows, ((order, cut) for order in orders for cut in cuts), strict=True):
        row[:, order[:cut]] = base[:, order[:cut]]
    pictures = rows.reshape(-1, *example.shape[1:])
    inner = np.concatenate([score(pictures[begin : begin + _ROWS]) for begin in range(0, len(pictures), _ROWS)])
    curves[:, 1:-1] = inner.reshape(len(orders), len(cuts))
    return curves


def agreement(one: Floats, other: Floats) -> dict[str, float]:
    """Spearman's rank correlation of two maps, and the overlap of their top tenths (intersection over union)."""
    a, b = one.ravel(), other.ravel()
    count = max(1, a.size // 10)
    top = set(np.argsort(-a, kind="stable")[:count].tolist())
    overlap = top & set(np.argsort(-b, kind="stable")[:count].tolist())
    return {"spearman": _correlation(_ranks(a), _ranks(b)), "top_tenth_iou": len(overlap) / (2 * count - len(overlap))}


def _ranks(values: Floats) -> NDArray[np.float64]:
    """Ranks with ties averaged."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else 1.0
