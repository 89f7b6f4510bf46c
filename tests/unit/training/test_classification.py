"""The loss of classifiers: with weighted classes its optimum is what it would be if all classes were as frequent."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from glassworks.training.classification import class_weights, classification_loss

SMOOTHING = 0.1


def at_points(counts: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Examples that are told apart by nothing but their point: (point, label) of each; `counts` are points x labels."""
    pairs = [(point, label) for point, row in enumerate(counts) for label, n in enumerate(row) for _ in range(n)]
    found = torch.tensor(pairs)
    return found[:, 0], found[:, 1]


def optimum(points: Tensor, targets: Tensor, labels: int, smoothing: float, soft: Tensor | None = None) -> np.ndarray:
    """Scores (points x labels) of the least loss where each point has free ones."""
    weights = class_weights(targets, labels)
    scores = torch.zeros(int(points.max()) + 1, labels, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [scores], max_iter=500, tolerance_grad=1e-9, tolerance_change=1e-12, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = classification_loss(scores[points], targets, soft, weights, smoothing)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return scores.detach().numpy()


def balanced_posterior(counts: list[list[int]]) -> np.ndarray:
    """Bayes' rule at each point, had every label the same number of examples."""
    table = np.array(counts, float)
    table /= table.sum(axis=0)
    return np.asarray(table / table.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("smoothing", [0.0, SMOOTHING])
@pytest.mark.parametrize("ratio", [5, 50, 500])
def test_the_optimum_is_the_smoothed_balanced_posterior(ratio: int, smoothing: float) -> None:
    """Points that are clearly of one label, one where the rare label is more, one where it is less likely than else."""
    counts = [[2 * ratio, 0], [0, 2], [ratio, 2], [ratio, 1]]
    points, targets = at_points(counts)
    found = torch.from_numpy(optimum(points, targets, 2, smoothing)).softmax(dim=1).numpy()
    wanted = (1 - smoothing) * balanced_posterior(counts) + smoothing / 2
    assert found == pytest.approx(wanted, abs=2e-3)
    assert found.argmax(axis=1).tolist() == [0, 1, 1, 0]


def test_of_three_labels_too_and_one_without_examples_changes_nothing() -> None:
    counts = [[500, 0, 0, 0], [0, 50, 0, 0], [0, 0, 5, 0], [500, 50, 10, 0]]
    points, targets = at_points(counts)
    found = torch.from_numpy(optimum(points, targets, 4, SMOOTHING)).softmax(dim=1).numpy()
    share = balanced_posterior([row[:3] for row in counts])
    assert found[:, :3] == pytest.approx((1 - SMOOTHING) * share + SMOOTHING / 4, abs=2e-3)


@pytest.mark.parametrize("ratio", [5, 50, 500])
def test_with_a_teacher_labels_and_teacher_count_half(ratio: int) -> None:
    counts = [[2 * ratio, 0], [0, 2], [ratio, 2]]
    points, targets = at_points(counts)
    told = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
    found = torch.from_numpy(optimum(points, targets, 2, SMOOTHING, told[points])).softmax(dim=1).numpy()
    labels = (1 - SMOOTHING) * balanced_posterior(counts) + SMOOTHING / 2
    assert found == pytest.approx((labels + told.numpy()) / 2, abs=2e-3)


@pytest.mark.parametrize("ratio", [5, 50, 500])
def test_several_labels_are_each_as_likely_as_not(ratio: int) -> None:
    """The first label is rare, the second one is there nearly always: both count alike."""
    points = torch.arange(2 * ratio + 2) % 2
    first = torch.zeros(len(points), dtype=torch.int64)
    first[:2] = 1
    targets = torch.stack([first, 1 - first], dim=1)
    found = torch.from_numpy(optimum(points, targets, 2, SMOOTHING)).sigmoid().numpy()
    assert found == pytest.approx(np.full((2, 2), 0.5), abs=2e-3)
    weights = class_weights(targets, 2)
    rare, frequent = (torch.tensor([row]).expand(len(points), 2) for row in ([3.0, 0.0], [0.0, -3.0]))
    costs = [float(classification_loss(scores, targets, None, weights, 0.0)) for scores in (rare, frequent)]
    assert costs[0] == pytest.approx(costs[1], rel=1e-5)


@pytest.mark.parametrize("several", [False, True])
def test_weights_change_neither_the_scale_of_the_loss_nor_what_batches_add_up_to(several: bool) -> None:
    """So a learning rate means the same with them, and small batches have the optimum of the whole."""
    targets = torch.zeros(800, dtype=torch.int64)
    targets[:16] = 1
    if several:
        targets = torch.stack([targets, 1 - targets], dim=1)
    weights = class_weights(targets, 2)
    nothing = classification_loss(torch.zeros(800, 2), targets, None, weights, SMOOTHING)
    assert float(nothing) == pytest.approx(math.log(2), rel=1e-5)
    scores = torch.randn(800, 2, generator=torch.Generator().manual_seed(0))
    whole = classification_loss(scores, targets, None, weights, SMOOTHING)
    parts = torch.split(torch.arange(800), 8)
    batches = [classification_loss(scores[rows], targets[rows], None, weights, SMOOTHING) for rows in parts]
    assert float(torch.stack(batches).mean()) == pytest.approx(float(whole), rel=1e-5)


@pytest.mark.parametrize("several", [False, True])
def test_without_weights_it_is_the_usual_one(several: bool) -> None:
    scores = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
    targets = torch.arange(64) % 3
    usual = torch.nn.functional.cross_entropy(scores, targets, label_smoothing=SMOOTHING)
    if several:
        targets = torch.nn.functional.one_hot(targets)
        usual = torch.nn.functional.binary_cross_entropy_with_logits(scores, targets.float())
    assert float(classification_loss(scores, targets, None, None, SMOOTHING)) == float(usual)
