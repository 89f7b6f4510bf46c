"""READ FIRST. The flow: data -> train -> optimize -> package -> registry -> serve -> explain.

What crosses from `release` to serving, explaining and evaluating is the bundle alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.catalog import get
from glassworks.certifying import search
from glassworks.comparison import evaluate as evaluate
from glassworks.config import Job, OptimizationConfig, validate
from glassworks.contracts import (
    Dataset,
    Explanation,
    Family,
    Lineage,
    Measurement,
    Model,
    Opened,
    Progress,
    Task,
)
from glassworks.errors import ConfigError
from glassworks.explanation.selection import explainers_of
from glassworks.job_files import stored_job
from glassworks.optimization.objective import require_objective
from glassworks.optimization.report import OptimizationReport
from glassworks.optimization.search import first_runtime
from glassworks.packaging.assemble import assemble, files_of
from glassworks.packaging.beside import measured_beside
from glassworks.packaging.bundle import Bundle
from glassworks.packaging.deciding import deciding, require_costs
from glassworks.packaging.exported import export, exported_of, passes_of, refitted, rehearse, trial_of, with_reference
from glassworks.packaging.opened import OpenedBundle
from glassworks.packaging.parts import Measured, Parts
from glassworks.progress import Silent
from glassworks.references import answered_by_registry, family_of, taught_by_registry, upon_encoder
from glassworks.registry import Registry, Version
from glassworks.registry.opening import keep_feedback, open_model
from glassworks.storage import linked
from glassworks.training.runs import forget_run, open_run

if TYPE_CHECKING:
    from glassworks.contracts import Array


_KNOWN = "the model has learned from the validation split since it was measured: metrics here compare candidates only"


@dataclass(frozen=True, kw_only=True)
class Release:
    """The results of one pass through the flow, stage by stage."""

    dataset: Dataset
    model: Model
    report: OptimizationReport | None
    bundle: Bundle
    version: Version


def release(
    job: Job, registry: Registry | None = None, progress: Progress | None = None, *, fresh: bool = False
) -> Release:
    """data -> train -> optimize -> package -> registry. An interrupted release goes on where it stopped.

    `fresh` forgets what an interrupted one left. Raises what the stages raise; nothing half-made is published.
    Here and below, the registry is this machine's and progress is silent unless they are given.
    """
    registry, progress = registry or Registry.open(), progress or Silent()
    job, family = family_of(job, registry)
    _require_possible(family, job)
    plain = _prepare(family, job, progress)
    job, family = upon_encoder(job, family, plain, registry, lambda each: release(each, registry, progress).version)
    job, dataset = taught_by_registry(job, plain, registry, progress)
    with open_run(registry.home, job, dataset.fingerprint, fresh=fresh) as run:
        task = get(Task, family.task)
        require_costs(task, plain, job)
        constant = task.constant(plain)
        measured = () if task.compared_by else next(iter(constant.values()), ())  # else models have more metrics
        require_objective(job.optimization, measured, type(task))
        baseline = _baseline(task, plain, progress)
        rehearse(family, job, run, progress)
        model = family.train(dataset, job, run, progress)
        model = measured_beside(family, job, dataset, model, run / "beside", progress)
        parts = _built(job, family, dataset, model, _empty(run / "build"), progress)
        parts = replace(parts, baseline=baseline, comparison={**constant, **model.comparison})
        parts = refitted(parts, model, _empty(run / "whole"), progress)
        bundle, version = _publish(parts, run, registry, progress)
        forget_run(run)
    return Release(dataset=dataset, model=model, report=parts.report, bundle=bundle, version=version)


def _built(job: Job, family: Family, dataset: Dataset, model: Model, folder: Path, progress: Progress) -> Parts:
    """Export the model, and search for the artifact to serve."""
    task = get(Task, family.task)
    exported, compiled = export(family, model, folder, progress)
    model = deciding(task, Opened(artifact=exported, folder=folder), dataset, model, job)
    served, report = first_runtime(exported, job.optimization.threads), None
    if job.optimization.enabled:
        trial = trial_of(task, Opened(artifact=exported, folder=folder), dataset, model.preprocessing, job)
        served, report = search(trial, family.name, model.signature, dataset, job.optimization, progress)
    return Parts(
        job=job,
        family=family,
        task=task,
        dataset=dataset,
        folder=folder,
        artifacts=with_reference(served, exported, compiled),
        signature=model.signature,
        preprocessing=model.preprocessing,
        report=report,
        lineage=Lineage(
            run=model.run, data=job.data.source, passes=passes_of(served), weights_sha256=model.weights_sha256
        ),
    )


def train(
    job: Job, registry: Registry | None = None, progress: Progress | None = None, *, fresh: bool = False
) -> Release:
    """A release without the search: served in fp32 as trained, until it is optimized."""
    plain = job.optimization.model_copy(update={"enabled": False})
    return release(job.model_copy(update={"optimization": plain}), registry, progress, fresh=fresh)


def prepare(job: Job, progress: Progress | None = None, registry: Registry | None = None) -> Dataset:
    """Read, check and split the job's data."""
    job, family = family_of(job, registry or Registry.open())
    _require_possible(family, job)
    return _prepare(family, job, progress or Silent())


