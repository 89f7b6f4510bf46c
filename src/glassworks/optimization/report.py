"""What the search found: every candidate with its measurements, the choice and its reasons."""

from __future__ import annotations

from glassworks.contracts import Candidate
from glassworks.optimization.certificate.record import Certificate
from glassworks.record import Record


class OptimizationReport(Record):
    """Written into the bundle as `optimization.json` and printed as a table.

    `chosen` and `reference` are names of candidates; `notes` are sentences for people: why this one,
    what a slower or less accurate choice costs, what the validation split is too small to certify. `maximize` stands
    instead of `minimize`, which is empty then. The `certificate` is a file of its own in the bundle.
    """

    minimize: str
    maximize: str = ""
    within: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    chosen: str
    reference: str
    examples: int
    seconds: float
    notes: tuple[str, ...] = ()
    certificate: Certificate | None = None

    def candidate(self, name: str) -> Candidate:
        """The candidate of that name."""
        return next(candidate for candidate in self.candidates if candidate.name == name)
