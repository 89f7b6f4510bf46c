"""An engine in a process of its own, which is started again whenever it dies."""

from __future__ import annotations

import contextlib
import copy
import itertools
import math
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.errors import Overloaded
from glassworks.serving.core.engines import messages
from glassworks.serving.core.engines.client import EngineClient, EngineStats
from glassworks.serving.core.engines.shared import SharedMemory

if TYPE_CHECKING:
    from glassworks.contracts import Chunk, Explanation, Tensors
    from glassworks.serving.core.explanations import ExplainOptions
    from glassworks.serving.supervision import Supervisor

_TUNED, _LARGE_PAGES = "GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"
"""Weights in pages of 2 MB, where the system gives them: a language model's token takes 6 % less time."""
_CHILD = "glassworks.serving.core.engines.child"
_GRACE_S = 1.0
"""A process that closes its pipes ends soon after."""
_AHEAD = 8
"""Chunks of a stream that may be on their way to who reads, once the first one was taken."""
_WORTH_WAITING_S = 1.0
"""Requests wait for a process that is started again that soon; later they are refused at once."""
_LOOKING_S = 0.1
"""How often is looked whether anybody still waits for an explanation."""
_MEND = "send the request again"
Answers = queue.SimpleQueue[messages.Message | Exception]


class Backoff:
    """Pauses before a process is started again: longer and longer, short again after one that stayed up."""

    def __init__(self, first_s: float = 0.1, longest_s: float = 30.0) -> None:
        self._first_s, self._longest_s = first_s, longest_s
        self._next_s = first_s

    def pause_s(self, up_s: float) -> float:
        """The pause after a process that ran for so long."""
        pause = self._first_s if up_s > self._longest_s else self._next_s
        self._next_s = min(2 * pause, self._longest_s)
        return pause


@dataclass(frozen=True, eq=False)
class _Child:
    """A running process, and who waits for answers of it."""

    process: subprocess.Popen[bytes]
    channel: messages.Channel
    waiting: dict[int, Answers] = field(default_factory=dict)

    def send(self, message: messages.Message, shared: bool = False) -> None:
        """Where it is dead, whoever waits will know from the one that reads."""
        with contextlib.suppress(OSError, ValueError):
            self.channel.send(message, shared)


