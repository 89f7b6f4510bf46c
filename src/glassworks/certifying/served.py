"""From a candidate to its certificate: serve it beside the reference, ask both, judge."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from glassworks.certifying.turns import OURS, THEIRS, Answers, answer_both, time_both
from glassworks.config import ServingConfig
from glassworks.contracts import Artifact, Generation, Load, Progress, Signature
from glassworks.errors import ServingError, StorageError
from glassworks.optimization.candidates import Trial
from glassworks.optimization.certificate.evidence import Evidence, Pair, is_timed
from glassworks.optimization.certificate.judging import figures, judge
from glassworks.optimization.certificate.record import Certificate
from glassworks.optimization.settling import Certify, Try
from glassworks.optimization.terms import Objective
from glassworks.packaging.bundle import write_bundle
from glassworks.packaging.machine import instruction_set, processor
from glassworks.packaging.manifest import Manifest
from glassworks.serving.process import Service, start_service
from glassworks.storage import linked

_ANSWERING = 0.3
"""Share of the time for answers that are compared; the rest is for requests that are timed."""
_LIBRARIES = ("glassworks", "numpy", "onnxruntime", "openvino", "openvino-genai")


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is served and asked: the model as its manifest will have it, and the held-out examples of the search."""

    trial: Trial
    family: str
    signature: Signature
    labels: tuple[str, ...]
    data_fingerprint: str
    batch_sizes: tuple[int, ...]


def certifier(subject: Subject, limit_s: float, progress: Progress) -> Certify:
    """Certifies one candidate after the other, each within `limit_s` beside the start of the server."""

    def certified(tried: Try) -> Certificate:
        return certify(subject, tried, limit_s, progress)

    return certified


def certify(subject: Subject, tried: Try, limit_s: float, progress: Progress) -> Certificate:
    """The certificate of a candidate. Models that write text have that of what the search measured.

    A server that cannot be started or asked is no fault of the model: then too, and it says so. Raises Cancelled.
    """
    start = time.perf_counter()
    progress.start("optimize: certify")
    evidence, notes = _searched(tried), list[str]()
    served = not isinstance(subject.trial.task, Generation)
    if served:
        try:
            evidence, notes = _served(subject, tried, limit_s, progress)
        except (ServingError, StorageError) as error:
            served, notes = False, [f"not measured as it is served: {error.problem}"]
    return _written(subject, tried, evidence, notes, served=served, seconds=time.perf_counter() - start)


def _searched(tried: Try) -> Evidence:
    same = tried.candidate.name == tried.reference.name
    return Evidence(candidate=tried.candidate, reference=tried.reference, same=same)


def _served(subject: Subject, tried: Try, limit_s: float, progress: Progress) -> tuple[Evidence, list[str]]:
    """What both answered and took. Raises ServingError, StorageError and Cancelled."""
    trial, plain = subject.trial, _searched(tried)
    with _serving(subject, tried) as service:
        answers = answer_both(service.url, trial.validation, _ANSWERING * limit_s, progress)
        loads = _loads(tried.objective, subject.batch_sizes)
        share = (1 - _ANSWERING) * limit_s / len(loads)
        pairs = {load: time_both(service.url, trial.validation, load, share, progress) for load in loads}
    notes = [note for load, pair in pairs.items() if (note := _cut_short(load, pair, limit_s))]
    total = len(trial.targets)
    if len(answers.rows) < total:
        notes.append(f"{len(answers.rows):,} of {total:,} held-out examples were answered in time, or at all")
    return _evidence(trial, plain, answers, pairs), notes


