"""Makes every candidate (pass x runtime), measures all of them and chooses by the objective."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.catalog import found, get
from glassworks.config import OptimizationConfig
from glassworks.contracts import Artifact, Candidate, Measurement, Opened, Pass, Progress, Runtime, Session, Task
from glassworks.errors import Cancelled, GlassworksError, Unsupported
from glassworks.optimization.measure import measure_latencies, predict_all
from glassworks.optimization.objective import Objective, parse_objective
from glassworks.optimization.report import OptimizationReport
from glassworks.runtimes import open_session

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from glassworks.contracts import Array, Tensors

_Metrics = dict[str, dict[str, Measurement]]
_CALIBRATING = 300
_TIE = 0.03
"""Differences in the objective below this share are noise: the more precise candidate is kept."""
_ORDER = ("fp32", "bf16", "int8")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What the search needs: the fp32 artifact and held-out tensors with their answers."""

    task: Task
    opened: Opened
    preprocessing: Mapping[str, Any]
    calibration: Sequence[Tensors]
    validation: Tensors
    targets: NDArray[np.int64]
    balanced: bool = False
    """Whether training counted classes alike: then no candidate may give up a rare one."""

    @property
    def guard(self) -> str:
        """The metric that no candidate may lose where nothing is said; F1 of several labels heeds rare ones already."""
        return "balanced_accuracy" if self.balanced and self.targets.ndim == 1 else self.task.guard(self.targets)


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """`name` is that of no other candidate; `trained` says that no pass has changed the artifact."""

    name: str
    artifact: Artifact
    session: Session
    trained: bool


def optimize(trial: Trial, config: OptimizationConfig, progress: Progress) -> tuple[Artifact, OptimizationReport]:
    """The artifact to serve (its runtime, precision and threads are set) and the report on all candidates.

    fp32 always takes part. A candidate that cannot be made, opened or run is in the report with its reason.
    Raises Unsupported when no candidate keeps the constraints, naming the nearest one.
    """
    within = (f"{trial.guard}_drop <= 0.5%",) if config.within is None else config.within
    objective = parse_objective(config.minimize, within)
    start = time.perf_counter()
    entries, excluded = _candidates(trial, config, progress)
    try:
        metrics, failed = _judge(trial, entries, progress)
        candidates = _measure(trial, [entry for entry in entries if entry.name in metrics], metrics, config, progress)
    finally:
        for entry in entries:
            entry.session.close()
    reference = _reference(candidates, {entry.name for entry in entries if entry.trained}, objective)
    chosen, notes = _choose(candidates, reference, objective)
    report = OptimizationReport(
        minimize=config.minimize,
        within=within,
        candidates=(*candidates, *excluded, *failed),
        chosen=chosen.name,
        reference=reference.name,
        examples=len(trial.targets),
        seconds=time.perf_counter() - start,
        notes=(*notes, *_certainty(objective, len(trial.targets))),
    )
    progress.finish(f"{chosen.name} of {len(candidates)} candidates")
    return next(entry.artifact for entry in entries if entry.name == chosen.name), report


def calibrating(x: Array) -> Array:
    """Examples to find ranges by: a sample, always the same, as sources may have them in the order of their labels."""
    import numpy as np

    return x[np.sort(np.random.default_rng(0).permutation(len(x))[:_CALIBRATING])]


def first_runtime(artifact: Artifact, threads: int) -> Artifact:
    """The artifact set to the first runtime that accepts it, where nothing is searched. Raises Unsupported."""
    for runtime in found(Runtime).values():
        if artifact.format in runtime.accepts and not runtime.precisions[artifact.precision]:
            return artifact.model_copy(update={"runtime": runtime.name, "threads": threads})
    raise Unsupported(f"no runtime opens {artifact.format} files in {artifact.precision}", "see 'glassworks catalog'")


