"""A convnet that tells embeddings: features of length 1 from the mean of what it learned; nothing else changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import silhouette_score

from glassworks.catalog import get
from glassworks.config import Job, OptimizationConfig
from glassworks.contracts import EMBEDDING, Family
from glassworks.errors import ConfigError
from glassworks.families.convnet.networks import deployable
from glassworks.flow import Release, release
from glassworks.packaging.embedding import PackagedEmbedder
from glassworks.packaging.opened import OpenedBundle
from glassworks.registry import Registry
from glassworks.training.progress import Silent


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("embedding")


def told(home: Path, **model: object) -> Release:
    job: Job = get(Family, "convnet").tiny(home)
    job = job.model_copy(update={"model": dict(model), "optimization": OptimizationConfig(enabled=False)})
    return release(job, Registry.open({"GLASSWORKS_HOME": str(home / "home")}), Silent())


@pytest.fixture(scope="module")
def made(home: Path) -> Release:
    return told(home, embed=True, novelty=0.9)


def test_all_outputs_stand_beside_each_other(made: Release) -> None:
    outputs = made.bundle.manifest.signature.outputs
    assert [spec.name for spec in outputs] == ["probabilities", "novelty", EMBEDDING]
    answered = OpenedBundle(made.bundle).predict(made.dataset.splits["test"].x[:3])
    assert {name: list(values.shape) for name, values in answered.items()} == {
        "probabilities": [3, 3],
        "novelty": [3, 2],
        EMBEDDING: [3, outputs[2].shape[1]],
    }


def test_vectors_are_the_networks_features_from_the_mean_of_what_it_learned(made: Release) -> None:
    network = deployable(made.model.network)
    learned, test = (
        torch.from_numpy(made.dataset.splits[name].x).permute(0, 3, 1, 2).float() / 255 for name in ("train", "test")
    )
    with torch.inference_mode():
        means = [network.features(pixels).mean(dim=(2, 3)).double() for pixels in (learned, test)]
    wanted = means[1] - means[0].mean(dim=0)
    wanted /= wanted.norm(dim=1, keepdim=True)
    found = PackagedEmbedder(OpenedBundle(made.bundle), "bars@1").embed(made.dataset.splits["test"].x)
    assert np.abs(found - wanted.numpy()).max() <= 1e-4
    assert silhouette_score(found, made.dataset.splits["test"].y) > 0.3


def test_the_weights_are_those_of_a_network_that_tells_less(made: Release, home: Path, tmp_path: Path) -> None:
    plain = told(tmp_path)
    assert plain.model.weights_sha256 == made.model.weights_sha256
    with pytest.raises(ConfigError, match="the model 'plain' has no output 'embedding'") as caught:
        PackagedEmbedder(OpenedBundle(plain.bundle), "plain")
    assert "model.embed = true" in caught.value.mend
