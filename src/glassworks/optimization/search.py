"""The search: measures every candidate (pass x runtime) and chooses by the objective."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from glassworks.catalog import found
from glassworks.config import OptimizationConfig
from glassworks.contracts import Artifact, Candidate, Measurement, Progress, Runtime, Session
from glassworks.errors import Cancelled, Unsupported
from glassworks.optimization.candidates import Entry, Trial as Trial, open_candidates, refusal
from glassworks.optimization.choice import certainty, choose, ranked, reference_of
from glassworks.optimization.measure import measure_latencies, predict_all
from glassworks.optimization.objective import objective_of
from glassworks.optimization.probing import Further
from glassworks.optimization.report import OptimizationReport
from glassworks.optimization.screening import Searched, is_screened, reason_of, report_measured, screened
from glassworks.optimization.settling import Certify, settle
from glassworks.optimization.terms import Objective

if TYPE_CHECKING:
    from glassworks.contracts import Array

_Metrics = dict[str, dict[str, Measurement]]
_CALIBRATING = 300


def optimize(
    trial: Trial, config: OptimizationConfig, progress: Progress, certify: Certify | None = None
) -> tuple[Artifact, OptimizationReport]:
    """The artifact to serve (its runtime, precision and threads are set) and the report on all candidates.

    fp32 always takes part. A candidate that cannot be made, opened or run is in the report with its reason, and so is
    one that was not measured because it could not have been chosen.
    Raises Infeasible when no candidate keeps the constraints, naming the nearest one. With `certify` the best ones are
    certified as they are served: see `settle`.
    """
    within = trial.task.within(trial.guard) if config.within is None else config.within
    objective = objective_of(config, trial.task.minimize, within)
    start = time.perf_counter()
    search = screened if is_screened(trial, objective) else _side_by_side
    found = search(trial, config, objective, progress)
    reference = reference_of(found.candidates, found.trained, objective)
    report = _report(found.candidates, reference, objective, len(trial.targets))
    update = {
        "candidates": (*found.candidates, *found.excluded),
        "notes": (*report.notes, *found.notes),
        "seconds": time.perf_counter() - start,
    }
    progress.finish(f"{report.chosen} of {len(found.candidates)} candidates")
    best_first = ranked(found.candidates, reference, objective)
    return settle(report.model_copy(update=update), best_first, objective, found.artifacts, certify)


def _side_by_side(trial: Trial, config: OptimizationConfig, objective: Objective, progress: Progress) -> Searched:
    """All candidates are open at once, so that noise of the machine meets the times of all alike."""
    entries, excluded = open_candidates(trial, config, progress)
    try:
        metrics, failed = _evaluate(trial, entries, progress)
        answering = [entry for entry in entries if entry.name in metrics]
        candidates = Further.of(objective).added(
            _measure(trial, answering, metrics, config, progress), trial, answering, config, progress
        )
    finally:
        _close(entries)
    return Searched(
        candidates=candidates,
        excluded=[*excluded, *failed],
        trained={entry.name for entry in entries if entry.planned.trained},
        artifacts={entry.name: entry.planned.artifact for entry in entries},
    )


def _report(
    candidates: list[Candidate], reference: Candidate, objective: Objective, examples: int
) -> OptimizationReport:
    """Raises Infeasible."""
    chosen, notes = choose(candidates, reference, objective)
    return OptimizationReport(
        minimize="" if objective.maximize else str(objective.goal),
        maximize=str(objective.goal) if objective.maximize else "",
        within=tuple(rule.text for rule in objective.within),
        candidates=tuple(candidates),
        chosen=chosen.name,
        reference=reference.name,
        examples=examples,
        seconds=0.0,
        notes=(*notes, *certainty(objective, examples)),
    )


def _close(entries: Sequence[Entry]) -> None:
    for entry in entries:
        entry.session.close()


def calibrating(x: Array) -> Array:
    """Examples to find ranges by: a sample, always the same, as sources may have them in the order of their labels."""
    import numpy as np

    return x[np.sort(np.random.default_rng(0).permutation(len(x))[:_CALIBRATING])]


def first_runtime(artifact: Artifact, threads: int) -> Artifact:
    """The artifact set to the first runtime that accepts it, where nothing is searched. Raises Unsupported."""
    for runtime in found(Runtime).values():
        if artifact.format in runtime.accepts and not refusal(runtime, artifact.precision):
            return artifact.model_copy(update={"runtime": runtime.name, "threads": threads})
    raise Unsupported(f"no runtime opens {artifact.format} files in {artifact.precision}", "see 'glassworks catalog'")


def _evaluate(trial: Trial, entries: list[Entry], progress: Progress) -> tuple[_Metrics, list[Candidate]]:
    """Metrics by name, and those that failed. Raises what the last one raised where none in fp32 is left."""
    progress.start("optimize: accuracy", len(entries))
    metrics: _Metrics = {}
    failed: list[Candidate] = []
    fp32 = {entry.name for entry in entries if entry.planned.artifact.precision == "fp32"}
    for entry in entries:
        try:
            metrics[entry.name] = trial.task.evaluate(
                partial(predict_all, entry.session, trial.validation, progress=progress),
                trial.targets,
                trial.preprocessing,
            )
        except Cancelled:
            raise
        except Exception as error:  # engines raise many classes
            fp32.discard(entry.name)
            if not fp32:
                raise
            failed.append(entry.planned.excluded(reason_of(error)))
        else:
            report_measured(entry.planned, metrics[entry.name], progress)
    return metrics, failed


def _measure(
    trial: Trial, entries: Sequence[Entry], metrics: _Metrics, config: OptimizationConfig, progress: Progress
) -> list[Candidate]:
    sessions = {entry.name: entry.session for entry in entries}
    progress.start("optimize: speed")
    speeds = trial.task.speeds(sessions, trial.validation, config.budget, progress)
    for name, measured in (speeds or {}).items():
        progress.update(candidate=name, **measured)
    latencies = _latencies(sessions, trial, config, progress) if speeds is None else {}
    return [
        entry.planned.measured(metrics[entry.name], trial.opened.folder).model_copy(
            update={
                "latency_p50_ms": {batch: measured[entry.name][0] for batch, measured in latencies.items()},
                "latency_p99_ms": {batch: measured[entry.name][1] for batch, measured in latencies.items()},
                "speeds": dict(speeds[entry.name]) if speeds else {},
            }
        )
        for entry in entries
    ]


def _latencies(
    sessions: Mapping[str, Session], trial: Trial, config: OptimizationConfig, progress: Progress
) -> dict[int, Mapping[str, tuple[float, float]]]:
    """By batch size and name."""
    latencies: dict[int, Mapping[str, tuple[float, float]]] = {}
    share = config.budget / len(config.batch_sizes)
    for batch in config.batch_sizes:
        progress.start(f"optimize: latency at batch {batch}")
        latencies[batch] = measure_latencies(sessions, trial.validation, batch, share, progress)
        for name, (p50, p99) in latencies[batch].items():
            progress.update(candidate=name, **{f"latency_p50@{batch}": p50, f"latency_p99@{batch}": p99})
    return latencies
