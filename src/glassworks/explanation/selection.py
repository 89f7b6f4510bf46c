"""Which explainers a family has."""

from __future__ import annotations

from glassworks.catalog import found, get
from glassworks.contracts import Explainer, Family, Task


def explainers_of(family: Family) -> tuple[str, ...]:
    """Names of the methods that fit the family's subjects and what it exports, its default one first."""
    kind = get(Task, family.task).subject_kind
    fitting = [each for each in found(Explainer).values() if kind in each.subjects and _possible(each, family)]
    return tuple(each.name for each in sorted(fitting, key=lambda each: (each.subjects[kind], each.name)))


def explainers_for(kind: str) -> tuple[str, ...]:
    """Those for subjects of a kind that need nothing but the artifact that answers."""
    fitting = [each for each in found(Explainer).values() if kind in each.subjects and each.role == "predict"]
    return tuple(each.name for each in sorted(fitting, key=lambda each: (each.subjects[kind], each.name)))


def _possible(explainer: Explainer, family: Family) -> bool:
    return explainer.role == "predict" or not {"gradient", explainer.role} & family.unsupported.keys()
