"""Makes every candidate of a search: each artifact, of the export and of each pass, in every runtime that takes it."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.catalog import found, get
from glassworks.config import OptimizationConfig
from glassworks.contracts import (
    Artifact,
    Candidate,
    Measurement,
    Opened,
    Pass,
    Precision,
    Progress,
    Runtime,
    Session,
    Task,
)
from glassworks.errors import GlassworksError, Unsupported
from glassworks.optimization.chains import applied
from glassworks.optimization.computed import exact, layers_of, shares
from glassworks.runtimes import open_session

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from glassworks.contracts import Tensors


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
        """What no candidate may lose where nothing is said; F1 of several labels counts rare ones already."""
        return "balanced_accuracy" if self.balanced and self.targets.ndim == 1 else self.task.guard(self.targets)


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A candidate before it is opened. `name` is that of no other one; `trained` says that no pass has changed the
    artifact, `size_bytes` is that of all files that it is served from.
    """

    name: str
    artifact: Artifact
    trained: bool
    runtime: Runtime
    made_for: str
    size_bytes: int

    def open(self, trial: Trial) -> Session:
        """Raises GlassworksError with the reason why its runtime does not run it."""
        precision = self.artifact.precision
        if reason := refusal(self.runtime, precision, made_for=self.made_for):
            raise Unsupported(reason, "choose another runtime")
        if self.made_for not in ("", self.runtime.name):
            raise Unsupported(f"it computes in {precision} in {self.made_for} alone", "choose that runtime")
        opened = Opened(artifact=self.artifact, folder=trial.opened.folder, searched=True)
        return open_session(trial.task, opened, trial.preprocessing, limited=False)

    def candidate(self) -> Candidate:
        """Its row before anything is measured."""
        return Candidate(
            name=self.name,
            engine=self.runtime.name,
            precision=self.artifact.precision,
            size_bytes=self.size_bytes,
        )

    def measured(self, metrics: Mapping[str, Measurement], folder: Path) -> Candidate:
        """Its row with its metrics, and with what its engine says that it computes, which opens it once more."""
        layers = layers_of(self.artifact, folder)
        update = {
            "metrics": dict(metrics),
            "computes_fp32": exact(layers, self.artifact),
            "computes": shares(layers),
        }
        return self.candidate().model_copy(update=update)

    def excluded(self, reason: str) -> Candidate:
        """Its row where nothing was measured."""
        return Candidate(name=self.name, engine=self.runtime.name, precision=self.artifact.precision, excluded=reason)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A candidate that is open."""

    planned: Planned
    session: Session

    @property
    def name(self) -> str:
        return self.planned.name


def planned(trial: Trial, config: OptimizationConfig, progress: Progress) -> tuple[list[Planned], list[Candidate]]:
    """Every artifact with every runtime that takes it; and the passes that made none, with the reason."""
    found_ones: list[Planned] = []
    names: set[str] = set()
    artifacts, failures = _artifacts(trial, progress)
    for artifact in artifacts:
        for runtime in found(Runtime).values():
            if artifact.format not in runtime.accepts:
                continue
            name = _name(artifact, runtime, names)
            names.add(name)
            found_ones.append(
                Planned(
                    name=name,
                    artifact=artifact.model_copy(update={"runtime": runtime.name, "threads": config.threads}),
                    trained=artifact is artifacts[0],
                    runtime=runtime,
                    made_for=artifact.runtime,
                    size_bytes=_size(artifact, trial.opened.folder),
                )
            )
    return found_ones, failures


def open_candidates(
    trial: Trial, config: OptimizationConfig, progress: Progress
) -> tuple[list[Entry], list[Candidate]]:
    """Every artifact in every runtime that takes it; and what was left out, with the reason."""
    entries: list[Entry] = []
    excluded: list[Candidate] = []
    every, failures = planned(trial, config, progress)
    for each in every:
        progress.check()
        try:
            entries.append(Entry(planned=each, session=each.open(trial)))
        except GlassworksError as error:
            excluded.append(each.excluded(error.problem))
    require_trained([entry.planned for entry in entries], excluded)
    return entries, excluded + failures


def require_trained(opened: Sequence[Planned], excluded: Sequence[Candidate]) -> None:
    """Raise Unsupported where nothing was opened in fp32."""
    if not any(each.artifact.precision == "fp32" for each in opened):
        reasons = "; ".join(f"{each.name}: {each.excluded}" for each in excluded if each.precision == "fp32")
        raise Unsupported(f"no engine opens the model in fp32 ({reasons})", "see 'glassworks catalog' for engines")


def refusal(runtime: Runtime, precision: Precision, made_for: str = "") -> str:
    """Why the runtime does not compute in that precision; empty where it does, or where a pass made it for it."""
    if made_for == runtime.name:
        return runtime.precisions.get(precision, "")
    return runtime.precisions.get(precision, f"{runtime.name} does not compute in {precision}")


def _name(artifact: Artifact, runtime: Runtime, taken: set[str]) -> str:
    """What people call a candidate, unlike all others: its precision or its pass, and its engine."""
    first = "fp32" if artifact.precision == "fp32" else artifact.made_by
    further = (f"{artifact.made_by} {number}" for number in itertools.count(2))
    words = itertools.chain((first, artifact.made_by), further)
    return next(name for word in words if (name := f"{word} {runtime.name}") not in taken)


def _artifacts(trial: Trial, progress: Progress) -> tuple[list[Artifact], list[Candidate]]:
    """What was exported, and then what each pass makes of it or of what another one made, with the name of the pass."""
    made = {"": trial.opened.artifact}
    failures = []
    known: dict[Path, tuple[bytes, str]] = {}
    _require_kept(trial.opened.folder, made[""], "the export", known)
    for name in _in_order(trial.opened.artifact.format):
        progress.start(f"optimize: {name}")
        try:
            artifact = _made(trial, get(Pass, name), made)
        except GlassworksError as error:
            precision = found(Pass)[name].precision
            failures.append(Candidate(name=name, engine="", precision=precision, excluded=error.problem))
        else:
            made[name] = artifact
            _require_kept(trial.opened.folder, artifact, name, known)
    return list(made.values()), failures


def _in_order(form: str) -> list[str]:
    """Passes for artifacts of that format, the most precise first, each after the one whose artifact it takes."""
    passes = {name: each for name, each in found(Pass).items() if form in each.accepts and each.by_itself}
    return sorted(passes, key=lambda name: (-passes[name].exactness, bool(passes[name].after)))


def _made(trial: Trial, one: Pass, made: Mapping[str, Artifact]) -> Artifact:
    if one.after not in made:
        raise Unsupported(f"it takes what '{one.after}' makes, which was not possible", f"mend '{one.after}' first")
    return applied(one, Opened(artifact=made[one.after], folder=trial.opened.folder), trial.calibration)


def _require_kept(folder: Path, artifact: Artifact, maker: str, known: dict[Path, tuple[bytes, str]]) -> None:
    """Raise Unsupported where a pass has written over what another one had made: both would be measured as one."""
    for path in (folder / name for name in (artifact.file, *artifact.beside)):
        if not path.is_file():
            continue  # engines say so
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()
        before, first = known.setdefault(path, (digest, maker))
        if digest != before:
            raise Unsupported(
                f"the pass '{maker}' wrote over {path.name}, which {first} had made",
                "have each pass write a file of a name of its own",
            )


def _size(artifact: Artifact, folder: Path) -> int:
    """Bytes of all files that it is served from."""
    return sum(path.stat().st_size for name in (artifact.file, *artifact.beside) if (path := folder / name).is_file())
