"""A trained model as files: what predicts, what explains, and what is kept beside what is served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from glassworks.catalog import get
from glassworks.config import Job
from glassworks.contracts import Artifact, Dataset, Explainer, Family, Model, Opened, Progress, Task
from glassworks.contracts.step import AND
from glassworks.errors import Unsupported
from glassworks.explanation.selection import explainers_of
from glassworks.optimization.report import OptimizationReport
from glassworks.optimization.search import Trial, calibrating, first_runtime
from glassworks.packaging.assemble import completed
from glassworks.packaging.parts import Parts


def export(family: Family, model: Model, folder: Path, progress: Progress) -> tuple[Artifact, tuple[Artifact, ...]]:
    """The fp32 predict artifact and those of explainers, each in the engine that runs it fastest."""
    from glassworks.explanation.compile import compile_explanations

    progress.start("export")
    exported = family.export(model, folder)
    compiled = family.explanations(model, folder)
    asked, without = {get(Explainer, name).role for name in explainers_of(family)}, ""
    if asked - {"predict"} and not any(artifact.role == "gradient" for artifact in compiled):
        try:
            compiled = (*compiled, *compile_explanations(family.differentiable(model), folder))
        except Exception as error:
            # A graph of somebody else may hold what the compiler does not know; of networks trained here it knows all.
            if "learn" not in family.unsupported and not isinstance(error, Unsupported):
                raise
            without = f"; without gradients: {' '.join(str(error).split())[:200]}"
    progress.finish(f"{', '.join(artifact.role for artifact in (exported, *compiled))} graphs{without}")
    return exported, compiled


def rehearse(family: Family, job: Job, folder: Path, progress: Progress) -> None:
    """Have the family try, before training, what comes after it, with the same export. Raises Unsupported."""

    def exported(model: Model, work: Path) -> tuple[Artifact, ...]:
        predict, others = export(family, model, work, Progress())
        return (predict, *others)

    family.rehearse(job, folder, progress, exported)


def trial_of(task: Task, exported: Opened, dataset: Dataset, preprocessing: Mapping[str, Any], job: Job) -> Trial:
    """What the search needs: calibration rows of the training split and the whole validation split."""
    validation = dataset.splits["validation"]
    return Trial(
        task=task,
        opened=exported,
        preprocessing=preprocessing,
        calibration=task.calibration(calibrating(dataset.splits["train"].x), exported, preprocessing),
        validation=task.encode(validation.x, preprocessing),
        targets=validation.y,
        balanced=bool(dataset.classes) and (job.training.class_weights == "balanced" or bool(job.decision.costs)),
    )


def with_reference(served: Artifact, exported: Artifact, compiled: tuple[Artifact, ...]) -> tuple[Artifact, ...]:
    """What is served, and the exported artifact as `reference` where that is another: exports, searches and comparison
    need it. For bfloat16 both are one file with two records.
    """
    if served.precision == "fp32" and served.file == exported.file:
        return (served, *compiled)
    return (served, first_runtime(exported, served.threads).model_copy(update={"role": "reference"}), *compiled)


def exported_of(artifacts: tuple[Artifact, ...]) -> tuple[Artifact, tuple[Artifact, ...]]:
    """The inverse of `with_reference`: what was exported, and the artifacts of explainers."""
    roles = {artifact.role: artifact for artifact in artifacts}
    exported = roles.get("reference", roles["predict"]).model_copy(update={"role": "predict", "runtime": ""})
    return exported, tuple(roles[role] for role in roles if role not in ("predict", "reference"))


def passes_of(served: Artifact) -> tuple[str, ...]:
    """The passes that made an artifact, with what was chosen for them."""
    return () if served.made_by in ("", "export") else tuple(served.made_by.split(AND))


def refitted(parts: Parts, model: Model, folder: Path, progress: Progress) -> Parts:
    """The parts with the model fitted on everything, where its family does that; figures measured before stay."""
    progress.start("measure")
    parts, measured = completed(parts)
    metric = parts.task.metric
    progress.finish(f"{metric} {measured.metrics[metric].value:.4f} on the test split")
    whole = parts.family.refit(model, parts.dataset, parts.job, progress)
    if whole is None:
        return parts
    exported, compiled = export(parts.family, whole, folder, progress)
    (served,) = [artifact for artifact in parts.artifacts if artifact.role == "predict"]
    engine = {"runtime": served.runtime, "threads": served.threads}
    return replace(
        parts,
        folder=folder,
        artifacts=(exported.model_copy(update=engine), *compiled),
        preprocessing=whole.preprocessing,
        report=_before_the_last_fit(parts.report),
        lineage=parts.lineage.model_copy(update={"weights_sha256": whole.weights_sha256}),
        refitted=True,
    )


def _before_the_last_fit(report: OptimizationReport | None) -> OptimizationReport | None:
    """A certificate is of weights; those of a model that learned from everything afterwards are others."""
    if report is None or report.certificate is None:
        return report
    notes = (
        *report.certificate.notes,
        "measured before the last fit: what is served has learned from everything since",
    )
    return report.model_copy(update={"certificate": report.certificate.model_copy(update={"notes": notes})})
