"""Families that build upon a model of the registry get it before anything else happens."""

from __future__ import annotations

from glassworks.catalog import get
from glassworks.config import Job, validate
from glassworks.contracts import EMBEDDING, Family
from glassworks.packaging.embedding import PackagedEmbedder
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
    named = getattr(validate(family.config, job.model, where=f"job '{job.name}'", prefix="model."), EMBEDDING)
    if not named:
        return job, family
    resolved = registry.resolve(named)
    pinned = resolved.pinned(named)
    job = job.model_copy(update={"model": {**job.model, EMBEDDING: pinned}})
    kept = KeptVectors(registry.home / "vectors")
    return job, family.upon(PackagedEmbedder(OpenedBundle(resolved.bundle), pinned, kept))
