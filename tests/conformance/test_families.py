"""What every family must keep, from its `tiny()` job. Nobody lists the families: the catalog does."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.conformance.conftest import Made
from tests.conformance.likeness import alike
from tests.pages import job_files, page_of
from typer.testing import CliRunner

from glassworks.catalog import found, get
from glassworks.cli.app import build
from glassworks.contracts import Explainer, Explanation, Model, Opened, Runtime, Session, Subject, Task
from glassworks.errors import ConfigError, InputError, Tampered, Unsupported
from glassworks.explanation.selection import explainers_of
from glassworks.job_files import load_job
from glassworks.optimization.measure import predict_all
from glassworks.packaging.archive import pack_bundle, unpack_bundle
from glassworks.packaging.bundle import read_bundle
from glassworks.packaging.opened import OpenedBundle
from glassworks.progress import Silent
from glassworks.runtimes import open_session
from glassworks.training.loop import STATE
from glassworks.training.runs import open_run

PARITY = 1e-4
"""Largest difference of logits between the trained network and its exported graph."""
SMALL = 0.05
"""Length of a step to see a slope."""
Tensors = Mapping[str, NDArray[np.generic]]


class Stop(Exception):
    """Stands for a kill."""


class Killing(Silent):
    """Ends the run at the given update since there is a checkpoint: a slow machine reports before it has one."""

    def __init__(self, folder: Path, after: int) -> None:
        self.folder, self.left = folder, after

    def update(self, **values: float | str) -> None:
        self.left -= (self.folder / STATE).exists()
        if self.left <= 0:
            raise Stop


def trained(made: Made, folder: Path, seed: int = 0) -> Model:
    """The tiny job trained in a folder of its own."""
    training = made.job.training.model_copy(update={"seed": seed})
    folder.mkdir(parents=True, exist_ok=True)
    job = made.job.model_copy(update={"training": training})
    return made.family.train(made.release.dataset, job, folder, Silent())


def learning(made: Made) -> None:
    """Skip with the family's own reason where nothing is learned."""
    if reason := made.family.unsupported.get("learn"):
        pytest.skip(reason)


def log_probabilities(made: Made, probabilities: NDArray[np.generic]) -> NDArray[np.float64]:
    """Logits up to a constant a row, which softmax forgets; of several labels the logarithms themselves."""
    logs = np.log(np.maximum(np.asarray(probabilities, np.float64), 1e-30))
    return logs if several(made) else np.asarray(logs - logs.mean(axis=1, keepdims=True))


def several(made: Made) -> bool:
    """Whether labels do not exclude each other."""
    return made.release.dataset.splits["validation"].y.ndim == 2 and bool(made.release.dataset.classes)


def test_the_loss_falls(made: Made) -> None:
    learning(made)
    history = made.release.model.history
    assert history[-1]["loss"] < history[0]["loss"]


def test_it_learns_what_was_planted(made: Made) -> None:
    learning(made)
    metric = get(Task, made.family.task).metric
    manifest = made.release.bundle.manifest
    measured, classes = manifest.metrics[metric], len(made.release.dataset.classes)
    if measured.higher_is_better:
        assert measured.interval[0] > 1 / classes
    else:
        assert measured.value < manifest.comparison["before tuning"][metric].value


def test_another_seed_gives_other_weights(made: Made, tmp_path: Path) -> None:
    learning(made)
    assert trained(made, tmp_path, seed=1).weights_sha256 != made.release.model.weights_sha256


def test_a_finished_run_that_was_not_published_is_not_trained_again(made: Made, tmp_path: Path) -> None:
    with open_run(tmp_path, made.job, made.release.dataset.fingerprint) as folder:
        first = made.family.train(made.release.dataset, made.job, folder, Silent())
        assert first.weights_sha256 == made.release.model.weights_sha256, "the same seed gives the same weights"
        learning(made)
        again = made.family.train(made.release.dataset, made.job, folder, Killing(folder, 0))
    assert again.resumed
    assert again.weights_sha256 == first.weights_sha256


