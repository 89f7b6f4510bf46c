"""The engine process: an engine behind a pipe. It ends with whoever holds the other end."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from glassworks.contracts import Chunk, Feedback
from glassworks.errors import GlassworksError, Tampered
from glassworks.packaging.bundle import read_bundle
from glassworks.packaging.opened import OpenedBundle
from glassworks.serving.core.engines import messages
from glassworks.serving.core.engines.client import EngineClient
from glassworks.serving.core.engines.local import LocalEngine
from glassworks.serving.core.engines.outgoing import Outgoing
from glassworks.serving.core.engines.shared import SharedMemory
from glassworks.serving.core.streaming import MAX_THREADS
from glassworks.serving.core.worker import give_way, step_back

_LEAST = 19
"""The lowest priority where the system knows no policy for what is to run only when nothing else does."""


class Server:
    """Answers requests for one engine, on threads of their own for predictions, explanations and each stream."""

    def __init__(self, channel: messages.Channel, engine: EngineClient) -> None:
        self._channel, self._engine = channel, engine
        self._computing, self._streaming = ThreadPoolExecutor(1, "infer"), ThreadPoolExecutor(MAX_THREADS, "stream")
        self._explaining = ThreadPoolExecutor(1, "explain", initializer=step_back)
        self._streams: dict[int, Outgoing] = {}
        self._left: dict[int, threading.Event] = {}
        """Explanations that wait or are under way; the event says that nobody waits for one any longer."""

    def take(self, request: messages.Message) -> None:
        """Begin what is asked for."""
        match request:
            case messages.Infer():
                self._computing.submit(self._answer, request.id, lambda: self._infer(request), request.shared)
            case messages.Explain():
                self._left[request.id] = threading.Event()
                self._explaining.submit(self._answer, request.id, lambda: self._explain(request))
            case messages.Stream():
                self._stream(request)
            case messages.Next() if (stream := self._streams.get(request.id)) is not None:
                stream.allow(request.chunks)
            case messages.Cancel() if (left := self._left.get(request.id)) is not None:
                left.set()
            case messages.Cancel() if (stream := self._streams.get(request.id)) is not None:
                self._engine.cancel(request.id)
                stream.cancel()

    def _infer(self, request: messages.Infer) -> messages.Response:
        return messages.Outputs(request.id, dict(self._engine.infer(request.tensors)))

    def _explain(self, request: messages.Explain) -> messages.Response:
        try:
            found = self._engine.explain(request.example, request.options, self._left[request.id])
        finally:
            del self._left[request.id]
        return messages.explained(request.id, found)

    def _stream(self, request: messages.Stream) -> None:
        """Send the first chunk: it may be refused, or its reader may let it wait, before much is computed."""
        number = request.id

        def send(chunk: Chunk) -> None:
            self._channel.send(messages.part(number, chunk))

        def end(error: Exception | None) -> None:
            del self._streams[number]
            with contextlib.suppress(BrokenPipeError):
                self._channel.send(messages.End(number) if error is None else failure(number, error))

        chunks = self._engine.stream(number, request.tensors, request.parameters)
        self._streams[number] = Outgoing(chunks, send, end, self._streaming)
        self._streams[number].allow(1)

    def _answer(self, request_id: int, call: Callable[[], messages.Response], shared: bool = False) -> None:
        # A server that went away needs no answer.
        with contextlib.suppress(BrokenPipeError):
            try:
                self._channel.send(call(), shared)
            except Exception as error:  # noqa: BLE001 - engines raise many classes; the server logs what it was
                self._channel.send(failure(request_id, error))


def failure(request_id: int, error: Exception) -> messages.Response:
    """An error as it is sent."""
    if isinstance(error, GlassworksError):
        return messages.refused(request_id, error)
    return messages.Broken(request_id, "".join(traceback.format_exception(error)))


def opened(asked: messages.Open) -> LocalEngine:
    """The engine of a bundle with every file checked. Raises Tampered where another bundle lies there now."""
    bundle = read_bundle(Path(asked.folder))
    if bundle.sha256 != asked.sha256:
        raise Tampered(
            f"{asked.folder}: another bundle lies here than the one that is served",
            "load the model again to serve what lies here",
        )
    found = OpenedBundle(bundle)
    if asked.memory and isinstance(found.task, Feedback):
        found.remember(found.task.memory(Path(asked.memory)))
    engine = LocalEngine(found)
    return engine.prepare(asked.explains) if asked.infers else engine


def _begin(channel: messages.Channel) -> Server:
    """Open what the first message names. Raises what forbids it, once the server knows it."""
    asked = channel.receive()
    if not isinstance(asked, messages.Open):
        raise EOFError
    if not asked.infers:
        # From here on: loading the modules above could last for long at the lowest priority.
        step_back()
        if sys.platform != "linux" and hasattr(os, "nice"):
            os.nice(_LEAST)
    elif asked.steps_back:
        give_way()
    try:
        engine = opened(asked)
    except Exception as error:
        channel.send(failure(0, error))
        raise EOFError from error
    channel.send(messages.Ready(engine.streams))
    return Server(channel, engine)


def main() -> None:
    """Answer until the requests end."""
    # The server decides when this ends: what is in flight when the server stops is still answered.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    writing = os.fdopen(os.dup(1), "wb", messages.PIPE_BYTES)
    # What a library prints must not come between the answers.
    os.dup2(2, 1)
    read, written = (SharedMemory(int(number)) for number in sys.argv[1:])
    channel = messages.Channel(os.fdopen(0, "rb", messages.PIPE_BYTES), writing, read, written)
    code = 0
    try:
        server = _begin(channel)
        while True:
            server.take(channel.receive())
    except (EOFError, BrokenPipeError):
        pass
    except Exception:  # noqa: BLE001 - without a reader nothing is answered any longer, whatever it was
        traceback.print_exc()
        code = 1
    # At once, in the middle of a long call too.
    os._exit(code)


if __name__ == "__main__":
    main()
