"""Every family of the catalog, trained once from its `tiny()` job and taken through the whole flow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from glassworks.catalog import found
from glassworks.config import Job
from glassworks.contracts import Family
from glassworks.flow import Release, release
from glassworks.progress import Silent
from glassworks.references import family_of
from glassworks.registry import Registry

FAMILIES: list[str] = sorted(
    name
    for family in found(Family).values()
    for name in (family.name, *(f"{family.name}:{v}" for v in family.variants))
)
"""Each with its plain job, and again with each of its variants."""


@dataclass(frozen=True)
class Made:
    """A family with its tiny job and what the flow made of it."""

    family: Family
    job: Job
    registry: Registry
    release: Release


@pytest.fixture(scope="session", params=FAMILIES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """One release of each family and variant."""
    name, _, variant = request.param.partition(":")
    folder: Path = tmp_path_factory.mktemp(name)
    family = found(Family)[name]
    job = family.variant(variant, folder) if variant else family.tiny(folder)
    quick = job.model_copy(update={"optimization": job.optimization.model_copy(update={"budget": 0.1})})
    registry = Registry.open({"GLASSWORKS_HOME": str(folder / "home")})
    if below := family.base_model(folder):
        release(below, registry, Silent())
    pinned, bound = family_of(quick, registry)
    return Made(bound, pinned, registry, release(quick, registry, Silent()))