def _candidates(trial: Trial, config: OptimizationConfig, progress: Progress) -> tuple[list[_Entry], list[Candidate]]:
    """Every artifact in every runtime that takes it; and what was left out, with the reason."""
    entries: list[_Entry] = []
    excluded: list[Candidate] = []
    names: set[str] = set()
    artifacts, failures = _artifacts(trial, progress)
    for artifact in artifacts:
        for runtime in found(Runtime).values():
            if artifact.format not in runtime.accepts:
                continue
            progress.check()
            name = _name(artifact, runtime, names)
            names.add(name)
            chosen = artifact.model_copy(update={"runtime": runtime.name, "threads": config.threads})
            try:
                if reason := runtime.precisions[artifact.precision]:
                    raise Unsupported(reason, "choose another runtime")
                if artifact.runtime not in ("", runtime.name):
                    raise Unsupported(f"it computes in int8 in {artifact.runtime} alone", "choose that runtime")
                opened = Opened(artifact=chosen, folder=trial.opened.folder)
                session = open_session(trial.task, opened, trial.preprocessing, limited=False)
            except GlassworksError as error:
                excluded.append(_excluded(name, chosen, error.problem))
            else:
                entries.append(_Entry(name=name, artifact=chosen, session=session, trained=artifact is artifacts[0]))
    if not any(entry.artifact.precision == "fp32" for entry in entries):
        reasons = "; ".join(f"{each.name}: {each.excluded}" for each in excluded if each.precision == "fp32")
        raise Unsupported(f"no engine opens the model in fp32 ({reasons})", "see 'glassworks catalog' for engines")
    return entries, excluded + failures


def _name(artifact: Artifact, runtime: Runtime, taken: set[str]) -> str:
    """What people call a candidate, told from all others: its precision or its pass, and its engine."""
    first = "fp32" if artifact.precision == "fp32" else artifact.made_by
    further = (f"{artifact.made_by} {number}" for number in itertools.count(2))
    words = itertools.chain((first, artifact.made_by), further)
    return next(name for word in words if (name := f"{word} {runtime.name}") not in taken)


def _artifacts(trial: Trial, progress: Progress) -> tuple[list[Artifact], list[Candidate]]:
    """What was exported, and then what each pass makes of it, with the name of the pass."""
    artifacts, failures = [trial.opened.artifact], []
    known: dict[Path, tuple[bytes, str]] = {}
    _require_kept(trial.opened.path, "the export", known)
    for name in sorted(found(Pass), key=lambda name: _ORDER.index(found(Pass)[name].precision)):
        if trial.opened.artifact.format not in found(Pass)[name].accepts:
            continue  # it is for other kinds of models
        progress.start(f"optimize: {name}")
        try:
            made = get(Pass, name).apply(trial.opened, trial.calibration)
        except GlassworksError as error:
            precision = found(Pass)[name].precision
            failures.append(Candidate(name=name, engine="", precision=precision, excluded=error.problem))
        else:
            artifacts.append(made.model_copy(update={"made_by": name}))
            _require_kept(trial.opened.folder / made.file, name, known)
    return artifacts, failures


def _require_kept(path: Path, maker: str, known: dict[Path, tuple[bytes, str]]) -> None:
    """Raise Unsupported where a pass has written over what another one had made: both would be measured as one."""
    if not path.is_file():
        return  # engines say so
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    before, first = known.setdefault(path, (digest, maker))
    if digest != before:
        raise Unsupported(
            f"the pass '{maker}' wrote over {path.name}, which {first} had made",
            "have each pass write a file of a name of its own",
        )


def _judge(trial: Trial, entries: list[_Entry], progress: Progress) -> tuple[_Metrics, list[Candidate]]:
    """Metrics by name, and those that failed. Raises what the last one raised where none in fp32 is left."""
    progress.start("optimize: accuracy", len(entries))
    metrics: _Metrics = {}
    failed: list[Candidate] = []
    guard = trial.task.guard(trial.targets)
    fp32 = {entry.name for entry in entries if entry.artifact.precision == "fp32"}
    for entry in entries:
        try:
            metrics[entry.name] = trial.task.evaluate(
                partial(predict_all, entry.session, trial.validation, progress=progress), trial.targets
            )
        except Cancelled:
            raise
        except Exception as error:  # engines raise many classes
            fp32.discard(entry.name)
            if not fp32:
                raise
            failed.append(_excluded(entry.name, entry.artifact, _reason(error)))
        else:
            progress.update(candidate=entry.name, **{guard: metrics[entry.name][guard].value})
    return metrics, failed


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def _excluded(name: str, artifact: Artifact, reason: str) -> Candidate:
    return Candidate(name=name, engine=artifact.runtime, precision=artifact.precision, excluded=reason)