def test_a_killed_run_resumes_to_the_same_weights(made: Made, tmp_path: Path) -> None:
    learning(made)
    training = made.job.training.model_copy(update={"checkpoint_every": 1e-3})
    job = made.job.model_copy(update={"training": training})
    with pytest.raises(Stop):
        made.family.train(made.release.dataset, job, tmp_path, Killing(tmp_path, after=2))
    model = made.family.train(made.release.dataset, job, tmp_path, Silent())
    assert model.resumed
    assert model.weights_sha256 == made.release.model.weights_sha256


def subjects(made: Made, rows: int = 6) -> Iterator[tuple[Subject, Tensors]]:
    """Some test examples as explainers see them, predicted by the fp32 graph, with their input tensors."""
    opened, task = OpenedBundle(made.release.bundle), get(Task, made.family.task)

    def session(role: str) -> Session:
        return opened.session(exact_role(made) if role == "predict" else role)

    for row in range(rows):
        x = made.release.dataset.splits["test"].x[row : row + 1]
        given = task.encode(x, made.release.model.preprocessing)
        yield task.subject(given, session, None), given


def exact_role(made: Made) -> str:
    """The role of the graph as it was exported."""
    return "reference" if "reference" in {each.role for each in made.release.bundle.manifest.artifacts} else "predict"


def exact_sessions(made: Made) -> list[Session]:
    """The exported graph in fp32, in every runtime that takes it."""
    opened = made.release.bundle.artifact(exact_role(made))
    found_sessions = []
    for name, runtime in found(Runtime).items():
        if opened.artifact.format in runtime.accepts:
            artifact = opened.artifact.model_copy(update={"precision": "fp32", "runtime": name})
            one = Opened(artifact=artifact, folder=opened.folder)
            found_sessions.append(open_session(get(Task, made.family.task), one, made.release.model.preprocessing))
    return found_sessions


def gradient_roles(made: Made) -> list[str]:
    """Roles of explainers that ask for gradients of the input."""
    roles = {get(Explainer, name).role for name in explainers_of(made.family)}
    return sorted(roles & {"gradient"})


def probabilities_of(made: Made, scores: NDArray[np.generic]) -> NDArray[np.float32]:
    """Of scores, in the arithmetic of a session."""
    values = np.asarray(scores, np.float32)
    if several(made):
        return np.asarray(1 / (1 + np.exp(-values)), np.float32)
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def test_the_exported_graph_measures_as_the_trained_model_did(made: Made) -> None:
    """In every runtime: what training measured with its own network on the validation split comes out again."""
    task, held = get(Task, made.family.task), made.release.dataset.splits["validation"]
    given = task.encode(held.x, made.release.model.preprocessing)
    for session in exact_sessions(made):
        measured = task.evaluate(partial(predict_all, session, given), held.y)
        for name, wanted in made.release.model.metrics.items():
            assert measured[name].value == pytest.approx(wanted.value, abs=PARITY), name


def test_the_gradient_graph_scores_as_the_exported_graph_and_the_network_do(made: Made) -> None:
    """Where a family's network can be traced, it is asked too; else its own graphs must agree."""
    if not made.release.dataset.classes:
        pytest.skip("its answers are no scores of classes; the next test compares the gradient with their slope")
    try:
        network = made.family.differentiable(made.release.model).network
    except Unsupported:
        network = None
    sessions = exact_sessions(made)
    assert sessions
    for role in gradient_roles(made):
        graph = OpenedBundle(made.release.bundle).session(role)
        for subject, given in subjects(made):
            view = subject.view(role)
            example, target = view.example, np.zeros(1, np.int64)
            name = view.session.signature.inputs[0].name
            scores = probabilities_of(made, view.session.run({name: example, "target": target})["scores"])
            for session in sessions:
                predicted = session.run(given)[session.signature.outputs[0].name]
                assert np.allclose(
                    log_probabilities(made, scores), log_probabilities(made, predicted), rtol=PARITY, atol=PARITY
                )
            if network is not None:
                import torch

                own = graph.run({name: example, "target": target})["scores"]
                wanted = network(torch.from_numpy(example)).numpy()
                assert np.abs(np.asarray(own, np.float32) - wanted).max() <= PARITY


