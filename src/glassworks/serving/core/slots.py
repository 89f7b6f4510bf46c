"""Slots for answers that take long: so many at a time, and a bounded line that is fair between callers."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable

from glassworks.errors import DeadlineExceeded, Overloaded
from glassworks.serving.core.room import Room
from glassworks.serving.core.work import DEFAULT_LEVEL

_LONGEST_S = 600
_WEIGHT = 0.2
"""Of the answer that ended last, in how long they take."""
_Line = OrderedDict[Hashable, deque["Slot"]]


class Slots:
    """`count` answers at a time; `max_waiting` more may be here, see `Room`.

    A free slot goes to the first priority at which somebody waits, there to the callers in turn, and to each of them
    in the order of arrival. Who has no name is a caller of its own. Belongs to the event loop's thread.
    """

    def __init__(self, count: int, max_waiting: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.count, self._room, self._clock = count, Room(count + max_waiting), clock
        self.open = 0
        """Answers that have a slot."""
        self._lines: dict[int, _Line] = {}
        self._usual_s = 0.0

    @property
    def waiting(self) -> int:
        """Answers that have none yet."""
        return self._room.taken - self.open

    def enter(self, caller: str | None) -> Slot:
        """Come in; nothing is waited for yet. Raises Overloaded, with the time after which that may be different."""
        if not self._room.fits(caller, 1):
            wait_s = self.retry_after_s
            raise Overloaded(
                f"{self.open} answers of this model are under way and {self.waiting} wait, no more may",
                f"try again in {wait_s} s",
                wait_s,
            )
        self._room.enter(caller, 1)
        return Slot(self, caller)

    @property
    def retry_after_s(self) -> int:
        """When who comes now would have a slot, as far as one can know from how long answers have taken."""
        return min(max(1, math.ceil(self._usual_s * (self.waiting + 1) / self.count)), _LONGEST_S)

    def take(self) -> bool:
        """Take a slot, if one is free."""
        free = self.open < self.count
        self.open += free
        return free

    def line_up(self, slot: Slot, level: int) -> None:
        """Let it wait for its turn."""
        self._lines.setdefault(level, OrderedDict()).setdefault(slot.caller, deque()).append(slot)

    def step_out(self, slot: Slot, level: int) -> None:
        """It waits no longer."""
        line = self._lines[level]
        line[slot.caller].remove(slot)
        self._tidy(line, slot.caller, level)

    def leave(self, caller: str | None, spent_s: float | None) -> None:
        """Go; `spent_s` is how long it had a slot, None for never."""
        self._room.leave(caller, 1)
        if spent_s is None:
            return
        self.open -= 1
        self._usual_s += (spent_s - self._usual_s) * (_WEIGHT if self._usual_s else 1.0)
        self._hand_on()

    def now(self) -> float:
        """Seconds that pass."""
        return self._clock()

    def _hand_on(self) -> None:
        while self._lines and self.open < self.count:
            level = min(self._lines)
            line = self._lines[level]
            caller, flow = line.popitem(last=False)
            slot = flow.popleft()
            line[caller] = flow
            self._tidy(line, caller, level)
            self.open += 1
            slot.granted()

    def _tidy(self, line: _Line, caller: Hashable, level: int) -> None:
        if not line[caller]:
            del line[caller]
        if not line:
            del self._lines[level]


class Slot:
    """One answer among them: it waits, has a slot, and leaves, once."""

    def __init__(self, slots: Slots, name: str | None) -> None:
        self._slots, self._name = slots, name
        self.caller: Hashable = name if name is not None else self
        self._entered_s, self._begun_s = slots.now(), 0.0
        self._turn: asyncio.Future[None] | None = None
        self._left = self._has_one = False

    async def wait(self, timeout_ns: int = 0, level: int = DEFAULT_LEVEL) -> None:
        """Return as soon as it has a slot. Raises DeadlineExceeded, `timeout_ns` after it came in (0: never)."""
        if self._slots.take():
            self.granted()
            return
        loop = asyncio.get_running_loop()
        self._turn = loop.create_future()
        self._slots.line_up(self, level)
        left_s = self._entered_s + timeout_ns * 1e-9 - self._slots.now()
        timer = loop.call_later(left_s, self._expire, timeout_ns) if timeout_ns else None
        try:
            await self._turn
        finally:
            if timer is not None:
                timer.cancel()
            if not self._has_one:
                self._slots.step_out(self, level)

    def granted(self) -> None:
        """It has a slot from now on."""
        self._has_one, self._begun_s = True, self._slots.now()
        if self._turn is not None and not self._turn.done():
            self._turn.set_result(None)

    @property
    def waited_ns(self) -> int:
        """How long it was here without a slot, in the end."""
        return int((self._begun_s - self._entered_s) * 1e9) if self._has_one else 0

    def leave(self) -> None:
        """Give it to the next one."""
        if not self._left:
            self._left = True
            self._slots.leave(self._name, self._slots.now() - self._begun_s if self._has_one else None)

    def _expire(self, timeout_ns: int) -> None:
        if self._turn is not None and not self._turn.done():
            problem = f"the request waited {timeout_ns // 1000} us, longer than its timeout"
            self._turn.set_exception(DeadlineExceeded(problem, "send it again, or give it more time"))
