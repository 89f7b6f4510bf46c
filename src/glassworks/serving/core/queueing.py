"""What waits for an engine: by priority, fair between callers and between requests, else in the order of arrival."""

from __future__ import annotations

import itertools
from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import TYPE_CHECKING

from glassworks.errors import Overloaded
from glassworks.serving.core.room import Room
from glassworks.serving.core.work import ROW_BYTES, Flow, Kind, Parts, Work, common_of, row_bytes_of, text_bytes_of

if TYPE_CHECKING:
    from glassworks.contracts import Tensors

RETRY_AFTER_S = 1
_KINDS = 4096
"""Names, datatypes and shapes that are remembered; forgetting them costs no more than a batch that might be fuller."""
_NONE: deque[Work] = deque(maxlen=0)


class _Line:
    """The requests in line at one priority; taking one, or passing over one, never looks at the others.

    They stand in `order`, and once more by what can be computed together and by number of rows.
    """

    __slots__ = ("flows", "kinds", "order")

    def __init__(self) -> None:
        self.order: OrderedDict[int, Work] = OrderedDict()
        self.flows: dict[str, Flow] = {}
        self.kinds: dict[Kind, dict[int, deque[Work]]] = {}

    def add(self, work: Work) -> None:
        self.order[work.number] = work
        kind = self.kinds.get(work.kind)
        if kind is None:
            self.kinds[work.kind] = {work.rows: deque((work,))}
        elif (works := kind.get(work.rows)) is not None:
            works.append(work)
        else:
            kind[work.rows] = deque((work,))

    def take(self, kind: Kind | None, room: int) -> Work | None:
        """The oldest one of a kind and of at most so many rows; without a kind, the oldest."""
        if kind is None:
            if not self.order:
                return None
            work = self.order.popitem(last=False)[1]
            by_rows = self.kinds[work.kind]
            works = by_rows[work.rows]
            works.popleft()
        else:
            found = self.kinds.get(kind)
            if found is None:
                return None
            by_rows, works = found, _oldest(found, room)
            if not works:
                return None
            work = works.popleft()
            del self.order[work.number]
        if not works:
            del by_rows[work.rows]
            if not by_rows:
                del self.kinds[work.kind]
        return work


def _oldest(by_rows: dict[int, deque[Work]], room: int) -> deque[Work]:
    """Those of a number of rows up to `room` whose first one is the oldest; empty where none is small enough."""
    if len(by_rows) == 1:  # nearly always
        for rows, works in by_rows.items():
            return works if rows <= room else _NONE
    fitting = [works for rows, works in by_rows.items() if rows <= room]
    return min(fitting, key=lambda works: works[0].number) if fitting else _NONE


def _full(room: Room) -> Overloaded:
    return Overloaded(
        f"{room.taken} rows are waiting, at most {room.size} may", f"try again in {RETRY_AFTER_S} s", RETRY_AFTER_S
    )


class Queue:
    """Requests that wait, with room for `max_waiting` rows; one of more than `max_rows` counts as that many."""

    def __init__(self, max_rows: int, max_waiting: int) -> None:
        self._max_rows, self._room = max_rows, Room(max_waiting)
        self._lines: dict[int, _Line] = {}
        self._by_level: list[_Line] = []
        self._numbers = itertools.count()
        self._kinds: dict[Hashable, Kind] = {}
        self._common: Hashable = None
        self._kind = Kind(0)
        self.rows = 0

    @property
    def requests(self) -> int:
        """How many wait, counted anew; one in parts is one."""
        return sum(len(line.order) + sum(len(flow.behind) for flow in line.flows.values()) for line in self._by_level)

    def put(self, work: Work) -> None:
        """Let a request wait. Raises Overloaded, which leaves it untouched."""
        rows, caller, common = work.rows, work.caller, common_of(work.tensors)
        kind = self._kind if common == self._common else self._look_up(common, work.tensors)
        load = rows if rows < self._max_rows else self._max_rows
        if not kind.small or rows > load:
            size_bytes = kind.row_bytes * rows or text_bytes_of(work.tensors)
            load = max(load, size_bytes // ROW_BYTES)
        room = self._room
        if room.taken + load > room.size and not room.fits(caller, load):
            raise _full(room)
        work.kind, work.load = kind, load
        line = self._lines.get(work.level) or self._begin(work.level)
        if caller is None:
            room.taken += load
        else:
            room.enter(caller, load)
        if rows <= self._max_rows:
            self.rows += rows
            if caller is None:
                work.number = next(self._numbers)
                line.add(work)
            else:
                self._let_in(line, self._flow(line, caller), work)
        else:
            parts = Parts(work, self._max_rows)
            self.rows += parts.rows
            self._let_in(line, self._flow(line, caller), parts)

    def take(self, now_ns: int) -> tuple[list[Work], list[Work]]:
        """The next batch, and what was found to be over on the way to it.

        The oldest request at the first priority decides which kind it is of; then come the oldest of that kind that
        fit, at lower priorities too.
        """
        batch: list[Work] = []
        over: list[Work] = []
        kind: Kind | None = None
        room = self._max_rows
        for line in self._by_level:
            while room and (work := line.take(kind, room)) is not None:
                self.rows -= work.rows
                if work.flow is None:
                    self._room.taken -= work.load
                else:
                    self._feed_after(line, work.flow, work, now_ns)
                if (work.dropped or work.deadline_ns or work.parts is not None) and work.over(now_ns):
                    over.append(work)
                    continue
                batch.append(work)
                room -= work.rows
                kind = work.kind
        return batch, over

    def _feed_after(self, line: _Line, flow: Flow, work: Work, now_ns: int) -> None:
        """A request of a flow, or a part of one, was taken: the flow's next ones come in line."""
        flow.rows -= work.rows
        parts = work.parts
        if parts is None:
            self._room.leave(flow.caller, work.load)
        else:
            if work.over(now_ns):
                parts.stop()
            if parts.rows:
                self.rows += parts.rows
                flow.behind.append(parts)
            else:
                self._room.leave(flow.caller, parts.whole.load)
        self._feed(line, flow)
        if not flow.rows and flow.caller is not None:
            del line.flows[flow.caller]

    def _begin(self, level: int) -> _Line:
        line = self._lines[level] = _Line()
        self._by_level = [self._lines[each] for each in sorted(self._lines)]
        return line

    def _flow(self, line: _Line, caller: str | None) -> Flow:
        flow = line.flows.get(caller) if caller is not None else None
        if flow is None:
            flow = Flow(caller)
            if caller is not None:
                line.flows[caller] = flow
        return flow

    def _let_in(self, line: _Line, flow: Flow, asked: Work | Parts) -> None:
        flow.behind.append(asked)
        self._feed(line, flow)

    def _feed(self, line: _Line, flow: Flow) -> None:
        """Fill a flow's place in line; each of its requests has its turn, those of many rows one part a turn."""
        behind = flow.behind
        while behind:
            asked = behind[0]
            if flow.rows and flow.rows + asked.rows > self._max_rows:
                return
            behind.popleft()
            work = asked if isinstance(asked, Work) else asked.next()
            work.flow = flow
            flow.rows += work.rows
            work.number = next(self._numbers)
            line.add(work)

    def _look_up(self, common: Hashable, tensors: Tensors) -> Kind:
        kind = self._kinds.get(common)
        if kind is None:
            if len(self._kinds) >= _KINDS:
                self._kinds.clear()
            kind = self._kinds[common] = Kind(row_bytes_of(tensors))
        self._common, self._kind = common, kind
        return kind