def optimize(
    reference: str,
    objective: Mapping[str, Any],
    registry: Registry | None = None,
    progress: Progress | None = None,
) -> tuple[OptimizationReport, Version]:
    """Search again for the artifact to serve, under another objective; the result is a new version.

    `objective` overrides keys of the job's `[optimization]` table.
    """
    registry, progress = registry or Registry.open(), progress or Silent()
    resolved = registry.resolve(reference)
    manifest = resolved.bundle.manifest
    job = stored_job(manifest.job, where=f"the job of {reference}")
    goal = dict.fromkeys(("minimize", "maximize")) if {"minimize", "maximize"} & objective.keys() else {}
    table = {**job.optimization.model_dump(), **goal, **objective, "enabled": True}
    job = job.model_copy(update={"optimization": validate(OptimizationConfig, table, where="optimize")})
    require_objective(job.optimization, manifest.metrics, type(get(Task, manifest.task)))
    job, family = family_of(job, registry)
    dataset = answered_by_registry(job, _prepare(family, job, progress), registry, progress)
    work = _empty(registry.home / "runs" / f"optimize-{resolved.bundle.sha256[:12]}")
    try:
        parts, report = _searched_again(job, family, dataset, resolved.bundle, work, progress)
        lineage = parts.lineage.model_copy(update={"parent": reference})
        _, version = _publish(replace(parts, lineage=lineage), work, registry, progress, resolved.pinned(""))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return report, version


def _searched_again(
    job: Job, family: Family, dataset: Dataset, bundle: Bundle, folder: Path, progress: Progress
) -> tuple[Parts, OptimizationReport]:
    """Search for the artifact to serve among candidates made from the exported one in a bundle."""
    manifest, task = bundle.manifest, get(Task, family.task)
    for name in files_of(manifest.artifacts):
        linked(bundle.folder / name, folder / name)
    exported, compiled = exported_of(manifest.artifacts)
    trial = trial_of(task, Opened(artifact=exported, folder=folder), dataset, manifest.preprocessing, job)
    served, report = search(trial, family.name, manifest.signature, dataset, job.optimization, progress, asked=True)
    if manifest.refitted:
        report = report.model_copy(update={"notes": (*report.notes, _KNOWN)})
    parts = Parts(
        job=job,
        family=family,
        task=task,
        dataset=dataset,
        folder=folder,
        artifacts=with_reference(served, exported, compiled),
        signature=manifest.signature,
        preprocessing=manifest.preprocessing,
        report=report,
        lineage=manifest.lineage.model_copy(update={"passes": passes_of(served)}),
        baseline=manifest.baseline,
        comparison={**task.constant(dataset), **manifest.comparison},
    )
    if manifest.refitted:  # what learned from the test split cannot be measured on it again
        known = Measured(metrics=manifest.metrics, classes=manifest.classes, fidelity=manifest.fidelity)
        parts = replace(parts, measured=known, refitted=True)
    return parts, report


def predict(
    reference: str, value: bytes | str | Callable[[bool], bytes], registry: Registry | None = None
) -> list[dict[str, Any]]:
    """The answers of a model for one input file or text, in JSON's types.

    `value` may be a function that reads the input; its argument says whether the input itself may stand for a path.
    """
    opened = open_model(reference, registry or Registry.open())
    given = value(opened.task.literal) if callable(value) else value
    return opened.task.answer(opened.predict(opened.read(given)), opened.manifest.labels)


def watch(
    reference: str,
    source: str,
    output: Path | None = None,
    registry: Registry | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Answer every frame of a video or a camera, and write them as a video; the counts and the answer for all.

    `options` are those of `packaging.video.watch`: smoothing, limit, on_answer.
    """
    from glassworks.packaging.video import watch as watched

    opened = OpenedBundle((registry or Registry.open()).resolve(reference).bundle)
    return watched(opened, source, output, progress or Silent(), **options)


def explain(
    reference: str, value: bytes | str, registry: Registry | None = None, **options: Any
) -> tuple[Explanation, Array]:
    """The explanation of a model's answer for one input file or text, and the stored example it explains.

    `options` are those of `OpenedBundle.explain`: method, target, baseline, budget, seed; of a language model others
    too, see `language.attribution.asking`: parts, answer, against, span, messages and more.
    """
    opened = open_model(reference, registry or Registry.open())
    example = opened.read(value)
    return opened.explain(example, **opened.explaining(example[0], options)), example[0]


def feedback(
    reference: str, events: Sequence[Mapping[str, Any]], registry: Registry | None = None
) -> Mapping[str, int]:
    """Send a recommender what users did, each event once by its `id`; every later answer uses it, a service's too."""
    return keep_feedback(reference, events, registry or Registry.open())


def _require_possible(family: Family, job: Job) -> None:
    """Raise ConfigError for a job that cannot work. Not asked of the jobs in older bundles."""
    require_objective(job.optimization, task=type(get(Task, family.task)))
    method, methods = job.explanation.method, explainers_of(family)
    if method not in (None, *methods):
        given = f"job '{job.name}': 'explanation.method' is '{method}', which {job.family} does not have"
        raise ConfigError(given, f"leave it out, or write one of: {', '.join(methods) or 'none'}")


def _prepare(family: Family, job: Job, progress: Progress) -> Dataset:
    progress.start("data")
    dataset = family.prepare(job)
    kinds = f" of {len(dataset.classes)} classes" if dataset.classes else ""
    progress.finish(f"{dataset.examples} examples{kinds}")
    return dataset


def _baseline(task: Task, dataset: Dataset, progress: Progress) -> dict[str, Measurement]:
    """Measured before training: a missing library costs no trained model then."""
    progress.start("baseline")
    found = task.baseline(dataset)
    if found:
        metric = task.compared_by or task.metric
        progress.finish(f"{metric} {found[metric].value:.4f} on the test split")
    return found


def _publish(
    parts: Parts, work: Path, registry: Registry, progress: Progress, parent: str = ""
) -> tuple[Bundle, Version]:
    progress.start("package")
    assembled = assemble(parts, _empty(work / "bundle"))
    version = registry.publish(assembled, parent)
    progress.finish(version.reference)
    return registry.resolve(version.reference).bundle, version


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
