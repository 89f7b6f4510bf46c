"""Pictures unlike the learned ones are told, familiar ones are not, at the coverage that was asked for."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.covariance import EmpiricalCovariance
from sklearn.metrics import roc_auc_score

from glassworks.catalog import get
from glassworks.config import Job, OptimizationConfig
from glassworks.contracts import Exporter, Family
from glassworks.errors import ConfigError
from glassworks.families.convnet.novelty import Novelty, thresholds
from glassworks.flow import Release, predict, release
from glassworks.packaging.opened import OpenedBundle
from glassworks.progress import Silent
from glassworks.registry import Registry

COVERAGE = 0.9


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("novelty")


@pytest.fixture(scope="module")
def made(home: Path) -> Release:
    job: Job = get(Family, "convnet").tiny(home)
    job = job.model_copy(update={"model": {"novelty": COVERAGE}, "optimization": OptimizationConfig(enabled=False)})
    return release(job, Registry.open({"GLASSWORKS_HOME": str(home / "home")}), Silent())


def outputs(made: Release, x: np.ndarray) -> np.ndarray:
    return np.asarray(OpenedBundle(made.bundle).predict(x)["novelty"])


def test_validation_pictures_are_covered_as_stated(made: Release) -> None:
    x = made.dataset.splits["validation"].x
    covered = (outputs(made, x).max(axis=1) <= 1e-4).mean()
    assert COVERAGE <= covered <= COVERAGE + 2 / len(x) + 0.01


def test_noise_and_inverted_pictures_are_told_from_test_pictures(made: Release) -> None:
    x = made.dataset.splits["test"].x
    for strange in (np.random.default_rng(0).integers(0, 256, x.shape, np.uint8), 255 - x):
        found = np.concatenate([outputs(made, x), outputs(made, strange)])[:, 1]
        assert roc_auc_score(np.repeat([0, 1], [len(x), len(strange)]), found) > 0.9


def test_the_answer_says_it(made: Release, home: Path) -> None:
    registry = Registry.open({"GLASSWORKS_HOME": str(home / "home")})
    noise = np.random.default_rng(0).integers(0, 256, (16, 16), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    (answer,) = predict("tiny-convnet", buffer.getvalue(), registry)
    assert answer["familiar"] is False
    assert max(answer["novelty"].values()) > 0
    assert [spec.name for spec in made.bundle.manifest.signature.outputs] == ["probabilities", "novelty"]


def test_the_distance_is_mahalanobis_s_and_the_energy_that_of_the_paper() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(300, 5, generator=generator) @ torch.randn(5, 5, generator=generator)
    exact = EmpiricalCovariance().fit(features.numpy())
    whiten = torch.linalg.cholesky(torch.from_numpy(exact.precision_).double()).float()
    scores = torch.randn(300, 4, generator=generator)
    novelty = Novelty(torch.from_numpy(exact.location_).float()[None], whiten)
    found = novelty.raw(features, scores)
    np.testing.assert_allclose(found[:, 1], exact.mahalanobis(features.numpy()), rtol=2e-3, atol=1e-3)
    np.testing.assert_allclose(found[:, 0], -np.log(np.exp(scores.numpy()).sum(axis=1)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("rows", "coverage"), [(1000, 0.95), (40, 0.9), (3, 0.95), (1, 0.5)])
def test_thresholds_leave_the_stated_share_below(rows: int, coverage: float) -> None:
    found = torch.randn(rows, 2, generator=torch.Generator().manual_seed(rows))
    covered = float((found <= thresholds(found, coverage)).all(dim=1).float().mean())
    assert coverage <= covered <= min(1.0, coverage + 2 / rows) + 1e-6


def test_new_rows_of_the_same_kind_stay_below_as_often() -> None:
    generator = torch.Generator().manual_seed(5)
    shares = []
    for _ in range(200):
        limit = thresholds(torch.randn(99, 2, generator=generator), 0.9)
        shares.append(float((torch.randn(200, 2, generator=generator) <= limit).all(dim=1).float().mean()))
    assert 0.895 <= float(np.mean(shares)) <= 0.92


@pytest.mark.parametrize("share", [0.3, 1.0, 95])
def test_a_share_that_makes_no_sense_is_refused(share: float, tmp_path: Path) -> None:
    job = get(Family, "convnet").tiny(tmp_path).model_copy(update={"model": {"novelty": share}})
    with pytest.raises(ConfigError, match=r"model\.novelty"):
        get(Family, "convnet").settings(job)


def test_models_that_tell_novelty_leave_as_others_do(made: Release, tmp_path: Path) -> None:
    for name in ("onnx", "edge"):
        get(Exporter, name).export(made.bundle.folder, tmp_path / name)
    done = subprocess.run(
        [sys.executable, tmp_path / "edge" / "run.py", "selftest"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