def _measure(
    trial: Trial, entries: Sequence[_Entry], metrics: _Metrics, config: OptimizationConfig, progress: Progress
) -> list[Candidate]:
    sessions = {entry.name: entry.session for entry in entries}
    latencies: dict[int, Mapping[str, tuple[float, float]]] = {}
    share = config.budget / len(config.batch_sizes)
    for batch in config.batch_sizes:
        progress.start(f"optimize: latency at batch {batch}")
        latencies[batch] = measure_latencies(sessions, trial.validation, batch, share, progress)
    return [
        Candidate(
            name=entry.name,
            engine=entry.artifact.runtime,
            precision=entry.artifact.precision,
            latency_p50_ms={batch: measured[entry.name][0] for batch, measured in latencies.items()},
            latency_p99_ms={batch: measured[entry.name][1] for batch, measured in latencies.items()},
            size_bytes=_size(entry.artifact, trial.opened.folder),
            metrics=metrics[entry.name],
            computes_fp32=entry.artifact.computes_fp32,
        )
        for entry in entries
    ]


def _size(artifact: Artifact, folder: Path) -> int:
    """Bytes of all files that it is served from."""
    return sum((folder / name).stat().st_size for name in (artifact.file, *artifact.beside))


def _key(objective: Objective, reference: Candidate) -> Callable[[Candidate], float]:
    return lambda candidate: objective.minimize.of(candidate, reference)


def _reference(candidates: list[Candidate], trained: set[str], objective: Objective) -> Candidate:
    """What passes make is compared with what was trained; where no engine runs that, with the next best."""
    exact = [c for c in candidates if c.name in trained] or [c for c in candidates if c.precision == "fp32"]
    return min(exact, key=_key(objective, candidates[0]))


def _choose(candidates: list[Candidate], reference: Candidate, objective: Objective) -> tuple[Candidate, list[str]]:
    value = _key(objective, reference)
    feasible = [c for c in candidates if all(rule.holds(c, reference) for rule in objective.within)]
    if not feasible:
        nearest = min(candidates, key=lambda c: sum(not rule.holds(c, reference) for rule in objective.within))
        broken = [rule.text for rule in objective.within if not rule.holds(nearest, reference)]
        raise Unsupported(
            f"no candidate keeps the constraints; the nearest, {nearest.name}, breaks: {', '.join(broken)}",
            "relax that constraint in [optimization] within",
        )
    best = min(map(value, feasible))
    close = [c for c in feasible if value(c) <= best * (1 + _TIE)]
    chosen = min(close, key=lambda c: (_ORDER.index(c.precision), value(c)))
    return chosen, _notes(chosen, reference, candidates, feasible, objective)


def _notes(
    chosen: Candidate,
    reference: Candidate,
    candidates: list[Candidate],
    feasible: list[Candidate],
    objective: Objective,
) -> list[str]:
    notes = []
    for candidate in candidates:
        if candidate not in feasible:
            broken = [rule.text for rule in objective.within if not rule.holds(candidate, reference)]
            notes.append(f"{candidate.name} breaks {', '.join(broken)}")
    for batch, latency in chosen.latency_p50_ms.items():
        if latency > 1.05 * reference.latency_p50_ms[batch]:
            ratio = latency / reference.latency_p50_ms[batch]
            notes.append(f"at batch {batch}, {chosen.name} takes {ratio:.2f} times as long as {reference.name}")
    for name, measured in chosen.metrics.items():
        loss = reference.metrics[name].value - measured.value
        if (loss if measured.higher_is_better else -loss) > 0:
            notes.append(f"{name} is {measured.value:.4f}, {reference.name} has {reference.metrics[name].value:.4f}")
    return notes


def _certainty(objective: Objective, examples: int) -> list[str]:
    """A drop below one example's weight, or within the noise of the split, cannot be told from none."""
    return [
        f"{examples} validation examples resolve steps of {100 / examples:.2f} %: '{rule.text}' is judged on the "
        "observed difference and is not a guarantee for new data"
        for rule in objective.within
        if rule.quantity.drop and examples < 10_000
    ]
