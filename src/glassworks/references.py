"""The registered models that a job names: its base model, and its teacher."""

from __future__ import annotations

from glassworks.catalog import get
from glassworks.config import Job
from glassworks.contracts import EMBEDDING, Dataset, Family, Progress
from glassworks.errors import ConfigError, Unsupported
from glassworks.job_files import stored_job
from glassworks.packaging.embedding import PackagedEmbedder
from glassworks.packaging.kept_rows import KeptRows
from glassworks.packaging.kept_vectors import KeptVectors
from glassworks.packaging.opened import OpenedBundle
from glassworks.registry.registry import Registry


def family_of(job: Job, registry: Registry) -> tuple[Job, Family]:
    """The job's family upon the model that `model.embedding` names, if it does; the job then names that very version.

    Raises ConfigError, and what `resolve` raises.
    """
    family = get(Family, job.family)
    if EMBEDDING not in family.config.model_fields:
        return job, family
    named = getattr(family.settings(job), EMBEDDING)
    if not named:
        return job, family
    resolved = registry.resolve(named)
    pinned = resolved.pinned(named)
    job = job.model_copy(update={"model": {**job.model, EMBEDDING: pinned}})
    kept, rows = KeptVectors(registry.home / "vectors"), KeptRows(registry.home / "vectors" / "rows.sqlite")
    return job, family.upon(PackagedEmbedder(OpenedBundle(resolved.bundle), pinned, kept, rows))


def taught_by_registry(job: Job, dataset: Dataset, registry: Registry, progress: Progress) -> tuple[Job, Dataset]:
    """With the teacher's probabilities where the job names one; the job then names that very version."""
    if not job.training.teacher:
        return job, dataset
    family = get(Family, job.family)
    if reason := family.unsupported.get("distill"):
        raise Unsupported(f"training.teacher: {reason}", "leave training.teacher out")
    from glassworks.data.text.dataset import further_texts
    from glassworks.training.distillation import balanced, taught

    resolved = registry.resolve(job.training.teacher)
    teacher = OpenedBundle(resolved.bundle, limited=False)
    if teacher.task.name != family.task:
        raise ConfigError(
            f"the teacher '{job.training.teacher}' is for {teacher.manifest.task}, the job for {family.task}",
            "name a teacher of the same task: training.teacher",
        )
    progress.start("teacher")
    more = further_texts(job, dataset) if job.training.teacher_texts == "all" else ()
    theirs = stored_job(teacher.manifest.job, where=f"the job of {job.training.teacher}")
    dataset = taught(dataset, teacher.probabilities, teacher.manifest.labels, more, _same_split(job, theirs))
    if job.training.class_weights == "balanced" != theirs.training.class_weights:
        dataset = balanced(dataset)
    teacher.close()
    progress.finish(f"{len(dataset.splits['train'])} examples labeled by {job.training.teacher}")
    named = {"teacher": resolved.pinned(job.training.teacher)}
    return job.model_copy(update={"training": job.training.model_copy(update=named)}), dataset


def _same_split(job: Job, theirs: Job) -> tuple[str, ...]:
    """A teacher that learned from the student's test texts makes its result look better than it is."""
    keys = {"source", "split", "group", "validation", "test", "seed", "same"}
    if job.data.model_dump(include=keys) == theirs.data.model_dump(include=keys):
        return ()
    return ("the teacher learned from another split or source: it may have seen texts of this test split",)
