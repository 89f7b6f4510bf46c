"""Puts a bundle together: artifacts, report, measured fidelity, sample requests, card and manifest."""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.catalog import get
from glassworks.contracts import Artifact, Explainer, Generation, Session
from glassworks.errors import InputError
from glassworks.explanation.selection import explainers_of
from glassworks.optimization.measure import predict_all
from glassworks.packaging.bundle import Bundle, write_bundle
from glassworks.packaging.card import write_card
from glassworks.packaging.certified import CERTIFICATE_FILE
from glassworks.packaging.comparison import comparison_metric, warnings_of
from glassworks.packaging.fidelity import measure_fidelity
from glassworks.packaging.machine import instruction_set
from glassworks.packaging.manifest import Manifest
from glassworks.packaging.parts import Measured, Parts
from glassworks.packaging.sessions import Sessions
from glassworks.storage import linked

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors

_SAMPLES = 3
_LIBRARIES = ("glassworks", "numpy", "opencv-python-headless", "onnxruntime", "openvino", "torch", "onnx", "nncf")


def measure(parts: Parts, sessions: Sessions) -> Measured:
    """Metrics and fidelity of the artifacts as they are."""
    test = parts.dataset.splits["test"]
    tensors = parts.task.encode(test.x, parts.preprocessing)
    ask = functools.cache(partial(predict_all, sessions("predict"), tensors))
    return Measured(
        metrics=parts.task.evaluate(ask, test.y, parts.preprocessing),
        classes=parts.task.by_class(ask, test.y, parts.dataset.classes, parts.preprocessing),
        fidelity=measure_fidelity(parts, sessions),
    )


def completed(parts: Parts) -> tuple[Parts, Measured]:
    """With what is known of the artifacts only now that they are chosen, and measured."""
    with Sessions(parts) as sessions:
        if isinstance(parts.task, Generation):
            splits, folder = parts.dataset.splits, parts.folder
            known, files = parts.task.complete(sessions("predict"), splits, folder, parts.preprocessing)
            served = next(artifact for artifact in parts.artifacts if artifact.role == "predict")
            beside = tuple(dict.fromkeys((*served.beside, *files)))
            others = (artifact for artifact in parts.artifacts if artifact is not served)
            artifacts = (served.model_copy(update={"beside": beside}), *others)
            parts = replace(parts, preprocessing=known, artifacts=artifacts)
            sessions.completed(parts)
        measured = measure(parts, sessions)
    return replace(parts, measured=measured), measured


def assemble(parts: Parts, folder: Path) -> Bundle:
    """Write the bundle into the empty `folder`; completes first what was not measured yet."""
    measured = parts.measured
    if measured is None:
        parts, measured = completed(parts)
    for name in files_of(parts.artifacts):
        linked(parts.folder / name, folder / name)
    with Sessions(parts) as sessions:
        _write_json(folder / "samples.json", _samples(parts, sessions("predict")))
    manifest = _manifest(parts, measured)
    report = parts.report
    if report:
        _write_json(folder / "optimization.json", report.model_dump(mode="json", exclude={"certificate"}))
        if report.certificate:
            _write_json(folder / CERTIFICATE_FILE, report.certificate.model_dump(mode="json"))
    searched = (report.candidates, report.chosen, report.reference) if report else ((), "", "")
    certificate = report.certificate if report else None
    card = write_card(manifest, *searched[:2], parts.dataset.findings, searched[2], certificate)
    (folder / "card.md").write_text(card, encoding="utf-8")
    return write_bundle(folder, manifest)


