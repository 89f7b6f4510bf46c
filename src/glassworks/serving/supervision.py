"""What runs beside requests is supervised: a failure is logged, counted and shown in health, and ends nothing else."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Any, ParamSpec

from glassworks.serving.access.masking import masked

_P = ParamSpec("_P")
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 30.0
_QUIET_S = 10.0
"""Between two tracebacks of one part in the log: what fails in every turn must not fill the disk."""
_LONGEST = 200
_log = logging.getLogger("glassworks.serving")


@dataclass(frozen=True, slots=True)
class Trouble:
    """What one part of the service has gone through. `lasting` is what is wrong with it now, empty when it works;
    `lost` counts what could not be kept: lines of a log, requests of the ledger, spans."""

    failures: int = 0
    last: str = ""
    lasting: str = ""
    lost: int = 0


class Supervisor:
    """Keeps the parts of one service going: callbacks, timers, tasks.

    Use it on the event loop's thread; a part with a thread of its own may say from there how it does.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._troubles: dict[str, Trouble] = {}
        self._reported: dict[str, float] = {}
        self.heard: Callable[[str, str], None] | None = None
        """Called with a part and what is wrong with it, whenever that is new; from any thread."""

    @property
    def troubles(self) -> Mapping[str, Trouble]:
        """By the name of the part, as they are now; a part that never failed is not there."""
        return dict(self._troubles)

    def failed(self, part: str, error: BaseException) -> None:
        """Log and count an exception that reached the end of a part of the service."""
        before = self._troubles.get(part, Trouble())
        text = masked(f"{type(error).__name__}: {error}")[:_LONGEST]
        self._troubles[part] = replace(before, failures=before.failures + 1, last=text)
        now = self._clock()
        if now - self._reported.get(part, -_QUIET_S) >= _QUIET_S:
            self._reported[part] = now
            self._say(part, text)
            _log.error("%s failed (%d times so far); it goes on", part, before.failures + 1, exc_info=error)

    def suffers(self, part: str, problem: str) -> None:
        """A part works worse than it should until `recovered`: counted and logged where that is new."""
        before = self._troubles.get(part, Trouble())
        if before.lasting != (reason := masked(problem)[:_LONGEST]):
            self._troubles[part] = replace(before, failures=before.failures + 1, last=reason, lasting=reason)
            self._say(part, reason)
            _log.error("%s: %s", part, reason)

    def _say(self, part: str, text: str) -> None:
        if self.heard is not None:
            self.heard(part, text)

    def recovered(self, part: str) -> None:
        """A part works again as it should."""
        before = self._troubles.get(part)
        if before is not None and before.lasting:
            self._troubles[part] = replace(before, lasting="")
            _log.warning("%s works again", part)

    def forget(self, part: str) -> None:
        """A part is no longer there."""
        self._troubles.pop(part, None)

    def lost(self, part: str, count: int = 1) -> None:
        """A part could not keep so many of what it is there to keep."""
        before = self._troubles.get(part, Trouble())
        self._troubles[part] = replace(before, lost=before.lost + count)

    def guard(self, part: str, call: Callable[_P, object]) -> Callable[_P, None]:
        """The same call for the event loop, of which no exception goes further."""

        @functools.wraps(call)
        def guarded(*arguments: _P.args, **named: _P.kwargs) -> None:
            try:
                call(*arguments, **named)
            except Exception as error:  # noqa: BLE001 - nothing that fails here may end what called it
                self.failed(part, error)

        return guarded

    def keep(self, part: str, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        """A task that begins `work` again, after longer and longer pauses, as often as it raises.

        It ends when `work` returns or the task is cancelled. The caller holds the task.
        """
        return asyncio.get_running_loop().create_task(self._keep(part, work), name=part)

    async def _keep(self, part: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            begun = self._clock()
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - whatever happens, the part goes on
                self.failed(part, error)
            else:
                return
            # What worked for long has earned a quick new beginning.
            pause = _FIRST_PAUSE_S if self._clock() - begun > _LONGEST_PAUSE_S else min(2 * pause, _LONGEST_PAUSE_S)
            await asyncio.sleep(pause)

    def loop_failed(self, loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        """For `loop.set_exception_handler`: what nobody else caught."""
        error = context.get("exception")
        if isinstance(error, BaseException):
            self.failed("event loop", error)
        else:
            loop.default_exception_handler(dict(context))
