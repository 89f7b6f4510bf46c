"""Deployments of before, when the service starts: the command line says which models are served, and they how.

A split of the command line (`--traffic`) comes before what was kept for that model.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from glassworks.errors import GlassworksError
from glassworks.serving.core.traffic import Traffic

if TYPE_CHECKING:
    from glassworks.registry import Registry
    from glassworks.registry.deployments import Deployments, Revision
    from glassworks.serving.core.models import Models
    from glassworks.serving.core.repository import Repository

PART = "deployments"


def traffic_of(champion: int | None, shares: dict[str, float], shadow: int | None) -> Traffic | None:
    """A split as the service needs it; None where everything goes to the champion, whichever that is."""
    if not shares or (shadow is None and shares == {str(champion): 100.0}):
        return None
    return Traffic(shares=dict(shares), shadow=None if shadow is None else str(shadow))


def loaded_before(registry: Registry, deployments: Deployments) -> Sequence[str]:
    """All models of the registry but those that were unloaded last."""
    unloaded = {name for name in deployments.models() if _is_unloaded(deployments.latest(name))}
    return [name for name in registry.models() if name not in unloaded]


def restore(repository: Repository, models: Models, deployments: Deployments, directed: Collection[str]) -> None:
    """Split the requests of the served models as they were, but for those that are `directed` otherwise. What cannot be
    had any more is reported, and keeps nothing else from being served."""
    problems = []
    for name in models.names():
        followed = name not in directed and repository.follows(name)
        found = deployments.latest(name) if followed else None
        if found is None:
            continue
        traffic = traffic_of(found.champion, found.shares, found.shadow)
        try:
            if traffic is not None:
                repository.restore(name, traffic, traffic.versions)
        except GlassworksError as error:
            problems.append(f"{name} is not split as revision {found.revision} says: {error.problem}")
    if problems:
        models.supervisor.suffers(PART, " | ".join(problems))


def _is_unloaded(revision: Revision | None) -> bool:
    return revision is not None and revision.what == "unloaded"