def test_the_gradient_is_the_slope_of_the_scores(made: Made) -> None:
    """Against central differences along random directions, one for each target; pictures have one, a region."""
    for role in gradient_roles(made):
        generator = np.random.default_rng(0)
        for subject, _ in subjects(made, rows=3):
            view = subject.view(role)
            for target in range(max(1, len(made.release.dataset.classes))):
                direction = generator.normal(size=view.example.shape).astype(np.float32)
                # Of pixels up to 255 the steps are as much longer: float32 tells large numbers apart less finely.
                direction *= SMALL * max(1.0, float(np.abs(view.example).max())) / np.linalg.norm(direction)
                rows = np.concatenate([view.example, view.example + direction, view.example - direction])
                name = view.session.signature.inputs[0].name
                answer = view.session.run({name: rows, "target": np.full(3, target, np.int64)})
                scores, gradient = (np.asarray(answer[key], np.float64) for key in ("scores", "gradient"))
                slope = (scores[1, target] - scores[2, target]) / 2
                assert float((gradient[0] * direction[0]).sum()) == pytest.approx(slope, rel=0.02, abs=2e-4)


def test_a_batch_equals_its_rows(made: Made) -> None:
    opened = OpenedBundle(made.release.bundle)
    x = made.release.dataset.splits["test"].x[:8]
    together = opened.predict(x)
    for name, values in together.items():
        alone = np.concatenate([np.asarray(opened.predict(x[row : row + 1])[name]) for row in range(len(x))])
        assert alike(values, alone)


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
    from glassworks.serving.codec.tensors import datatype, parse_request

    bundle = made.release.bundle
    session = OpenedBundle(bundle).session("predict")
    samples = json.loads((bundle.folder / "samples.json").read_text(encoding="utf-8"))
    assert samples
    for sample in samples:
        _, given = parse_request(json.dumps({"inputs": sample["inputs"]}).encode(), None)
        answers = session.run(given)
        for output in sample["outputs"]:
            values = np.asarray(answers[output["name"]])
            assert [datatype(values), list(values.shape)] == [output["datatype"], output["shape"]]
            assert alike(values.ravel(), np.array(output["data"], values.dtype))


def explaining(made: Made) -> None:
    """Skip where the family has no method that explains it."""
    if not explainers_of(made.family):
        pytest.skip("no method explains its answers yet")


def test_explanations_fit_repeat_and_change_nothing(made: Made) -> None:
    explaining(made)
    opened = OpenedBundle(made.release.bundle)
    x = made.release.dataset.splits["test"].x[:1]
    before = {name: np.asarray(values).copy() for name, values in opened.predict(x).items()}
    encoded = opened.task.encode(x, opened.manifest.preprocessing)
    subject = opened.subject(encoded)
    assert subject.kind == get(Task, made.family.task).subject_kind
    shape = subject.reported(subject.view("predict").example).shape
    assert set(opened.manifest.explainers) == set(explainers_of(made.family))
    for method in opened.manifest.explainers:
        one, two = (opened.explain(x, method=method, seed=5) for _ in range(2))
        assert one.attribution.values.shape == shape
        places_fit(one, encoded)
        assert one.attribution.values.tobytes() == two.attribution.values.tobytes()
        assert one.quality == two.quality
        assert one.artifact_sha256 == made.release.bundle.artifact_sha256("predict")
        for name, values in before.items():
            assert np.array_equal(np.asarray(one.outputs[name]), values)
            assert np.array_equal(np.asarray(opened.predict(x)[name]), values)


def places_fit(explanation: Explanation, encoded: Tensors) -> None:
    """A value a number of the input; or, of a text, a value a span, and the spans are the text; or a value a name."""
    given = encoded[explanation.input]
    if given.dtype != object:
        assert explanation.attribution.values.shape == given.shape
        assert not explanation.spans
        return
    if explanation.names:
        assert len(explanation.names) == explanation.attribution.values.size
        assert all({"item", "title"} & name.keys() for name in explanation.names)
        return
    text = given[0].decode()
    assert len(explanation.spans) == explanation.attribution.values.size > 0
    assert "".join(text[begin:end] for begin, end in explanation.spans) == text


