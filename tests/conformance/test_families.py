"""What every family must keep, from its `tiny()` job. Nobody lists the families: the catalog does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.conformance.conftest import Made

from glassworks.catalog import found, get
from glassworks.contracts import Explainer, Model, Opened, Runtime, Task
from glassworks.errors import ConfigError, Tampered
from glassworks.packaging.archive import pack_bundle, unpack_bundle
from glassworks.packaging.bundle import read_bundle
from glassworks.packaging.opened import OpenedBundle
from glassworks.training.progress import Silent
from glassworks.training.runs import open_run

PARITY = 1e-4
"""Largest difference of logits between the trained network and its exported graph."""


class Stop(Exception):
    """Stands for a kill."""


class Killing(Silent):
    """Ends the run at the given update."""

    def __init__(self, after: int) -> None:
        self.left = after

    def update(self, **values: float | str) -> None:
        self.left -= 1
        if self.left == 0:
            raise Stop


def trained(made: Made, folder: Path, seed: int = 0) -> Model:
    """The tiny job trained in a folder of its own."""
    training = made.job.training.model_copy(update={"seed": seed})
    folder.mkdir(parents=True, exist_ok=True)
    job = made.job.model_copy(update={"training": training})
    return made.family.train(made.release.dataset, job, folder, Silent())


def tensors(made: Made, split: str = "test", rows: int = 16) -> dict[str, NDArray[np.generic]]:
    """Some rows of a split as input tensors."""
    task = get(Task, made.family.task)
    return task.encode(made.release.dataset.splits[split].x[:rows], made.release.model.preprocessing)


def log_probabilities(probabilities: NDArray[np.generic]) -> NDArray[np.float64]:
    """Logits up to a constant a row, which softmax forgets."""
    logs = np.log(np.maximum(np.asarray(probabilities, np.float64), 1e-30))
    return np.asarray(logs - logs.mean(axis=1, keepdims=True))


def test_the_loss_falls(made: Made) -> None:
    history = made.release.model.history
    assert history[-1]["loss"] < history[0]["loss"]


def test_it_learns_what_was_planted(made: Made) -> None:
    metric = get(Task, made.family.task).metric
    measured = made.release.bundle.manifest.metrics[metric]
    classes = len(made.release.dataset.classes)
    assert measured.interval[0] > 1 / classes


def test_the_same_seed_gives_the_same_weights_and_another_does_not(made: Made, tmp_path: Path) -> None:
    first = made.release.model.weights_sha256
    assert trained(made, tmp_path / "again").weights_sha256 == first
    assert trained(made, tmp_path / "other", seed=1).weights_sha256 != first


@pytest.mark.parametrize("after", [1, 3])
def test_a_killed_run_resumes_to_the_same_weights(made: Made, tmp_path: Path, after: int) -> None:
    training = made.job.training.model_copy(update={"checkpoint_every": 1e-3})
    job = made.job.model_copy(update={"training": training})
    with pytest.raises(Stop):
        made.family.train(made.release.dataset, job, tmp_path, Killing(after))
    model = made.family.train(made.release.dataset, job, tmp_path, Silent())
    assert model.resumed
    assert model.weights_sha256 == made.release.model.weights_sha256


def test_the_exported_graph_equals_the_trained_model(made: Made) -> None:
    import torch

    differentiable = made.family.differentiable(made.release.model)
    bundle = made.release.bundle
    roles = {artifact.role for artifact in bundle.manifest.artifacts}
    opened = bundle.artifact("reference" if "reference" in roles else "predict")
    values = next(iter(tensors(made).values()))
    wanted = differentiable.network(torch.from_numpy(np.asarray(values, np.float32))).numpy()
    exact = Opened(artifact=opened.artifact.model_copy(update={"precision": "fp32"}), folder=opened.folder)
    for runtime in found(Runtime).values():
        session = runtime.open(exact)
        probabilities = session.run(tensors(made))[session.signature.outputs[0].name]
        difference = log_probabilities(probabilities) - (wanted - wanted.mean(axis=1, keepdims=True))
        assert np.abs(difference).max() <= PARITY


def test_the_compiled_gradient_graph_scores_as_the_network_does(made: Made) -> None:
    import torch

    values = np.asarray(next(iter(tensors(made).values())), np.float32)
    network = made.family.differentiable(made.release.model).network
    session = OpenedBundle(made.release.bundle).session("gradient")
    name = session.signature.inputs[0].name
    scores = session.run({name: values, "target": np.zeros(len(values), np.int64)})["scores"]
    assert np.abs(np.asarray(scores, np.float32) - network(torch.from_numpy(values)).numpy()).max() <= PARITY


def test_a_batch_equals_its_rows(made: Made) -> None:
    opened = OpenedBundle(made.release.bundle)
    x = made.release.dataset.splits["test"].x[:8]
    together = opened.predict(x)
    for name, values in together.items():
        alone = np.concatenate([np.asarray(opened.predict(x[row : row + 1])[name]) for row in range(len(x))])
        assert np.allclose(np.asarray(values), alone, atol=1e-5)


def test_the_bundle_survives_packing_and_one_flipped_byte_does_not(made: Made, tmp_path: Path) -> None:
    archive = tmp_path / "model.glass"
    pack_bundle(made.release.bundle, archive)
    copied = unpack_bundle(archive, tmp_path / "copy")
    assert copied.sha256 == made.release.bundle.sha256
    assert copied.manifest == made.release.bundle.manifest
    file = copied.folder / copied.manifest.artifacts[0].file
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(bytes(content))
    with pytest.raises(Tampered, match=copied.manifest.artifacts[0].file):
        read_bundle(copied.folder)


def test_the_sample_requests_get_their_answers_again(made: Made) -> None:
    import json

    bundle = made.release.bundle
    session = OpenedBundle(bundle).session("predict")
    samples = json.loads((bundle.folder / "samples.json").read_text(encoding="utf-8"))
    assert samples
    for sample in samples:
        given = {t["name"]: np.asarray(t["data"], np.float32).reshape(t["shape"]) for t in sample["inputs"]}
        answers = session.run(given)
        for output in sample["outputs"]:
            assert np.allclose(np.asarray(answers[output["name"]]).ravel(), output["data"], atol=1e-5)


def test_explanations_fit_repeat_and_change_nothing(made: Made) -> None:
    opened = OpenedBundle(made.release.bundle)
    x = made.release.dataset.splits["test"].x[:1]
    before = {name: np.asarray(values).copy() for name, values in opened.predict(x).items()}
    encoded = next(iter(opened.task.encode(x, opened.manifest.preprocessing).values()))
    assert set(opened.manifest.explainers) == set(made.family.explainers)
    for method in opened.manifest.explainers:
        one, two = (opened.explain(x, method=method, seed=5) for _ in range(2))
        assert one.attribution.values.shape == encoded.shape
        assert one.attribution.values.tobytes() == two.attribution.values.tobytes()
        assert one.quality == two.quality
        assert one.artifact_sha256 == made.release.bundle.artifact_sha256("predict")
        for name, values in before.items():
            assert np.array_equal(np.asarray(one.outputs[name]), values)
            assert np.array_equal(np.asarray(opened.predict(x)[name]), values)


def test_unknown_keys_are_refused_with_their_path(made: Made) -> None:
    wrong = made.job.model_copy(update={"model": {**made.job.model, "no_such_key": 1}})
    with pytest.raises(ConfigError, match=r"unknown key 'model\.no_such_key'"):
        made.family.prepare(wrong)


def test_a_finished_run_that_was_not_published_is_not_trained_again(made: Made, tmp_path: Path) -> None:
    with open_run(tmp_path, made.job, made.release.dataset.fingerprint) as folder:
        first = made.family.train(made.release.dataset, made.job, folder, Silent())
        again = made.family.train(made.release.dataset, made.job, folder, Killing(1))
    assert again.resumed
    assert again.weights_sha256 == first.weights_sha256


def test_the_bundle_names_all_that_an_auditor_asks_for(made: Made) -> None:
    manifest = made.release.bundle.manifest
    assert manifest.lineage.weights_sha256 == made.release.model.weights_sha256
    assert manifest.data_fingerprint == made.release.dataset.fingerprint
    assert manifest.libraries["glassworks"]
    assert {"occlusion_spearman", "faithfulness_z", "prediction_agreement"} <= manifest.fidelity.keys()
    card = (made.release.bundle.folder / "card.md").read_text(encoding="utf-8")
    assert made.release.dataset.fingerprint in card
    assert all(get(Explainer, name).name in card for name in manifest.explainers)


def test_the_family_has_a_page_with_a_runnable_block(made: Made) -> None:
    import inspect

    folder = Path(inspect.getfile(type(made.family))).parent
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "```toml" in text
