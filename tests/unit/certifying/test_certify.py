"""A candidate is certified as it is served: by a real server, beside its reference, in random turns."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from glassworks.catalog import get
from glassworks.certifying import Subject, certifier, certify
from glassworks.config import OptimizationConfig
from glassworks.contracts import Artifact, Opened, Runtime, Signature, Task, TensorSpec
from glassworks.errors import Cancelled, Infeasible, ServingError
from glassworks.families.convnet.networks import Default, deployable
from glassworks.onnx_graphs.export import write_onnx
from glassworks.optimization.candidates import Trial
from glassworks.optimization.certificate.record import Certificate, Promise
from glassworks.optimization.measure import predict_all
from glassworks.optimization.objective import parse_objective
from glassworks.optimization.search import optimize
from glassworks.optimization.settling import Try
from glassworks.progress import Silent

if TYPE_CHECKING:
    from glassworks.contracts import Candidate

ROWS = 200
BROKEN = Promise(
    limit="no slower than the fp32 reference",
    value=1.5,
    bound=1.6,
    shown="150%, at most 160%",
    verdict="broken",
    samples=4000,
    method="bootstrap",
)


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """An untrained network of ours on random pictures, which its own fp32 answers are right about."""
    folder = tmp_path_factory.mktemp("certify") / "build"
    folder.mkdir()
    torch.manual_seed(0)
    graph = torch.nn.Sequential(deployable(Default(16, 16, 1, 4).eval()), torch.nn.Softmax(dim=1)).eval()
    write_onnx(
        graph, (torch.zeros(2, 1, 16, 16),), folder / "predict.onnx", inputs=("image",), outputs=("probabilities",)
    )
    opened = Opened(artifact=Artifact(role="predict", format="onnx", file="predict.onnx"), folder=folder)
    images = np.random.default_rng(0).random((ROWS, 1, 16, 16), dtype=np.float32)
    targets = predict_all(get(Runtime, "onnxruntime").open(opened), {"image": images}).argmax(axis=1)
    trial = Trial(
        task=get(Task, "image-classification"),
        opened=opened,
        preprocessing={"height": 16, "width": 16, "channels": 1},
        calibration=[{"image": images[row : row + 1]} for row in range(20)],
        validation={"image": images},
        targets=targets,
    )
    signature = Signature(
        inputs=(TensorSpec(name="image", datatype="FP32", shape=(-1, 1, 16, 16)),),
        outputs=(TensorSpec(name="probabilities", datatype="FP32", shape=(-1, 4)),),
    )
    return Subject(
        trial=trial,
        family="convnet",
        signature=signature,
        labels=("a", "b", "c", "d"),
        data_fingerprint="of these",
        batch_sizes=(1, 32),
    )


def processes() -> set[int]:
    """Servers that this process runs now; other tests run some too."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == os.getpid() and b"serve" in words and any(b"certify-" in word for word in words):
                found.add(int(entry.name))
    return found


def test_a_search_ends_with_a_certificate_of_what_is_served(subject: Subject) -> None:
    within = ("accuracy_drop <= 50%", "size <= 100%", "latency_p99@1x2 <= 10s", "latency_p50 <= 500%")
    config = OptimizationConfig(budget=0.5, within=within)
    artifact, report = optimize(subject.trial, config, Silent(), certifier(subject, 3.0, Silent()))
    certificate = report.certificate
    assert certificate is not None
    assert certificate.served, certificate.notes
    assert (certificate.candidate, certificate.engine) == (report.chosen, artifact.runtime)
    assert [each.limit for each in certificate.promises[:4]] == list(within)
    verdicts = {each.limit: each.verdict for each in certificate.promises}
    assert verdicts["size <= 100%"] == verdicts["accuracy_drop <= 50%"] == "proven"
    assert not certificate.broken
    assert certificate.examples == ROWS
    assert {each.name for each in certificate.figures} >= {"latency_p99@1", "latency_p99@1x2", "throughput@1x2"}
    for each in certificate.figures:
        assert each.value > 0
        assert each.reference > 0
        assert each.bounds[0] is None or each.bounds[0] <= each.value
    assert certificate.requests >= 8
    assert certificate.instruction_set
    assert certificate.data_fingerprint == "of these"
    assert not processes()
    assert not list(subject.trial.opened.folder.parent.glob("certify-*"))


