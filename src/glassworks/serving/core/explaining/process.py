"""Explains in a process of its own, which the system lets run when the server does not need the core."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from glassworks.errors import Overloaded
from glassworks.serving.core.explaining import messages

if TYPE_CHECKING:
    from glassworks.contracts import Explanation, Tensors
    from glassworks.packaging.opened import OpenedBundle
    from glassworks.serving.core.explaining.rows import ExplainOptions

_WORKER = "glassworks.serving.core.explaining.worker"
_GRACE_S = 1.0
"""A process that closes its pipes ends soon after."""


@dataclass(frozen=True)
class _Child:
    """A running process, the pipes to and from it, and the bundles that it may hold open."""

    process: subprocess.Popen[bytes]
    questions: IO[bytes]
    answers: IO[bytes]
    held: set[tuple[str, str]] = field(default_factory=set)


class Apart:
    """Starts the process when a row is to be explained and none runs; one that dies costs the row that it was at."""

    apart = True

    def __init__(self) -> None:
        self._child: _Child | None = None
        self._turn, self._sending = threading.Lock(), threading.Lock()
        self._closed = False

    def explain(self, opened: OpenedBundle, example: Tensors, options: ExplainOptions) -> Explanation:
        """Explain one row of checked inputs. Raises InputError, BundleError; Overloaded where the process died."""
        folder, sha256 = key = _key(opened)
        with self._turn:
            try:
                with self._sending:
                    child = self._running()
                    child.held.add(key)
                    memory = str(opened.memory.file) if opened.memory is not None else ""
                    question = messages.Explain(folder, sha256, dict(example), options, memory)
                    messages.send(child.questions, question)
                told = messages.answer(child.answers)
            except (OSError, EOFError, ValueError) as error:
                raise Overloaded(f"the process that explains {self._end(error)}", "send the request again") from None
        if isinstance(told, messages.Refused):
            raise messages.error(told)
        if isinstance(told, messages.Broken):
            raise RuntimeError(f"in the process that explains:\n{told.traceback}")
        return messages.explanation(told)

    def let_go(self, opened: OpenedBundle) -> None:
        """Have the process close a bundle, once it has done what it is at."""
        folder, sha256 = key = _key(opened)
        with self._sending:
            child = self._child
            if child is not None and key in child.held:
                child.held.discard(key)
                # Where it is dead, nothing is open; the next row starts another one.
                with contextlib.suppress(OSError):
                    messages.send(child.questions, messages.LetGo(folder, sha256))

    def close(self) -> None:
        """End the process; a row that it is at gets Overloaded."""
        self._closed = True
        child = self._child
        if child is not None:
            # Before the locks: whoever holds one waits for this process.
            child.process.kill()
        with self._turn:
            self._end(EOFError())

    @property
    def process_id(self) -> int | None:
        """The process that explains, where one was started."""
        return self._child.process.pid if self._child is not None else None

    def _running(self) -> _Child:
        if self._closed:
            raise EOFError
        if self._child is None:
            self._child = _start()
        return self._child

    def _end(self, error: Exception) -> str:
        """Do away with the process that gave this error; how it ended."""
        with self._sending:
            child, self._child = self._child, None
        code = _buried(child.process) if child is not None else 0
        for pipe in (child.questions, child.answers) if child is not None else ():
            # What was not yet written cannot be.
            with contextlib.suppress(OSError):
                pipe.close()
        if self._closed:
            return "has ended with the service"
        if child is None:
            return f"cannot be started: {error}"
        return f"ended with the code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"


def _buried(process: subprocess.Popen[bytes]) -> int:
    """The code of a process that ends, or is ended."""
    try:
        return process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _key(opened: OpenedBundle) -> tuple[str, str]:
    return str(opened.bundle.folder), opened.bundle.sha256


def _start() -> _Child:
    # It finds the modules that this process finds, and no others: `-P` keeps the working folder out.
    path = os.pathsep.join(str(Path(place).absolute()) for place in sys.path)
    process = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-P", "-m", _WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
        # Ctrl-C in a terminal is told to the server alone, which lets this one end what it is at.
        process_group=0 if os.name == "posix" else None,
    )
    if process.stdin is None or process.stdout is None:
        raise OSError("a process without pipes was started")
    return _Child(process, process.stdin, process.stdout)
