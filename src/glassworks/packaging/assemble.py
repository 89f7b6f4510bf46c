"""Puts a bundle together: artifacts, report, measured fidelity, sample requests, card and manifest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.catalog import get
from glassworks.config import Job
from glassworks.contracts import Artifact, Dataset, Family, Lineage, Opened, Runtime, Session, Task
from glassworks.optimization.measure import predict_all
from glassworks.optimization.report import OptimizationReport
from glassworks.packaging.bundle import Bundle, write_bundle
from glassworks.packaging.card import write_card
from glassworks.packaging.fidelity import measure_fidelity
from glassworks.packaging.machine import instruction_set
from glassworks.packaging.manifest import Manifest

if TYPE_CHECKING:
    from glassworks.contracts import Array, Signature

_SAMPLES = 3
_LIBRARIES = ("glassworks", "numpy", "onnxruntime", "openvino", "torch", "onnx", "nncf")


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a bundle is made of. `folder` holds the files of all `artifacts`.

    `artifacts` are `predict` as it is served, `reference` where that is another file, and those of explainers.
    """

    job: Job
    family: Family
    task: Task
    dataset: Dataset
    folder: Path
    artifacts: tuple[Artifact, ...]
    signature: Signature
    preprocessing: Mapping[str, Any]
    report: OptimizationReport | None
    lineage: Lineage


def assemble(parts: Parts, folder: Path) -> Bundle:
    """Write the bundle into the empty `folder`. The metrics are of the served artifact on the test split."""
    for artifact in parts.artifacts:
        shutil.copyfile(parts.folder / artifact.file, folder / artifact.file)
    session = _open(parts, "predict")
    test = parts.dataset.splits["test"]
    tensors = parts.task.encode(test.x, parts.preprocessing)
    probabilities = predict_all(session, tensors)
    samples = _samples(parts, tensors, session)
    _write_json(folder / "samples.json", samples)
    if parts.report:
        _write_json(folder / "optimization.json", parts.report.model_dump(mode="json"))
    manifest = Manifest(
        name=parts.job.name,
        task=parts.task.name,
        family=parts.family.name,
        signature=parts.signature,
        labels=parts.dataset.classes,
        preprocessing=dict(parts.preprocessing),
        artifacts=parts.artifacts,
        explainers=_explainers(parts),
        metrics=parts.task.measure(probabilities, test.y),
        fidelity=measure_fidelity(parts.task, parts.dataset, parts.preprocessing, lambda role: _open(parts, role)),
        data_fingerprint=parts.dataset.fingerprint,
        lineage=parts.lineage,
        job=parts.job.model_dump(mode="json"),
        libraries=_libraries(),
        isa=instruction_set(),
        license=parts.job.license,
    )
    report = parts.report
    card = write_card(
        manifest, report.candidates if report else (), report.chosen if report else "", parts.dataset.findings
    )
    (folder / "card.md").write_text(card, encoding="utf-8")
    return write_bundle(folder, manifest)


def _open(parts: Parts, role: str) -> Session:
    artifact = next((a for a in parts.artifacts if a.role == role), None)
    artifact = artifact or next(a for a in parts.artifacts if a.role == "predict")
    return get(Runtime, artifact.runtime).open(Opened(artifact=artifact, folder=parts.folder))


def _explainers(parts: Parts) -> tuple[str, ...]:
    """The family's methods whose artifact is in the bundle."""
    from glassworks.contracts import Explainer

    roles = {artifact.role for artifact in parts.artifacts}
    return tuple(name for name in parts.family.explainers if get(Explainer, name).role in roles)


def _samples(parts: Parts, tensors: Mapping[str, Array], session: Session) -> list[dict[str, Any]]:
    """Requests in the protocol's JSON with the answers that this machine gave."""
    samples = []
    for row in range(min(_SAMPLES, len(parts.dataset.splits["test"]))):
        inputs = {name: values[row : row + 1] for name, values in tensors.items()}
        answer = session.run(inputs)
        samples.append({"inputs": _tensors(inputs), "outputs": _tensors(answer)})
    return samples


def _tensors(tensors: Mapping[str, Array]) -> Sequence[dict[str, Any]]:
    return [
        {"name": name, "shape": list(values.shape), "datatype": "FP32", "data": values.ravel().tolist()}
        for name, values in tensors.items()
    ]


def _libraries() -> dict[str, str]:
    """Versions of what made the bundle, as far as it is installed."""
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