@pytest.fixture(scope="module")
def searched(subject: Subject) -> dict[str, tuple[Candidate, Artifact]]:
    """Candidates as the search measured them."""
    config = OptimizationConfig(budget=0.3, within=("accuracy_drop <= 100%",))
    _, report = optimize(subject.trial, config, Silent())
    found: dict[str, tuple[Candidate, Artifact]] = {}
    for each in report.candidates:
        if not each.excluded and each.engine == "onnxruntime" and each.precision in ("fp32", "int8"):
            file = "predict.onnx" if each.precision == "fp32" else "predict.int8.onnx"
            artifact = subject.trial.opened.artifact.model_copy(
                update={"runtime": "onnxruntime", "file": file, "precision": each.precision}
            )
            found[each.precision] = (each, artifact)
    return found


def tried(searched: dict[str, tuple[Candidate, Artifact]], precision: str, *within: str) -> Try:
    candidate, artifact = searched[precision]
    reference, plain = searched["fp32"]
    objective = parse_objective("latency_p99", within)
    return Try(
        objective=objective, candidate=candidate, reference=reference, artifact=artifact, reference_artifact=plain
    )


def test_answers_are_compared_as_they_are_served(
    subject: Subject, searched: dict[str, tuple[Candidate, Artifact]]
) -> None:
    """The drop is that of the served answers: with wrong targets both are wrong on the same examples."""
    trial = subject.trial
    session = get(Runtime, "onnxruntime").open(Opened(artifact=searched["int8"][1], folder=trial.opened.folder))
    own = float(np.mean(predict_all(session, trial.validation).argmax(axis=1) != trial.targets))
    found = certify(subject, tried(searched, "int8", "accuracy_drop <= 100%"), 1.0, Silent())
    (drop, *_) = found.promises
    assert drop.value == pytest.approx(own)
    assert drop.bound is not None
    assert drop.bound > drop.value
    assert drop.samples == ROWS


def test_what_breaks_is_not_served_and_fp32_is(
    subject: Subject, searched: dict[str, tuple[Candidate, Artifact]]
) -> None:
    """The certificate has the last word: certificates that break send the search to the next best, then to fp32."""
    asked: list[str] = []
    good = certify(subject, tried(searched, "fp32"), 0.5, Silent())

    def breaking(one: Try) -> Certificate:
        asked.append(one.candidate.name)
        broken = good.model_copy(update={"candidate": one.candidate.name, "promises": (BROKEN,)})
        return broken if one.candidate.name != one.reference.name else good

    config = OptimizationConfig(budget=0.3, minimize="size", within=())
    artifact, report = optimize(subject.trial, config, Silent(), breaking)
    assert report.chosen == report.reference == asked[-1]
    assert artifact.precision == "fp32"
    assert 2 <= len(asked) <= 4
    assert sum("is not served: as it was served it broke no slower" in note for note in report.notes) == len(asked) - 1
    with pytest.raises(Infeasible, match="no candidate keeps its promises when it is served"):
        optimize(subject.trial, config, Silent(), lambda one: good.model_copy(update={"promises": (BROKEN,)}))


def test_a_server_that_does_not_start_or_a_stop_leave_nothing(
    subject: Subject, searched: dict[str, tuple[Candidate, Artifact]], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped(Silent):
        """Cancelled at the first request."""

        def check(self) -> None:
            raise Cancelled

    with pytest.raises(Cancelled):
        certify(subject, tried(searched, "int8"), 1.0, Stopped())
    assert not processes()

    def refuses(*_: object) -> None:
        raise ServingError("the service did not start", "see why")

    monkeypatch.setattr("glassworks.certifying.served.start_service", refuses)
    found = certify(subject, tried(searched, "int8", "size <= 90%", "accuracy_drop <= 50%"), 1.0, Silent())
    assert not found.served
    assert found.notes == ("not measured as it is served: the service did not start",)
    assert [each.verdict for each in found.promises] == ["proven", "proven"]
    assert found.figures == ()
