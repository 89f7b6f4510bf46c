"""Models and their versions as lists and pages show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from glassworks.control.facts import Fact
from glassworks.control.paging import tag
from glassworks.control.state import Control
from glassworks.errors import GlassworksError
from glassworks.registry import Version
from glassworks.registry.records import CHAMPION, Head

Metrics = dict[str, dict[str, Any]]
"""Name -> value, interval (95 %), examples, higher_is_better."""


class ModelSummary(BaseModel):
    """A model by its champion, or else its newest version. `problem` says why that cannot be read."""

    name: str
    task: str
    family: str
    versions: int
    newest: int
    champion: int | None
    aliases: dict[str, int]
    served: list[str]
    metrics: Metrics
    warnings: list[str]
    created_at: str
    problem: str = ""


class VersionSummary(BaseModel):
    """A version of a model. `problem` says why its bundle cannot be read."""

    name: str
    version: int
    reference: str
    created_at: str
    parent: str
    aliases: list[str]
    bundle_sha256: str
    task: str
    family: str
    metrics: Metrics
    baseline: Metrics
    comparison: dict[str, Metrics]
    warnings: list[str]
    precision: str
    engine: str
    size_bytes: int
    labels: int
    served: bool
    problem: str = ""


_UNREADABLE = Fact("", "", {}, {}, {}, (), "", "", 0, 0)


def served(control: Control) -> Mapping[str, Sequence[str]]:
    """The versions in service by model."""
    models = control.serving.dispatcher.models

    async def look() -> Mapping[str, Sequence[str]]:
        return {name: models.versions(name) for name in models.names()}

    return control.live.ask(look)


def summaries(control: Control, names: Sequence[str]) -> list[ModelSummary]:
    """Models by their names; those that are not there are left out."""
    in_service = served(control)
    return [_summary(control, head, in_service.get(head.name, ())) for head in control.registry.heads(names)]


def _summary(control: Control, head: Head, in_service: Sequence[str]) -> ModelSummary:
    fact, problem = _fact(control, head.chosen)
    return ModelSummary(
        **head.model_dump(exclude={"chosen"}),
        champion=head.aliases.get(CHAMPION),
        task=fact.task,
        family=fact.family,
        served=list(in_service),
        metrics=fact.metrics,
        warnings=list(fact.warnings),
        problem=problem,
    )


def version_of(control: Control, version: Version, in_service: Mapping[str, Sequence[str]]) -> VersionSummary:
    """One version."""
    fact, problem = _fact(control, version)
    return VersionSummary(
        **version.model_dump(exclude={"aliases"}),
        **{name: value for name, value in fact._asdict().items() if name not in ("warnings", "uploaded")},
        reference=version.reference,
        aliases=list(version.aliases),
        warnings=list(fact.warnings),
        served=str(version.version) in in_service.get(version.name, ()),
        problem=problem,
    )


def etag_of(name: str, aliases: Mapping[str, int], newest: int) -> str:
    """Of a model: it changes with its aliases and with a further version."""
    return tag("model", name, sorted(aliases.items()), newest)


def _fact(control: Control, version: Version) -> tuple[Fact, str]:
    """A damaged bundle must not hide the others."""
    try:
        return control.facts.of(version), ""
    except GlassworksError as error:
        return _UNREADABLE, f"{error.problem}; {error.mend}"
