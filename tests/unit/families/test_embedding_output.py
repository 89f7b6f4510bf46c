"""A convnet that tells embeddings: features of length 1 from the mean of what it learned; nothing else changes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import silhouette_score

from glassworks.catalog import get
from glassworks.config import Job, OptimizationConfig
from glassworks.contracts import EMBEDDING, Artifact, Family, Opened, Pass, Task
from glassworks.errors import ConfigError
from glassworks.families.convnet.networks import deployable
from glassworks.flow import Release, release
from glassworks.packaging.embedding import PackagedEmbedder
from glassworks.packaging.opened import OpenedBundle
from glassworks.progress import Silent
from glassworks.registry import Registry
from glassworks.runtimes import open_session


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


def test_int8_still_tells_what_is_strange(made: Release, tmp_path: Path) -> None:
    """Ranges come from familiar pictures: a distance that is quantized too would never exceed theirs."""
    task = get(Task, "image-classification")
    shutil.copy(made.bundle.folder / "predict.onnx", tmp_path)
    exported = Artifact(role="predict", format="onnx", file="predict.onnx", runtime="onnxruntime")
    x = made.dataset.splits["test"].x
    opened = Opened(artifact=exported, folder=tmp_path)
    rows = task.calibration(made.dataset.splits["train"].x[:100], opened, made.model.preprocessing)
    smaller = get(Pass, "int8").apply(opened, rows)
    strange = 255 - x
    for engine in ("onnxruntime", "openvino"):
        found = {}
        for artifact in (exported, smaller):
            one = Opened(artifact=artifact.model_copy(update={"runtime": engine}), folder=tmp_path)
            session = open_session(task, one, made.model.preprocessing)
            found[artifact.precision] = [
                session.run(task.encode(pictures, made.model.preprocessing)) for pictures in (x, strange)
            ]
        for fp32, int8 in zip(found["fp32"], found["int8"], strict=True):
            agreeing = (np.asarray(fp32["novelty"]).max(axis=1) > 0) == (np.asarray(int8["novelty"]).max(axis=1) > 0)
            assert agreeing.mean() > 0.9
            cosines = (np.asarray(fp32[EMBEDDING]) * np.asarray(int8[EMBEDDING])).sum(axis=1)
            assert np.median(cosines) > 0.95
            assert np.allclose(np.linalg.norm(np.asarray(int8[EMBEDDING]), axis=1), 1, atol=1e-5)
