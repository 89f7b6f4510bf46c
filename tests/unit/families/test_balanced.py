"""Balanced classes, in every family that weighs them: a rare class is found, and is not the answer to everything."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.patience import PATIENCE_S
from torch import Tensor
from typer.testing import CliRunner

from glassworks.cli.app import build
from glassworks.config import DataConfig, Job, OptimizationConfig, TrainingConfig
from glassworks.families._text.tokens import TokenizedSplit
from glassworks.families.convnet.recipes import RECIPES
from glassworks.families.convnet.steps import TrainingStep
from glassworks.families.convnet.synthetic import write_bars
from glassworks.families.recurrent_text import network as recurrent
from glassworks.families.transformer_text import fine_tuning as transformer
from glassworks.flow import Release, train
from glassworks.registry import Registry
from glassworks.training.classification import weights_for

JOB = Job(
    name="rare",
    family="convnet",
    data=DataConfig(source="npz:none"),
    training=TrainingConfig(class_weights="balanced", epochs=3, batch_size=32, precision="fp32"),
    optimization=OptimizationConfig(enabled=False),
)
RATIO, SMOOTHING = 50, 0.1


class Free(torch.nn.Module):
    """Free scores of three points, in place of each family's network."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = torch.nn.Parameter(torch.zeros(3, 2))
        self.embedding, self.head = torch.nn.Embedding(1, 1), torch.nn.Linear(1, 2)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        return self.classify(self.pool(self.embed(x.flatten(1)[:, :1]), x))

    def embed(self, ids: Tensor) -> Tensor:
        return ids

    def pool(self, ids: Tensor, mask: Tensor) -> Tensor:
        return ids[:, 0]

    def classify(self, points: Tensor) -> Tensor:
        return self.scores[(points * 255 if points.is_floating_point() else points).round().long()]


def convnet(network: Free, points: Tensor, targets: Tensor, weights: Tensor) -> Callable[[Tensor], Tensor]:
    pixels = points.to(torch.uint8)[:, None, None, None]
    recipe = RECIPES["default"]
    assert recipe.label_smoothing == SMOOTHING
    return TrainingStep(
        network=network,  # type: ignore[arg-type]
        recipe=recipe,
        pixels=pixels,
        targets=targets,
        augment=None,
        weights=weights,
    ).loss


def read(points: Tensor, targets: Tensor) -> TokenizedSplit:
    ones = np.ones(len(points), np.float32)
    ids, starts = [np.array([each]) for each in points.tolist()], np.arange(len(points) + 1)
    return TokenizedSplit(ids=ids, ngrams=ids, weights=ones, starts=starts, targets=targets.numpy(), pad=0)


def recurrent_text(network: Free, points: Tensor, targets: Tensor, weights: Tensor) -> Callable[[Tensor], Tensor]:
    texts = read(points, targets)
    return recurrent.loss_of(network, texts, None, weights)  # type: ignore[arg-type]


def transformer_text(network: Free, points: Tensor, targets: Tensor, weights: Tensor) -> Callable[[Tensor], Tensor]:
    texts = read(points, targets)
    course = transformer.Course(job=JOB, learning=texts, validation=texts, soft=None, weights=weights, pretrained=False)
    return transformer.learner(network, course).loss  # type: ignore[arg-type]


@pytest.mark.parametrize("family", [convnet, recurrent_text, transformer_text])
def test_the_optimum_of_a_family_is_the_smoothed_balanced_posterior(
    family: Callable[..., Callable[..., Tensor]],
) -> None:
    """Two points of one label each, and one that half of each label's examples lie at."""
    targets = torch.tensor([0] * 2 * RATIO + [1] * 2)
    points = torch.tensor([0] * RATIO + [2] * RATIO + [1, 2])
    weights = weights_for(JOB, targets, 2)
    network = Free().eval()
    loss = family(network, points, targets, weights)
    optimizer = torch.optim.LBFGS([network.scores], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(torch.arange(len(points)))
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    found = network.scores.detach().softmax(dim=1).numpy()
    assert found == pytest.approx(np.array([[0.95, 0.05], [0.05, 0.95], [0.5, 0.5]]), abs=5e-3)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty times as many bars across as bars down."""
    folder = tmp_path_factory.mktemp("rare")
    write_bars(folder / "bars.npz", examples=3 * RATIO * 10, side=12, seed=0)
    with np.load(folder / "bars.npz") as bars:
        x, y = bars["x"], bars["y"]
    kept = np.concatenate([np.flatnonzero(y == "across"), np.flatnonzero(y == "down")[:10]])
    np.savez(folder / "rare.npz", x=x[kept], y=y[kept])
    return folder


@pytest.fixture(scope="module")
def made(home: Path) -> Release:
    job = JOB.model_copy(update={"data": DataConfig(source=f"npz:{home / 'rare.npz'}")})
    return train(job, Registry.open({"GLASSWORKS_HOME": str(home / "home")}))


def test_a_class_that_is_fifty_times_as_rare_is_found(made: Release) -> None:
    manifest, truth = made.bundle.manifest, made.dataset.splits["test"].y
    usual = np.bincount(truth).max() / len(truth)
    assert manifest.metrics["accuracy"].value > usual
    assert manifest.comparison["most frequent class"]["accuracy"].value == pytest.approx(usual)
    assert not manifest.warnings


def test_a_model_below_the_most_frequent_class_is_published_with_a_warning(
    made: Release, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has hardly moved from where it began."""
    monkeypatch.setenv("GLASSWORKS_HOME", str(home / "home"))
    job = home / "job.toml"
    job.write_text(
        f'name = "still"\nfamily = "convnet"\n[data]\nsource = "npz:{home / "rare.npz"}"\n'
        "[training]\nepochs = 1\nlearning_rate = 1e-9\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "glassworks", "train", str(job), "--json"]
    trained = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    warning = "the model is no better than one answer to everything (most frequent class): accuracy"
    assert trained.returncode == 0, trained.stderr
    assert f"WARNING: {warning}" in trained.stderr
    (told,) = json.loads(trained.stdout)["warnings"]
    assert told.startswith(warning)
    shown = CliRunner().invoke(build(), ["show", "still"])
    assert f"WARNING: {told}" in shown.stdout
    bundle = Registry.open().resolve("still").bundle
    assert bundle.manifest.warnings == (told,)
    assert f"**Warning: {warning}" in (bundle.folder / "card.md").read_text(encoding="utf-8")
