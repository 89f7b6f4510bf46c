"""The search on a recurrent network: int8 is offered where it is computed, with what stays in fp32."""

from __future__ import annotations

import numpy as np
import pytest

from glassworks.catalog import get
from glassworks.config import OptimizationConfig
from glassworks.contracts import Family, Opened, Task
from glassworks.flow import Release, release
from glassworks.job_files import job_of
from glassworks.optimization.report import OptimizationReport
from glassworks.optimization.search import optimize
from glassworks.packaging.exported import trial_of
from glassworks.progress import Silent
from glassworks.registry import Registry


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Release:
    folder = tmp_path_factory.mktemp("reviews")
    job = get(Family, "recurrent_text").tiny(folder)
    # Wide enough that the layers are worth an int8 form.
    job = job.model_copy(update={"model": {**job.model, "hidden": 48, "width": 32, "cell": "lstm"}})
    plain = job.optimization.model_copy(update={"enabled": False})
    return release(job.model_copy(update={"optimization": plain}), Registry.open({"GLASSWORKS_HOME": str(folder)}))


@pytest.fixture(scope="module")
def report(made: Release) -> OptimizationReport:
    opened = made.bundle.artifact("predict")
    exported = Opened(artifact=opened.artifact.model_copy(update={"runtime": ""}), folder=opened.folder)
    for path in [opened.folder, *opened.folder.iterdir()]:
        path.chmod(0o755)
    task = get(Task, "text-classification")
    manifest = made.bundle.manifest
    trial = trial_of(task, exported, made.dataset, manifest.preprocessing, job_of(manifest.job, where="the bundle"))
    config = OptimizationConfig(budget=1.0, minimize="size", within=("accuracy_drop <= 2%",))
    return optimize(trial, config, Silent())[1]


def test_every_int8_candidate_says_what_stays_in_fp32(report: OptimizationReport) -> None:
    measured = {candidate.name: candidate for candidate in report.candidates if not candidate.excluded}
    assert not any("LSTM" in layer for layer in measured["int8_recurrent onnxruntime"].computes_fp32)
    for runtime in ("onnxruntime", "openvino"):
        said = measured[f"int8_weights {runtime}"].computes_fp32
        assert any(kind in layer for layer in said for kind in ("LSTM", "RNNSeq"))  # as each engine calls it


def test_int8_that_another_engine_would_compute_in_fp32_is_excluded_with_its_reason(report: OptimizationReport) -> None:
    excluded = {candidate.name: candidate.excluded for candidate in report.candidates if candidate.excluded}
    assert excluded["int8_recurrent openvino"] == "it computes in int8 in onnxruntime alone"
    assert "would leave the recurrent layer in fp32" in excluded["int8"]


def test_the_size_is_that_of_all_files_that_serving_needs(made: Release, report: OptimizationReport) -> None:
    folder = made.bundle.folder
    beside = sum((folder / name).stat().st_size for name in ("tokenizer.json", "pieces.npy"))
    assert report.candidate("fp32 onnxruntime").size_bytes == (folder / "predict.onnx").stat().st_size + beside
    small = (folder / "predict.int8_recurrent.onnx").stat().st_size
    assert report.candidate("int8_recurrent onnxruntime").size_bytes == small + beside


def test_int8_answers_as_fp32_does_on_real_texts(report: OptimizationReport) -> None:
    accuracy = {c.name: c.metrics["accuracy"].value for c in report.candidates if not c.excluded}
    reference = accuracy["fp32 onnxruntime"]
    assert reference > 0.6
    for name in ("int8_recurrent onnxruntime", "int8_weights onnxruntime", "int8_weights openvino"):
        assert np.isclose(accuracy[name], reference, atol=0.03)