def _evidence(trial: Trial, plain: Evidence, answers: Answers, pairs: Mapping[Load, Pair]) -> Evidence:
    """Metrics and their examples from the served answers, both models on the same ones."""
    timed = replace(plain, pairs=pairs)
    if not len(answers.rows):
        return timed
    targets = trial.targets[answers.rows]
    asking = [answers.ask(outputs) for outputs in (answers.ours, answers.theirs)]
    try:
        metrics = [trial.task.evaluate(ask, targets, trial.preprocessing) for ask in asking]
        scores = [trial.task.each(ask, targets, trial.preprocessing) for ask in asking]
    except ServingError:  # a metric that needs more than callers get: it is as the search measured it
        return timed
    return replace(
        timed,
        examples=len(targets),
        metrics={name: (metrics[0][name], metrics[1][name]) for name in metrics[0].keys() & metrics[1].keys()},
        scores={name: (scores[0][name], scores[1][name]) for name in scores[0].keys() & scores[1].keys()},
    )


def _loads(objective: Objective, batch_sizes: tuple[int, ...]) -> list[Load]:
    """Those that the objective names, the goal's first; without any, the smallest batch of one caller."""
    found: list[Load] = []
    for term in objective.terms:
        if not is_timed(term.name):
            continue
        largest = term.quantity is not None and term.quantity.largest
        found.append(term.load or Load((max if largest else min)(batch_sizes)))
    return list(dict.fromkeys(found)) or [Load(min(batch_sizes))]


def _cut_short(load: Load, pair: Pair, limit_s: float) -> str:
    from glassworks.certifying.turns import REQUESTS

    reached = min(len(pair.ours.seconds), len(pair.theirs.seconds))
    if reached >= REQUESTS:
        return ""
    return f"at load {load} {reached:,} of {REQUESTS:,} requests to each were sent in the time that there was"


@contextmanager
def _serving(subject: Subject, tried: Try) -> Iterator[Service]:
    """Both models on a server of their own, on any free port of this machine; ended with the block, whatever happens.

    Raises ServingError and StorageError.
    """
    config = ServingConfig(host="127.0.0.1", port=0, grpc=False, keys="off", workers=0)
    # Beside the artifacts, so that files can be linked and need not be copied.
    with tempfile.TemporaryDirectory(prefix="certify-", dir=subject.trial.opened.folder.parent) as folder:
        home = Path(folder)
        for name, artifact in ((OURS, tried.artifact), (THEIRS, tried.reference_artifact)):
            _bundle(subject, artifact, name, home / name)
        environment = {"GLASSWORKS_HOME": str(home / "home")}
        service = start_service([str(home / OURS), str(home / THEIRS)], config, environment)
        with service.kept():
            yield service


def _bundle(subject: Subject, artifact: Artifact, name: str, folder: Path) -> None:
    """The least that can be served."""
    folder.mkdir()
    for file in dict.fromkeys((artifact.file, *artifact.beside)):
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        linked(subject.trial.opened.folder / file, target)
    manifest = Manifest(
        name=name,
        task=subject.trial.task.name,
        family=subject.family,
        signature=subject.signature,
        labels=subject.labels,
        preprocessing=dict(subject.trial.preprocessing),
        artifacts=(artifact,),
    )
    write_bundle(folder, manifest)


def _written(
    subject: Subject, tried: Try, evidence: Evidence, notes: list[str], *, served: bool, seconds: float
) -> Certificate:
    objective = tried.objective
    return Certificate(
        candidate=tried.candidate.name,
        reference=tried.reference.name,
        goal=f"{'maximize' if objective.maximize else 'minimize'} {objective.goal}",
        promises=judge(objective, evidence),
        figures=figures(evidence),
        served=served,
        requests=sum(len(each.seconds) for pair in evidence.pairs.values() for each in (pair.ours, pair.theirs)),
        examples=evidence.examples or len(subject.trial.targets),
        seconds=seconds,
        instruction_set=instruction_set(),
        processor=processor(),
        engine=tried.artifact.runtime,
        precision=tried.artifact.precision,
        threads=tried.artifact.threads,
        libraries=_libraries(),
        data_fingerprint=subject.data_fingerprint,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        notes=tuple(notes),
    )


def _libraries() -> dict[str, str]:
    found: dict[str, Any] = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
