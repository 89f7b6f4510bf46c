"""The artifacts of parts as they are measured: each opened once, models that write one at a time."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from glassworks.contracts import Generation, Opened, Session
from glassworks.packaging.parts import Parts
from glassworks.runtimes import open_session


class Sessions:
    """Call it for the session of a role, which is the predicting one where the parts have no artifact of that role.

    At the end of the context all are closed. Of models that write, which are large, one is open at a time.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts, self._open = parts, dict[str, Session]()

    def __call__(self, role: str) -> Session:
        artifact = next((a for a in self._parts.artifacts if a.role == role), None)
        artifact = artifact or next(a for a in self._parts.artifacts if a.role == "predict")
        if artifact.role not in self._open:
            if isinstance(self._parts.task, Generation):
                self.close()
            opened = Opened(artifact=artifact, folder=self._parts.folder)
            self._open[artifact.role] = open_session(self._parts.task, opened, self._parts.preprocessing, limited=False)
        return self._open[artifact.role]

    def completed(self, parts: Parts) -> None:
        """Go on with what is known of the same artifacts now."""
        self._parts = parts
        for artifact in parts.artifacts:
            if session := self._open.get(artifact.role):
                opened = Opened(artifact=artifact, folder=parts.folder)
                known = parts.task.unlimited(parts.preprocessing)
                self._open[artifact.role] = parts.task.wrap(session, opened, known)

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
