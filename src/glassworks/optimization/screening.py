"""Candidates one after the other, where the objective is decided by sizes and metrics: one is open at a time, and only
the metrics that decide are measured. Where the size is sought, what could not be chosen is not measured at all.

The choice is that of measuring all: sizes are known before anything is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from glassworks.config import OptimizationConfig
from glassworks.contracts import Artifact, Candidate, Generation, Measurement, Progress, Session
from glassworks.contracts.step import EXACT
from glassworks.errors import Cancelled, DataError, GlassworksError
from glassworks.optimization.candidates import Planned, Trial, planned, require_trained
from glassworks.optimization.choice import ranked, reference_of
from glassworks.optimization.measure import predict_all
from glassworks.optimization.terms import Objective

_TIMED_S = 5.0
"""How long the speed of what is chosen is measured; some answers are always written."""
_PASSED_OVER = "not measured: what is chosen is as small or smaller, and as precise"

_Found = TypeVar("_Found")


@dataclass(kw_only=True)
class Searched:
    """What was measured, what was left out, and the artifact of each by its name; `trained` no pass has changed."""

    candidates: list[Candidate]
    excluded: list[Candidate]
    trained: set[str]
    artifacts: Mapping[str, Artifact]
    notes: list[str] = field(default_factory=list)


def is_screened(trial: Trial, objective: Objective) -> bool:
    """Whether sizes and metrics decide, and no time, of models that write: they are large, and reading their answers
    takes long.
    """
    known = all(term.quantity is None or term.name == "size" for term in objective.terms)
    return isinstance(trial.task, Generation) and known


def screened(trial: Trial, config: OptimizationConfig, objective: Objective, progress: Progress) -> Searched:
    """What was trained first, as others are compared with it; then what is exact, and the smallest first. The speed of
    what is chosen is measured at the end.
    """
    every, failures = planned(trial, config, progress)
    progress.start("optimize: accuracy", len(every))
    search = _Screening(trial, objective, every, progress)
    search.run(min(config.budget, _TIMED_S))
    left = (each for each in every if each.name not in {**search.measured, **search.failed})
    over = [each.candidate().model_copy(update={"excluded": _PASSED_OVER}) for each in left]
    return Searched(
        candidates=search.candidates,
        excluded=[*search.failed.values(), *over, *failures],
        trained=search.trained,
        artifacts={each.name: each.artifact for each in every},
        notes=search.notes,
    )


class _Screening:
    def __init__(self, trial: Trial, objective: Objective, every: Sequence[Planned], progress: Progress) -> None:
        self._trial, self._objective, self._progress = trial, objective, progress
        self._every = every
        self.trained = {each.name for each in every if each.trained}
        self.measured: dict[str, Candidate] = {}
        self.failed: dict[str, Candidate] = {}
        self.notes: list[str] = []

    def run(self, budget_s: float) -> None:
        """Until what is chosen has been timed: what cannot write is no choice, and others may be then."""
        while True:
            for each in sorted(self._every, key=_turn):
                if each.name not in self.measured and each.name not in self.failed and self._could_win(each):
                    self._measure(each)
            best = self._ranked()[:1]
            if not best or self._is_timed(best[0].name, budget_s):
                return

    @property
    def candidates(self) -> list[Candidate]:
        """What is measured, in the order of the passes, by which equals are told apart."""
        return [self.measured[each.name] for each in self._every if each.name in self.measured]

    def _ranked(self) -> list[Candidate]:
        """What keeps the constraints of what is measured, the best first. Raises Unsupported with nothing in fp32."""
        measured = self.candidates
        require_trained([each for each in self._every if each.name in self.measured], list(self.failed.values()))
        return ranked(measured, reference_of(measured, self.trained, self._objective), self._objective)

    def _could_win(self, each: Planned) -> bool:
        """Whether it would be chosen if it kept the constraints. What comes later is larger, and changes nothing. With
        something to compare others with, that is.
        """
        compared = any(one.precision == EXACT for one in self.measured.values())
        if each.trained or self._objective.goal.quantity is None or (each.artifact.precision == EXACT and not compared):
            return True
        unmeasured = each.candidate()
        rivals = [*self._ranked(), unmeasured]
        return ranked(rivals, unmeasured, replace(self._objective, within=()))[0] is unmeasured

    def _measure(self, each: Planned) -> None:
        trial = self._trial
        wanted = {term.name for term in self._objective.terms if term.quantity is None}

        def evaluated(session: Session) -> Mapping[str, Measurement]:
            ask = partial(predict_all, session, trial.validation, progress=self._progress)
            return trial.task.decisive(ask, trial.targets, trial.preprocessing, wanted)

        metrics = self._opened(each, evaluated)
        if metrics is not None:
            self.measured[each.name] = each.measured(metrics, trial.opened.folder)
            report_measured(each, metrics, self._progress)

    def _is_timed(self, name: str, budget_s: float) -> bool:
        """Measure how quickly it writes; whether it does."""
        (each,) = [each for each in self._every if each.name == name]
        self._progress.start("optimize: speed")

        def timed(session: Session) -> Mapping[str, float]:
            try:
                found = self._trial.task.speeds({name: session}, self._trial.validation, budget_s, self._progress)
            except DataError as error:
                self.notes.append(f"the speed of {name} is not known: {error.problem}")
                return {}
            self.notes.append(f"speeds were measured of {name} alone, as the objective names none")
            return (found or {}).get(name, {})

        speeds = self._opened(each, timed)
        if speeds is None:
            del self.measured[name]
            return False
        self.measured[name] = self.measured[name].model_copy(update={"speeds": dict(speeds)})
        self._progress.update(candidate=name, **speeds)
        return True

    def _opened(self, each: Planned, use: Callable[[Session], _Found]) -> _Found | None:
        """What is found of it while it is open, alone; None where that fails, with the reason in `failed`. Raises what
        the last one in fp32 raised.
        """
        self._progress.check()
        try:
            with closing(each.open(self._trial)) as session:
                return use(session)
        except Cancelled:
            raise
        except Exception as error:  # engines raise many classes
            if not isinstance(error, GlassworksError) and self._is_last(each):
                raise
            self.failed[each.name] = each.excluded(reason_of(error))
            return None

    def _is_last(self, each: Planned) -> bool:
        exact = [one.name for one in self._every if one.artifact.precision == EXACT and one.name not in self.failed]
        return exact == [each.name]


def _turn(each: Planned) -> tuple[bool, bool, int]:
    """What was trained first, then what is exact, then the smallest."""
    return not each.trained, each.artifact.precision != EXACT, each.size_bytes


def report_measured(each: Planned, metrics: Mapping[str, Measurement], progress: Progress) -> None:
    """One candidate, as soon as it is measured."""
    progress.update(
        candidate=each.name,
        engine=each.runtime.name,
        precision=each.artifact.precision,
        size_bytes=each.size_bytes,
        **{name: measured.value for name, measured in metrics.items()},
    )


def reason_of(error: Exception) -> str:
    """Why a candidate is left out, in a line."""
    if isinstance(error, GlassworksError):
        return error.problem
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
