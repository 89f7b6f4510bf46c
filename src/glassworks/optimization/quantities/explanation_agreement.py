"""Whether a candidate gives the same reasons."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from glassworks.contracts import Candidate, Load, Measurement, Probe, Quantity, Task
from glassworks.optimization.explained import agreements

_EXAMPLES = 32


class ExplanationAgreement(Quantity):
    """How alike the explanations of a candidate and of the reference are: the mean, over held-out examples, of
    Spearman's rank correlation of their attributions; 1 is the same order of importance, 0 is chance.

    The measure is that of Adebayo et al. 2018 (Sanity checks for saliency maps) and Krishna et al. 2022 (The
    disagreement problem, "rank correlation"). Attributions are those of the first method that needs answers only, so
    that no gradient of an integer graph is asked for, both about the class that the reference names.
    """

    name: ClassVar[str] = "explanation_agreement"
    unit: ClassVar[str] = "rank correlation"
    units: ClassVar[Mapping[str, float]] = MappingProxyType({"": 1.0, "%": 0.01})
    maximize: ClassVar[bool] = True

    def fits(self, task: type[Task]) -> bool:
        from glassworks.explanation.selection import explainers_for

        return super().fits(task) and bool(explainers_for(getattr(task, "subject_kind", "")))

    def of(self, candidate: Candidate, load: Load | None) -> float | None:
        measured = candidate.measured.get(self.name)
        return None if measured is None else measured.value

    def measure(self, probe: Probe) -> Measurement | None:
        """The interval is that of the mean by the normal distribution, and within -1 and 1."""
        found = agreements(probe, _EXAMPLES)
        value, n = sum(found) / len(found), len(found)
        spread = math.sqrt(sum((each - value) ** 2 for each in found) / max(n - 1, 1) / n) if n > 1 else 1.0
        interval = (max(value - 1.96 * spread, -1.0), min(value + 1.96 * spread, 1.0))
        return Measurement(value=value, interval=interval, examples=n)
