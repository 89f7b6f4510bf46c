"""The registered models that a job names: what it is built upon, what it begins with, and its teacher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from glassworks.catalog import found, get
from glassworks.config import Job
from glassworks.contracts import EMBEDDING, Dataset, Family, Generation, Opened, Progress, Task, Teacher
from glassworks.errors import ConfigError, Unsupported
from glassworks.job_files import stored_job
from glassworks.packaging.embedding import PackagedEmbedder
from glassworks.packaging.exported import exported_of
from glassworks.packaging.kept_answers import PackagedTeacher
from glassworks.packaging.kept_rows import KeptRows
from glassworks.packaging.kept_vectors import KeptVectors
from glassworks.packaging.labelling import label_probabilities
from glassworks.packaging.opened import OpenedBundle
from glassworks.registry.records import Version, split_reference
from glassworks.registry.registry import Registry

_REGISTERED, _ENCODERS = "registered:", "text-embedding"


def family_of(job: Job, registry: Registry) -> tuple[Job, Family]:
    """The job's family upon the registered model that `model.embedding` or `model.source` names, if one does; the job
    then names that very version.

    Raises ConfigError, and what `resolve` raises.
    """
    family = get(Family, job.family)
    if str(job.model.get("source", "")).startswith(_REGISTERED):
        return _continuing(job, family, registry)
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


def upon_encoder(
    job: Job, family: Family, dataset: Dataset, registry: Registry, register: Callable[[Job], Version]
) -> tuple[Job, Family]:
    """The family upon an encoder that is there already, where it does better with one and the job names none; one that
    is only installed is registered first, by `register`. Nothing is downloaded.
    """
    texts = family.seeks(job, dataset)
    named = _registered_encoder(texts, registry) if texts else ""
    if texts and not named and (encoder := installed_encoder(texts)) is not None:
        named = f"{encoder.name}@{register(encoder).version}"
    if not named:
        return job, family
    return family_of(job.model_copy(update={"model": {**job.model, EMBEDDING: named}}), registry)


def _registered_encoder(texts: Sequence[str], registry: Registry) -> str:
    """The newest registered model that turns texts into vectors and knows the signs of these; empty without one."""
    heads = sorted(registry.heads(registry.models()), key=lambda each: each.created_at, reverse=True)
    for head in heads:
        resolved = registry.resolve(head.name)
        if resolved.bundle.manifest.task != _ENCODERS:
            continue
        pinned = resolved.pinned(head.name)
        if PackagedEmbedder(OpenedBundle(resolved.bundle), pinned).knows(texts):
            return pinned
    return ""


def installed_encoder(texts: Sequence[str]) -> Job | None:
    """The job of one that came with an installed library and knows the signs of these texts."""
    families = (each for each in found(Family).values() if each.task == _ENCODERS)
    return next((job for each in families if (job := each.installed(texts)) is not None), None)


def _continuing(job: Job, family: Family, registry: Registry) -> tuple[Job, Family]:
    """The family with the exported artifact of the model that `model.source` names."""
    named = str(job.model["source"]).removeprefix(_REGISTERED)
    split_reference(named)  # no path is read by this name
    resolved = registry.resolve(named)
    manifest = resolved.bundle.manifest
    if manifest.task != family.task:
        raise ConfigError(
            f"'model.source' is {named}, a model for {manifest.task}; '{job.family}' is for {family.task}",
            f"name a model for {family.task}",
        )
    exported, _ = exported_of(manifest.artifacts)
    family = family.continuing(Opened(artifact=exported, folder=resolved.bundle.folder))
    return job.model_copy(update={"model": {**job.model, "source": _REGISTERED + resolved.pinned(named)}}), family


def taught_by_registry(job: Job, dataset: Dataset, registry: Registry, progress: Progress) -> tuple[Job, Dataset]:
    """With what the teacher says where the job names one; the job then names that very version."""
    if not job.training.teacher:
        return job, dataset
    family = get(Family, job.family)
    if reason := family.unsupported.get("distill"):
        raise Unsupported(f"training.teacher: {reason}", "leave training.teacher out")
    resolved = registry.resolve(job.training.teacher)
    opened = OpenedBundle(resolved.bundle, limited=False)
    writes = isinstance(opened.task, Generation)
    if opened.task.name != family.task and not (writes and family.task == "text-classification"):
        raise ConfigError(
            f"the teacher '{job.training.teacher}' is for {opened.manifest.task}, the job for {family.task}",
            "name a teacher of the same task, or of texts a language model: training.teacher",
        )
    teacher = PackagedTeacher(opened, job.training.teacher, registry.home / "answers")
    try:
        if isinstance(get(Task, family.task), Generation):
            dataset = _with_findings(family.taught(job, dataset, teacher, progress), _same_split(job, _job_of(opened)))
        else:
            dataset = _labelled(job, dataset, opened, teacher if writes else None, progress)
    finally:
        teacher.close()
        opened.close()
    named = {"teacher": resolved.pinned(job.training.teacher)}
    return job.model_copy(update={"training": job.training.model_copy(update=named)}), dataset


def answered_by_registry(job: Job, dataset: Dataset, registry: Registry, progress: Progress) -> Dataset:
    """The same data where the teacher of the job wrote what they lack; it is asked only for what is not kept."""
    writes = isinstance(get(Task, get(Family, job.family).task), Generation)
    return taught_by_registry(job, dataset, registry, progress)[1] if writes else dataset


def _labelled(job: Job, dataset: Dataset, opened: OpenedBundle, writes: Teacher | None, progress: Progress) -> Dataset:
    """Texts with the teacher's probabilities of their labels."""
    from glassworks.data.text.dataset import further_texts
    from glassworks.training.distillation import balanced, taught

    more = further_texts(job, dataset) if job.training.teacher_texts == "all" else ()
    progress.start("teacher", len(dataset.splits["train"]) + len(more))
    theirs = _job_of(opened)
    labels = dataset.classes if writes else opened.manifest.labels
    teach = label_probabilities(writes, labels, progress) if writes else opened.probabilities
    dataset = taught(dataset, teach, labels, more, _same_split(job, theirs))
    if job.training.class_weights == "balanced" != theirs.training.class_weights:
        dataset = balanced(dataset)
    progress.finish(f"{len(dataset.splits['train'])} examples labeled by {job.training.teacher}")
    return dataset


def _job_of(opened: OpenedBundle) -> Job:
    return stored_job(opened.manifest.job, where=f"the job of {opened.manifest.name}")


def _with_findings(dataset: Dataset, findings: tuple[str, ...]) -> Dataset:
    return replace(dataset, findings=(*dataset.findings, *findings))


def _same_split(job: Job, theirs: Job) -> tuple[str, ...]:
    """A teacher that learned from the student's test texts makes its result look better than it is."""
    if "learn" in get(Family, theirs.family).unsupported:
        return ()
    keys = {"source", "split", "group", "validation", "test", "seed", "same"}
    known = job.data.model_dump(include=keys)
    # Other kinds of data are split by other rules, unless the data say the parts themselves.
    alike = job.data.kind == theirs.data.kind or known.get("split")
    if alike and known == {**known, **theirs.data.model_dump(include=keys)}:
        return ()
    return ("the teacher learned from another split or source: it may have seen texts of this test split",)
