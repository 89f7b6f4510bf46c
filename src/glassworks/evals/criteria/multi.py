"""A grader of several, whose scores a formula joins."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from glassworks.evals.criteria import alone
from glassworks.evals.formulas import Formula
from glassworks.evals.grading import Criterion, Grade, Read, Surroundings, Ungraded
from glassworks.evals.templates import Path
from glassworks.serving.protocols._openai.fields import Fields

_MOST = 20


@dataclass(frozen=True, kw_only=True)
class Multi(Criterion):
    """Graders by the names that the formula calls them by."""

    graders: Mapping[str, Criterion]
    formula: Formula
    threshold: float

    @property
    def paths(self) -> Iterator[Path]:
        """Of all."""
        for each in self.graders.values():
            yield from each.paths

    async def grade(self, values: Mapping[str, Any], around: Surroundings) -> Grade:
        """What the formula gives."""
        grades = await asyncio.gather(*(each.grade(values, around) for each in self.graders.values()))
        scores = {name: grade.score for name, grade in zip(self.graders, grades, strict=True)}
        try:
            score = self.formula(scores)
        except (ArithmeticError, ValueError) as error:
            raise Ungraded(f"the formula of '{self.name}' cannot be computed of {scores}: {error}"[:300]) from None
        asked = {name: grade.sample for name, grade in zip(self.graders, grades, strict=True) if grade.sample}
        return Grade(score, score >= self.threshold, {"scores": scores, "graders": asked})


def kinds() -> Mapping[str, Read]:
    """This one."""
    return {"multi": _multi}


def _multi(fields: Fields, kind: str, where: str) -> Multi:
    given = fields.needed("graders", "give an object of graders by their names")
    if isinstance(given, dict) and isinstance(given.get("type"), str):
        given = [given]
    rows: Any = given
    if isinstance(given, list):
        rows = {each.get("name"): each for each in given if isinstance(each, dict)}
    named = isinstance(rows, dict) and all(isinstance(each, str) and each.isidentifier() for each in rows)
    if not named or not 0 < len(rows) <= _MOST:
        raise fields.wrong("graders", given, f"give 1 to {_MOST} graders by names such as accuracy")
    for name, each in rows.items():
        if isinstance(each, dict) and each.get("type") == kind:
            raise fields.wrong("graders", name, "graders of several hold no others of several")
    graders = {name: alone(each, f"{where}.graders.{name}") for name, each in rows.items()}
    formula = Formula(fields.needed("calculate_output", "give a formula"), list(graders), f"{where}.calculate_output")
    return Multi(
        name=fields.text("name") or kind,
        kind=kind,
        graders=graders,
        formula=formula,
        threshold=fields.number("pass_threshold", 0.5),
        models=frozenset().union(*(each.models for each in graders.values())),
    )