def test_up_needs_no_more_keys_than_have_no_default(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole command line but its own process; budgets are set only to be done soon."""
    monkeypatch.setattr("glassworks.cli.verbs.up.receive_interrupts", lambda: None)
    monkeypatch.setenv("GLASSWORKS_HOME", str(made.registry.home))
    job = tmp_path / "fewest.toml"
    job.write_text(fewest_keys(made), encoding="utf-8")
    quick = ("training.epochs=1", "training.budget=4s", "optimization.budget=0.1s", "optimization.batch_sizes=[1]")
    done = CliRunner().invoke(
        build(), ["up", str(job), "--check", "--json", *(part for each in quick for part in ("--set", each))]
    )
    assert done.exit_code == 0, (done.exception, done.output)
    said = json.loads(done.stdout)
    assert list(said) == ["data", "train", "optimize", "package", "explain", "serve"]
    explains = bool(explainers_of(made.family))
    assert all(value for stage, value in said.items() if stage != "explain" or explains)
    if explains:
        assert said["explain"]["method"] == made.release.bundle.manifest.explainers[0]
        assert Path(said["explain"]["drawn"]).is_file()
    with pytest.raises(ProcessLookupError):
        os.kill(said["serve"]["pid"], 0)


def test_every_verb_that_shows_something_knows_the_family(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLASSWORKS_HOME", str(made.registry.home))
    job, model = tmp_path / "fewest.toml", made.release.version.reference
    job.write_text(fewest_keys(made), encoding="utf-8")
    roles = [("inspect", model, "--role", each.role) for each in made.release.bundle.manifest.artifacts]
    for command in (("data", "check", str(job), "--quick"), ("show", model), *roles):
        shown = CliRunner().invoke(build(), list(command))
        assert shown.exit_code == 0, (command, shown.exception, shown.output)
        assert json.loads(CliRunner().invoke(build(), [*command, "--json"]).stdout), command


def fewest_keys(made: Made) -> str:
    """The tiny job as a file with its data, and of the family's table only what has no default."""
    config = made.family.config
    needed = {key: value for key, value in made.job.model.items() if config.model_fields[key].is_required()}
    data = made.job.data.model_dump(exclude_defaults=True)
    keys = {"name": f"fewest-{made.job.name}", "family": made.job.family, "data": data, "model": needed}
    return "".join(f"{key} = {toml(value)}\n" for key, value in keys.items())


def toml(value: object) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {toml(each)}' for key, each in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value)


def test_unknown_keys_are_refused_with_their_path(made: Made) -> None:
    wrong = made.job.model_copy(update={"model": {**made.job.model, "no_such_key": 1}})
    with pytest.raises(ConfigError, match=r"unknown key 'model\.no_such_key'"):
        made.family.prepare(wrong)


def test_the_bundle_names_all_that_an_auditor_asks_for(made: Made) -> None:
    manifest = made.release.bundle.manifest
    assert manifest.lineage.weights_sha256 == made.release.model.weights_sha256
    assert manifest.data_fingerprint == made.release.dataset.fingerprint
    assert manifest.libraries["glassworks"]
    assert "prediction_agreement" in manifest.fidelity
    if explainers_of(made.family):
        anywhere = next(name for name in manifest.explainers if get(Explainer, name).role == "predict")
        assert {f"{anywhere}_spearman", "faithfulness_z"} <= manifest.fidelity.keys()
    card = (made.release.bundle.folder / "card.md").read_text(encoding="utf-8")
    assert made.release.dataset.fingerprint in card
    assert all(get(Explainer, name).name in card for name in manifest.explainers)


def test_the_family_has_a_page_with_a_runnable_block(made: Made, tmp_path: Path) -> None:
    """Its job files pass the family's own check; only their data is not there."""
    blocks = job_files(page_of(made.family))
    assert blocks
    for number, block in enumerate(blocks):
        path = tmp_path / f"{number}.toml"
        path.write_text(block, encoding="utf-8")
        job = load_job(path)
        assert job.family == made.family.name
        with pytest.raises(InputError) as caught:
            made.family.prepare(job)
        assert not isinstance(caught.value, ConfigError), caught.value
