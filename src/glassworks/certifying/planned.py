"""A search that ends with a certificate, and how much of its time that gets."""

from __future__ import annotations

from glassworks.certifying.served import Subject, certifier
from glassworks.config import OptimizationConfig
from glassworks.contracts import Artifact, Dataset, Generation, Progress, Signature
from glassworks.optimization.candidates import Trial
from glassworks.optimization.report import OptimizationReport
from glassworks.optimization.search import optimize
from glassworks.optimization.settling import Certify

_SHARE = 1 / 3
_LEAST_ASKED_S, _LEAST_BY_THE_WAY_S = 3.0, 30.0
"""Budgets below these leave too little time for a certificate that says anything."""
_ASKED_S, _BY_THE_WAY_S = 60.0, 20.0


def search(
    trial: Trial,
    family: str,
    signature: Signature,
    dataset: Dataset,
    config: OptimizationConfig,
    progress: Progress,
    *,
    asked: bool = False,
) -> tuple[Artifact, OptimizationReport]:
    """As `optimization.search.optimize`, and the best is measured as it is served; `asked` says that the search is no
    part of a release. Raises what these raise."""
    subject = Subject(
        trial=trial,
        family=family,
        signature=signature,
        labels=dataset.classes,
        data_fingerprint=dataset.fingerprint,
        batch_sizes=config.batch_sizes,
    )
    left, certify = planned(config, subject, progress, asked=asked)
    return optimize(trial, left, progress, certify)


def planned(
    config: OptimizationConfig, subject: Subject, progress: Progress, *, asked: bool
) -> tuple[OptimizationConfig, Certify | None]:
    """The configuration with the time that is left for the search, and what certifies.

    Models that write text are
    certified by what the search has measured, which takes no time.
    """
    if config.certify is False:
        return config, None
    if isinstance(subject.trial.task, Generation):
        return config, certifier(subject, 0.0, progress)
    least = _LEAST_ASKED_S if asked else _LEAST_BY_THE_WAY_S
    if config.certify is None and config.budget < least:
        return config, None
    limit_s = min(_SHARE * config.budget, _ASKED_S if asked else _BY_THE_WAY_S)
    left = config.model_copy(update={"budget": config.budget - limit_s})
    return left, certifier(subject, limit_s, progress)