class ProcessEngine(EngineClient):
    """Keeps one process going. One that dies costs what was under way there; `supervisor` knows of it meanwhile.

    One that infers is started here; one that only explains, with the first row.
    """

    def __init__(self, name: str, opening: messages.Open, supervisor: Supervisor) -> None:
        """`name` is model and version. Raises what forbids to open the bundle."""
        self._part = f"{'engine' if opening.infers else 'explaining'} process of {name}"
        self._opening, self._supervisor = opening, supervisor
        self._changed = threading.Condition()
        self._keeper: threading.Thread | None = None
        self._child: _Child | None = None
        self._problem: Exception = Overloaded(f"the {self._part} does not run", _MEND)
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = self._ended = 0
        """How often it was started, and which of these was the last to end."""
        self._retry_at = 0.0
        self._closed = threading.Event()
        self._numbers = itertools.count(1)
        self._shared = threading.Lock()
        """Held by the one request at a time that uses the shared memory."""
        self._streams: dict[int, tuple[_Child, int]] = {}
        if opening.infers:
            try:
                with self._changed:
                    self._running()
            except BaseException:
                self.close()
                raise

    def infer(self, tensors: Tensors) -> Tensors:
        shared = self._shared.acquire(blocking=False)
        try:
            number, child, answers = self._register()
            child.send(messages.Infer(number, dict(tensors), shared), shared)
            answer = _answer(answers)
            outputs: Tensors = answer.tensors if isinstance(answer, messages.Outputs) else {}
            return {name: values.copy() for name, values in outputs.items()} if shared else outputs
        finally:
            if shared:
                self._shared.release()

    def explain(self, example: Tensors, options: ExplainOptions, left: threading.Event | None = None) -> Explanation:
        number, child, answers = self._register()
        child.send(messages.Explain(number, dict(example), options))
        while left is not None and answers.empty():
            if left.is_set():
                child.send(messages.Cancel(number))
                break
            with contextlib.suppress(queue.Empty):
                answers.put(answers.get(timeout=_LOOKING_S))
        answer = _answer(answers)
        if not isinstance(answer, messages.Explained):
            raise TypeError(f"{type(answer).__name__} is no explanation")
        return messages.explanation(answer)

    def stream(self, request_id: int, tensors: Tensors, parameters: Mapping[str, Any]) -> Generator[Chunk, None, None]:
        number, child, answers = self._register()
        self._streams[request_id] = child, number
        child.send(messages.Stream(number, dict(tensors), dict(parameters)))
        more = _AHEAD
        try:
            while isinstance(answer := _answer(answers), messages.Part):
                yield messages.chunk(answer)
                child.send(messages.Next(number, more))
                more = 1
        finally:
            del self._streams[request_id]
            if child.waiting.pop(number, None) is not None:
                child.send(messages.Cancel(number))

    def cancel(self, request_id: int) -> None:
        if (found := self._streams.get(request_id)) is not None:
            child, number = found
            child.send(messages.Cancel(number))

    def stats(self) -> EngineStats:
        child = self._child
        return EngineStats(
            process_id=child.process.pid if child is not None else None,
            restarts=max(0, self._starts - 1),
            streams=len(self._streams),
        )

    def close(self) -> None:
        with self._changed:
            self._closed.set()
            self._problem = Overloaded(f"the {self._part} has ended with the service", _MEND)
            process, keeper = self._process, self._keeper
            self._changed.notify_all()
        if process is not None:
            process.kill()
        if keeper is not None:
            keeper.join()
        self._supervisor.forget(self._part)

    def _register(self) -> tuple[int, _Child, Answers]:
        """A number for a request to a running process, and where its answers come."""
        number, answers = next(self._numbers), Answers()
        with self._changed:
            child = self._running()
            child.waiting[number] = answers
        return number, child, answers

    def _running(self) -> _Child:
        """The process, once it is there; the caller holds the lock. Raises what keeps it from being there soon."""
        if self._keeper is None and not self._closed.is_set():
            self._keeper = threading.Thread(target=self._keep, name=self._part, daemon=True)
            self._keeper.start()
        starts = self._starts
        while self._child is None:
            late = self._retry_at - time.monotonic() > _WORTH_WAITING_S
            if late or self._closed.is_set() or self._ended > starts:
                raise copy.copy(self._problem)
            self._changed.wait()
        return self._child

    def _keep(self) -> None:
        """Start the process and read what it says, again and again. Runs on a thread of its own."""
        backoff = Backoff()
        while not self._closed.is_set():
            self._starts += 1
            began = time.monotonic()
            child: _Child | None = None
            try:
                child = self._start()
                self._read(child)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is started again
                self._fail(child, error, backoff.pause_s(time.monotonic() - began))
            self._closed.wait(self._retry_at - time.monotonic())

    def _start(self) -> _Child:
        child = _started()
        with self._changed:
            self._process = child.process
            if self._closed.is_set():
                child.process.kill()
        return child

    def _read(self, child: _Child) -> None:
        """Bring answers to those who wait, until the process ends. Raises how it ended."""
        child.channel.send(self._opening)
        ready = child.channel.receive()
        if isinstance(ready, messages.Refused | messages.Broken):
            raise messages.error(ready)
        self.streams = isinstance(ready, messages.Ready) and ready.streams
        with self._changed:
            self._child = child
            self._changed.notify_all()
        self._supervisor.recovered(self._part)
        while True:
            answer = child.channel.receive()
            if isinstance(answer, messages.Part):
                answers = child.waiting.get(answer.id)
            else:
                answers = child.waiting.pop(getattr(answer, "id", 0), None)
            if answers is not None:
                answers.put(answer)

    def _fail(self, child: _Child | None, error: Exception, pause_s: float) -> None:
        """Do away with the process that gave this error, and give the reason to those who wait for it."""
        with self._changed:
            self._child = None
        if isinstance(error, OSError | EOFError | ValueError):
            reason = _buried(child) if child is not None else f"cannot be started: {error}"
            error = Overloaded(f"the {self._part} {reason}", _MEND, math.ceil(pause_s))
        elif child is not None:
            _buried(child)
        with self._changed:
            if not self._closed.is_set():
                self._problem = error
                self._supervisor.suffers(self._part, f"{error.args[0]}; it is started again")
            self._ended, self._retry_at = self._starts, time.monotonic() + pause_s
            self._changed.notify_all()
        # Whoever wakes up leaves, while the others are still to be woken.
        for answers in list(child.waiting.values()) if child is not None else ():
            answers.put(copy.copy(self._problem))


def _answer(answers: Answers) -> messages.Message:
    """The next answer. Raises what came instead of one."""
    answer = answers.get()
    if isinstance(answer, Exception):
        raise answer
    if isinstance(answer, messages.Refused | messages.Broken):
        raise messages.error(answer)
    return answer


def _buried(child: _Child) -> str:
    """How a process ended that closed its pipes, or is ended."""
    try:
        code = child.process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        child.process.kill()
        code = child.process.wait()
    child.channel.close()
    return f"ended with the code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"


def _started() -> _Child:
    # It finds the modules that this process finds, and no others: `-P` keeps the working folder out.
    path = os.pathsep.join(str(Path(folder).absolute()) for folder in sys.path)
    requests, answers = SharedMemory(), SharedMemory()
    try:
        process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-P", "-m", _CHILD, str(requests.file), str(answers.file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=messages.PIPE_BYTES,
            env={_TUNED: _LARGE_PAGES, **os.environ, "PYTHONPATH": path},
            pass_fds=(requests.file, answers.file),
            # Ctrl-C in a terminal goes to the server alone, which lets this one end what it is at.
            process_group=0,
        )
    except BaseException:
        requests.close()
        answers.close()
        raise
    if process.stdin is None or process.stdout is None:
        raise OSError("a process without pipes was started")
    return _Child(process, messages.Channel(process.stdout, process.stdin, read=answers, written=requests))
