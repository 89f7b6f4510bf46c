"""What an objective names and no candidate has by itself: measured for each of them, on demand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from glassworks.config import OptimizationConfig
from glassworks.contracts import Candidate, Load, Measurement, Opened, Probe, Progress
from glassworks.optimization.candidates import Entry, Trial
from glassworks.optimization.terms import Objective, Term


@dataclass(frozen=True)
class Further:
    """What to measure on demand, in the order of the objective, each at its load."""

    terms: tuple[Term, ...]

    @classmethod
    def of(cls, objective: Objective) -> Further:
        """The quantities that the objective names."""
        return cls(tuple(dict.fromkeys(term for term in objective.terms if term.quantity is not None)))

    def added(
        self,
        candidates: Sequence[Candidate],
        trial: Trial,
        entries: Sequence[Entry],
        config: OptimizationConfig,
        progress: Progress,
    ) -> list[Candidate]:
        """The candidates, of which `entries` are open, with what was measured further. Raises what `measure` raises."""
        found = self.measure(trial, entries, config, progress)
        return [each.model_copy(update={"measured": found[each.name]}) for each in candidates]

    def measure(
        self, trial: Trial, entries: Sequence[Entry], config: OptimizationConfig, progress: Progress
    ) -> dict[str, dict[str, Measurement]]:
        """By the name of the candidate and the term. Raises Cancelled, and what measuring raises."""
        found: dict[str, dict[str, Measurement]] = {entry.name: {} for entry in entries}
        if not self.terms or not entries:
            return found
        reference = next((entry for entry in entries if entry.planned.trained), entries[0])
        share = config.budget / max(1, len(self.terms) * len(entries))
        for term in self.terms:
            for entry in entries:
                progress.check()
                probe = _probe(trial, entry, reference, term, config, share)
                measured = term.quantity.measure(probe) if term.quantity else None
                if measured is not None:
                    found[entry.name][str(term)] = measured
                    progress.update(candidate=entry.name, **{str(term): measured.value})
        return found


def _probe(trial: Trial, entry: Entry, reference: Entry, term: Term, config: OptimizationConfig, share: float) -> Probe:
    largest = term.quantity is not None and term.quantity.largest
    return Probe(
        task=trial.task,
        preprocessing=trial.preprocessing,
        opened=Opened(artifact=entry.planned.artifact, folder=trial.opened.folder, searched=True),
        session=entry.session,
        reference=reference.session,
        tensors=trial.validation,
        load=term.load or Load((max if largest else min)(config.batch_sizes)),
        budget_s=share,
    )
