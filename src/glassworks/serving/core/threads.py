"""The threads beside the event loop: two for all models, and some for each. A thread begins with its first call."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from glassworks.serving.core.decoding import Decoding
from glassworks.serving.core.engines.process import ProcessEngine
from glassworks.serving.core.streaming import Streaming
from glassworks.serving.core.worker import Worker, step_back

if TYPE_CHECKING:
    from glassworks.serving.core.engines.opening import Engines

_MAX_WAITING = 64
"""Calls that may wait for one thread: explanations, or requests with large files."""


class Threads:
    """The threads of all models: one opens them, one reads large requests."""

    def __init__(self) -> None:
        self.loading = ThreadPoolExecutor(1, "loading", initializer=step_back)
        self.decoding = Decoding("decode", _MAX_WAITING)

    def close(self) -> None:
        """End them; what runs is finished first."""
        self.decoding.close()
        self.loading.shutdown()


class ModelThreads:
    """The threads of one model, so that it never waits for another one."""

    def __init__(self, engines: Engines, shared: Threads) -> None:
        self.computing = ThreadPoolExecutor(1, "infer")
        # A thread that only waits for a process hands its answers on at once.
        waits = isinstance(engines.explaining, ProcessEngine)
        self.explaining = Worker("explain", _MAX_WAITING, _stay if waits else step_back)
        self.decoding = shared.decoding.another()
        self.whole = Worker("whole", _MAX_WAITING)
        """Where one picture goes all its way, while nobody else is there: each step to another thread takes time."""
        self.streaming = Streaming(engines.computing)

    @property
    def idle(self) -> bool:
        """Whether a picture would have all its way for itself."""
        return self.whole.idle and self.decoding.idle

    def close(self) -> None:
        """End them; what runs is finished first."""
        self.computing.shutdown()
        for each in (self.explaining, self.decoding, self.whole, self.streaming):
            each.close()


def _stay() -> None:
    """Keep the usual priority."""
