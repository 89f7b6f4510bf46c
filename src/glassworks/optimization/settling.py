"""The last step of a search: the best candidate is certified, and where a promise breaks, the next best is tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from glassworks.contracts import Artifact, Candidate
from glassworks.errors import Infeasible
from glassworks.optimization.certificate.record import Certificate
from glassworks.optimization.report import OptimizationReport
from glassworks.optimization.terms import Objective

_TRIES = 3


@dataclass(frozen=True, kw_only=True)
class Try:
    """What is to be certified: a candidate beside its reference, with the artifacts of both."""

    objective: Objective
    candidate: Candidate
    reference: Candidate
    artifact: Artifact
    reference_artifact: Artifact


Certify = Callable[[Try], Certificate]


def settle(
    report: OptimizationReport,
    ranked: Sequence[Candidate],
    objective: Objective,
    artifacts: Mapping[str, Artifact],
    certify: Certify | None,
) -> tuple[Artifact, OptimizationReport]:
    """The artifact to serve, and the report with its certificate.

    `ranked` has the best first; three are tried, then the reference. Raises Infeasible where all break a promise.
    """
    if certify is None:
        return artifacts[report.chosen], report
    unserved: list[str] = []
    for candidate in _tried(ranked, report.reference):
        certificate = certify(_try(candidate, report, objective, artifacts))
        if not certificate.broken:
            chosen = {"chosen": candidate.name, "certificate": certificate, "notes": (*report.notes, *unserved)}
            return artifacts[candidate.name], report.model_copy(update=chosen)
        broken = "; ".join(f"{each.limit} ({each.shown})" for each in certificate.broken)
        unserved.append(f"{candidate.name} is not served: as it was served it broke {broken}")
    raise Infeasible(
        f"no candidate keeps its promises when it is served: {'; '.join(unserved)}",
        "relax that limit in [optimization] within, or certify = false takes what the search measured alone",
    )


def _tried(ranked: Sequence[Candidate], reference: str) -> list[Candidate]:
    return [*ranked[:_TRIES], *(each for each in ranked[_TRIES:] if each.name == reference)]


def _try(
    candidate: Candidate, report: OptimizationReport, objective: Objective, artifacts: Mapping[str, Artifact]
) -> Try:
    return Try(
        objective=objective,
        candidate=candidate,
        reference=report.candidate(report.reference),
        artifact=artifacts[candidate.name],
        reference_artifact=artifacts[report.reference],
    )
