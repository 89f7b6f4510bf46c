"""An opened bundle: predict and explain in this process, with no training library."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from glassworks.catalog import get
from glassworks.contracts import Budget, Device, Explanation, Feedback, Generation, Memory, Session, Subject, Task
from glassworks.errors import InputError, Unsupported
from glassworks.packaging.bundle import Bundle
from glassworks.packaging.promises import check_declared, check_kept, missing_explainers, offered_explainers, truthful
from glassworks.runtimes import open_session

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from glassworks.contracts import Array, Tensors
    from glassworks.packaging.manifest import Manifest


def memory_file(home: Path, name: str) -> Path:
    """Where the feedback on a model lies; whatever its name, a file in that folder."""
    return home / "feedback" / f"{quote(name, safe='')}.sqlite"


def renamed(preprocessing: Mapping[str, Any], columns: Mapping[str, str] | None) -> Mapping[str, Any]:
    """The preprocessing for a table whose columns have these names, by their keys in `[data]`."""
    known = preprocessing.get("columns") or {}
    return {**preprocessing, "columns": {**known, **columns}} if columns else preprocessing


def require_unseen(manifest: Manifest, source: str | None) -> None:
    """Raise Unsupported for data (None: its own test split) that the model has learned from since it was measured."""
    if manifest.refitted and source in (None, manifest.lineage.data, *_files_of_parts(manifest)):
        raise Unsupported(
            f"'{manifest.name}' learned from its own test split after it was measured there",
            "its card has what was measured; or name other data, --data SOURCE, that it did not learn from",
        )


def _files_of_parts(manifest: Manifest) -> tuple[object, ...]:
    data = manifest.job.get("data")
    split = data.get("split") if isinstance(data, dict) else None
    return tuple(split.values()) if isinstance(split, dict) else ()


_HOW = ("method", "target", "baseline", "budget", "seed", "grade")
"""Options of every explanation."""


class OpenedBundle:
    """Opens each artifact once, when it is first asked for. Safe to share between threads."""

    def __init__(self, bundle: Bundle, device: Device = "cpu", *, limited: bool = True) -> None:
        self.bundle, self.missing_explainers = bundle, missing_explainers(bundle.manifest)
        """Methods that the bundle names and that are not installed, with the reasons: it is used without them."""
        self.manifest = bundle.manifest.model_copy(update={"explainers": offered_explainers(bundle.manifest)})
        with truthful(self.manifest.name):
            check_declared(self.manifest)
            self.task = get(Task, self.manifest.task)
        self._device: Device = device
        self._limited = limited
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()
        self.memory: Memory | None = None

    def session(self, role: str) -> Session:
        """The session of an artifact's role. Raises Unsupported where the bundle has none."""
        with self._lock:
            if role not in self._sessions:
                self._sessions[role] = self._open(role)
            return self._sessions[role]

    def recall(self, home: Path, name: str) -> None:
        """Use the feedback on the model of that name, if there is any."""
        file = memory_file(home, name)
        if self.memory is None and isinstance(self.task, Feedback) and file.exists():
            self.remember(self.task.memory(file))

    def remember(self, memory: Memory) -> None:
        """Use this feedback for every answer from now on; whoever opened it closes it."""
        self.memory = memory
        self.session("predict").remember(memory)

    def check(self, role: str) -> None:
        """Raise unless the artifact of a role can be opened; one that is not open already is closed again."""
        if role not in self._sessions:
            self._open(role).close()

    def _open(self, role: str) -> Session:
        artifact, preprocessing = self.bundle.artifact(role), self.manifest.preprocessing
        with truthful(self.manifest.name):
            session = open_session(self.task, artifact, preprocessing, self._device, limited=self._limited)
            if role == "predict":
                check_kept(self.manifest.signature, session.signature, self.manifest.name)
        return session

    def read(self, value: bytes | str) -> Array:
        """One input file, or a text itself, as a stored example (1 ...)."""
        file = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        return self.task.decode(file, self.manifest.preprocessing)[None]

    def budget(self, milliseconds: float | None = None, rows: int | None = None) -> Budget:
        """What an explanation may cost: time, and variants of the example; with the completeness gap that the model's
        job asks for."""
        explanation = self.manifest.job.get("explanation")
        tolerance = explanation.get("tolerance") if isinstance(explanation, dict) else None
        if not isinstance(tolerance, float):
            return Budget(milliseconds=milliseconds, max_rows=rows)
        return Budget(milliseconds=milliseconds, tolerance=tolerance, max_rows=rows)

    def predict(self, x: Array) -> Tensors:
        """The outputs for stored examples (N ...)."""
        return self.session("predict").run(self.task.encode(x, self.manifest.preprocessing))

    def probabilities(self, x: Array) -> NDArray[np.float32]:
        """The first output alone (N K), computed in parts."""
        return self.output(x)

    def output(self, x: Array, name: str = "") -> NDArray[Any]:
        """One output alone, the first unless it is named, computed in parts."""
        from glassworks.optimization.measure import predict_all

        return predict_all(self.session("predict"), self.task.encode(x, self.manifest.preprocessing), name)

    def explain(
        self,
        x: Array,
        *,
        method: str | None = None,
        target: int | str | None = None,
        baseline: float | None = None,
        budget: Budget | None = None,
        seed: int = 0,
        grade: bool = True,
        asked: Mapping[str, Any] | None = None,
    ) -> Explanation:
        """Explain the answer for one stored example (1 ...); the first method of the bundle unless one is named.

        `asked` says of a prompt what is explained, see `language.attribution.asking`.
        """
        from glassworks.explanation import explain

        budget = budget or self.budget()
        return explain(
            self.subject(self.task.encode(x, self.manifest.preprocessing), baseline, asked, budget),
            method=self._method(method),
            target=self.task.target(target, self.manifest.labels),
            budget=budget,
            seed=seed,
            labels=self.manifest.labels,
            artifact_sha256=self.bundle.artifact_sha256("predict"),
            grade=grade,
        )

    def _method(self, name: str | None) -> str:
        methods = self.manifest.explainers
        if not methods:
            raise _no_method(self.task)
        if name is not None and name not in methods:
            raise Unsupported(f"this model has no explanation method '{name}'", f"it has: {', '.join(methods)}")
        return name or methods[0]

    def explaining(self, example: Array | str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Options of `explain` for a stored example: of a prompt, what the example itself asks and the options that
        are its own stand in `asked`. Raises InputError for an option that the model does not know.
        """
        found = {name: value for name, value in options.items() if name in _HOW}
        asked = {name: value for name, value in options.items() if name not in _HOW and value is not None}
        if isinstance(self.task, Generation):
            asked = {**self.task.asked(str(example)), **asked}
        return {**found, "asked": asked}

    def subject(
        self,
        tensors: Tensors,
        baseline: float | None = None,
        asked: Mapping[str, Any] | None = None,
        budget: Budget | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> Subject:
        """One example (input tensors of one row) as explainers see it; of a prompt what is `asked`, within a budget.
        Raises InputError.
        """
        if isinstance(self.task, Generation) and baseline is None:
            return self.task.prompted(tensors, self.session, asked or {}, budget or self.budget(), check)
        if asked:
            raise InputError(f"'{next(iter(asked))}' is asked of a model that writes no text", "leave it out")
        return self.task.subject(tensors, self.session, baseline)

    def close(self) -> None:
        """Give the engines' memory back."""
        with self._lock:
            for session in self._sessions.values():
                session.close()
            self._sessions.clear()


def _no_method(task: Task) -> Unsupported:
    chat = "'/why' in 'glassworks chat' shows how probable each word of an answer was"
    mend = chat if isinstance(task, Generation) else "'glassworks catalog' lists what each family has"
    return Unsupported("this model has no explanation method that is installed", mend)
