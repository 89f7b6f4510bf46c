"""Golden: PyTorch's autograd and captum on the same weights are the oracles of the graphs written by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import LayerIntegratedGradients
from numpy.typing import NDArray
from tests.unit.families.recurrent_text.networks import LABELS, NGRAMS, TOKENS, WIDTH, Exported, exported

from glassworks.catalog import get
from glassworks.contracts import Budget, Explainer

LENGTHS = (1, 2, 3, 17, 64)


@pytest.fixture(scope="module", params=["gru", "lstm"])
def graphs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return exported(request.param, tmp_path_factory.mktemp(request.param))


def vectors(rows: int, steps: int) -> NDArray[np.float32]:
    generator = np.random.default_rng(steps)
    return generator.normal(size=(rows, steps, WIDTH + LABELS)).astype(np.float32)


def asked(graphs: Exported, x: NDArray[np.float32], target: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    return graphs.sessions["gradient"].run({"vectors": x, "target": target})


@pytest.mark.parametrize("steps", LENGTHS)
def test_the_gradient_is_autograds(steps: int, graphs: Exported) -> None:
    x, target = vectors(4, steps), np.array([0, 1, 2, 1])
    given = torch.from_numpy(x).requires_grad_()
    scores = graphs.scores(given)
    (wanted,) = torch.autograd.grad(scores.gather(1, torch.from_numpy(target)[:, None]).sum(), given)
    answer = asked(graphs, x, target)
    assert np.abs(answer["scores"] - scores.detach().numpy()).max() <= 1e-5
    assert np.abs(answer["gradient"] - wanted.numpy()).max() <= 1e-5
    assert np.abs(wanted.numpy()[:, :, :WIDTH]).max() > 1e-3


def test_each_row_has_its_own_gradient(graphs: Exported) -> None:
    x, target = vectors(5, 9), np.array([2, 0, 1, 1, 0])
    together = asked(graphs, x, target)["gradient"]
    for row in range(5):
        alone = asked(graphs, x[row : row + 1], target[row : row + 1])["gradient"]
        assert np.abs(alone[0] - together[row]).max() <= 1e-6


def test_prediction_is_the_networks_whatever_fills_up(graphs: Exported) -> None:
    """Texts of different lengths in one batch, with pieces; filling up changes nothing."""
    generator = np.random.default_rng(0)
    lengths = np.array([1, 7, 12, 3], np.int32)
    ids = generator.integers(1, TOKENS, (4, 12)) * (np.arange(12) < lengths[:, None])
    pieces = np.sort(generator.integers(0, NGRAMS + 1, (4, 6)), axis=1)
    pieces[3] = 0  # a text without any
    network = graphs.network
    with torch.no_grad():
        deep = network(torch.from_numpy(ids), torch.from_numpy(lengths))
        wanted = network.together(deep, network.linear(torch.from_numpy(pieces))).numpy()
    found = graphs.sessions["predict"].run({"ids": ids, "lengths": lengths, "pieces": pieces})["scores"]
    assert np.allclose(found, wanted, atol=1e-5)
    wide = np.concatenate([ids, np.zeros((4, 20), np.int64)], axis=1)
    more = np.concatenate([pieces, np.zeros((4, 5), np.int64)], axis=1)
    again = graphs.sessions["predict"].run({"ids": wide, "lengths": lengths, "pieces": more})["scores"]
    assert np.allclose(found, again, atol=1e-6)


@pytest.mark.parametrize("steps", LENGTHS)
def test_embedded_texts_score_as_predicted_ones(steps: int, graphs: Exported) -> None:
    generator = np.random.default_rng(steps)
    ids, pieces = generator.integers(1, TOKENS, (1, steps)), generator.integers(0, NGRAMS + 1, (1, 8))
    found = graphs.sessions["embed"].run({"ids": ids, "pieces": pieces})
    said = np.zeros((1, steps, LABELS), np.float32)
    said[0, generator.integers(steps)] = found["says"][0].sum(axis=0)
    scores = asked(graphs, np.concatenate([found["vectors"], said], axis=2), np.zeros(1, np.int64))["scores"]
    lengths = np.array([steps], np.int32)
    wanted = graphs.sessions["predict"].run({"ids": ids, "lengths": lengths, "pieces": pieces})["scores"]
    assert np.abs(scores - wanted).max() <= 1e-5


@pytest.mark.parametrize("steps", [3, 17, 64])
def test_integrated_gradients_equal_captums(steps: int, graphs: Exported) -> None:
    """Of the network alone, on its embeddings, against the vector that fills up: 50 steps of captum.

    Maximum pooling makes the path's gradients jump; a gap of 1 % may be met by luck at few nodes, so less is asked.
    """
    generator = np.random.default_rng(steps)
    ids = torch.from_numpy(generator.integers(2, TOKENS, (1, steps)))

    def forward(given: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = graphs.network.share * graphs.network(given, torch.full((len(given),), steps))
        return scores

    oracle = LayerIntegratedGradients(forward, graphs.network.embedding)
    wanted = oracle.attribute(ids, baselines=torch.zeros_like(ids), target=1, n_steps=50).detach().numpy()
    example = np.zeros((1, steps, WIDTH + LABELS), np.float32)
    example[:, :, :WIDTH] = graphs.network.embedding(ids).detach().numpy()
    found = get(Explainer, "integrated_gradients").explain(
        graphs.sessions["gradient"], example, 1, np.zeros_like(example), Budget(tolerance=1e-3), 0
    )
    ours = found.values[:, :, :WIDTH]
    assert np.corrcoef(ours.ravel(), wanted.ravel())[0, 1] >= 0.999
    assert np.corrcoef(ours.sum(axis=2).ravel(), wanted.sum(axis=2).ravel())[0, 1] >= 0.999
    assert found.baseline_score is not None
    change = found.score - found.baseline_score
    assert abs(float(ours.sum()) - change) <= 0.005 * float(np.abs(ours).sum())
    assert not found.values[:, :, WIDTH:].any()