def _manifest(parts: Parts, measured: Measured) -> Manifest:
    manifest = Manifest(
        name=parts.job.name,
        task=parts.task.name,
        family=parts.family.name,
        signature=parts.signature,
        labels=parts.dataset.classes,
        preprocessing=dict(parts.preprocessing),
        artifacts=parts.artifacts,
        explainers=_explainers(parts),
        metrics=dict(measured.metrics),
        classes=measured.classes,
        refitted=parts.refitted,
        baseline=dict(parts.baseline),
        comparison={name: dict(metrics) for name, metrics in parts.comparison.items()},
        fidelity=dict(measured.fidelity),
        data_fingerprint=parts.dataset.fingerprint,
        lineage=parts.lineage,
        job=parts.job.model_dump(mode="json"),
        libraries=_libraries(),
        isa=instruction_set(),
        license=_license(parts),
    )
    metric = comparison_metric(manifest, parts.task.guard(parts.dataset.splits["test"].y))
    return manifest.model_copy(update={"warnings": tuple(warnings_of(manifest, metric))})


def _license(parts: Parts) -> str:
    """The job's, or else what a model that was brought says of itself."""
    said = parts.job.license
    return str(parts.preprocessing.get("license", said)) if said == "unspecified" else said


def files_of(artifacts: Sequence[Artifact]) -> tuple[str, ...]:
    """The files of artifacts and those beside them, each once."""
    return tuple(dict.fromkeys(name for artifact in artifacts for name in (artifact.file, *artifact.beside)))


def _explainers(parts: Parts) -> tuple[str, ...]:
    """The family's methods whose artifact is in the bundle."""
    roles = {artifact.role for artifact in parts.artifacts}
    return tuple(name for name in explainers_of(parts.family) if get(Explainer, name).role in roles)


def _samples(parts: Parts, session: Session) -> list[dict[str, Any]]:
    """Requests in the protocol's JSON with the answers that this machine gave."""
    samples = []
    test = parts.dataset.splits["test"]
    x = test.x
    for row in varied_rows(test.y, min(_SAMPLES, len(x))):
        inputs, answer = _asked(parts, session, x[row : row + 1])
        samples.append({"inputs": _tensors(inputs), "outputs": _tensors(answer), **_asking(parts)})
    return samples


def varied_rows(y: Array, count: int) -> list[int]:
    """The first row of each class, then further ones, in their order; for answers without classes the first rows."""
    firsts: dict[tuple[Any, ...], int] = {}
    if y.ndim <= 2:
        for row in range(len(y)):
            firsts.setdefault(tuple(np.ravel(y[row]).tolist()), row)
            if len(firsts) == count:
                break
    chosen = list(firsts.values())[:count]
    others = (row for row in range(len(y)) if row not in chosen)
    return sorted([*chosen, *itertools.islice(others, count - len(chosen))])


def _asking(parts: Parts) -> dict[str, Any]:
    """What else a sample request says: the answers of a model that writes are short."""
    if not isinstance(parts.task, Generation):
        return {}
    return {"parameters": {"max_tokens": parts.task.unlimited(parts.preprocessing)["max_tokens"]}}


def _asked(parts: Parts, session: Session, x: Array) -> tuple[Tensors, Tensors]:
    """A small request where the model allows it, such as a corner of a picture."""
    small = parts.task.encode(parts.task.small(x), parts.preprocessing)
    try:
        return small, session.run(small)
    except InputError:
        whole = parts.task.encode(x, parts.preprocessing)
        return whole, session.run(whole)


def _tensors(tensors: Mapping[str, Array]) -> Sequence[dict[str, Any]]:
    return [
        {"name": name, "shape": list(values.shape), "datatype": _datatype(values), "data": _data(values)}
        for name, values in tensors.items()
    ]


def _datatype(values: Array) -> str:
    bits = 8 * values.dtype.itemsize
    names = {"O": "BYTES", "b": "BOOL", "u": f"UINT{bits}", "i": f"INT{bits}"}
    return names.get(values.dtype.kind, f"FP{bits}")


def _data(values: Array) -> list[Any]:
    flat: list[Any] = values.ravel().tolist()
    return [value.decode("utf-8") if isinstance(value, bytes) else value for value in flat]


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
