"""The usage ledger: what was answered for whom, exact whenever a process is killed.

Each process appends to a segment file of its own (`usage/*.jsonl`), one line and one `write` for everything that was
answered in a turn of the event loop. `fold` adds the segments that nobody writes any more to the table `usage` of
`access.db`: one transaction holds the sums and the segment's name, then the file is deleted. Killed before the
transaction, nothing has happened; killed after it, the name says that the file, if it is still there, is counted.

A line is safe from a kill as soon as `record` returns. It is not synced to the disk, which would cost a request more
than its answer: a power failure may take the last seconds.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from glassworks.errors import StorageError
from glassworks.record import Record
from glassworks.serving.access.clock import Clock, Day, day_number, day_text
from glassworks.serving.access.database import FOLDED, USAGE, AccessDatabase
from glassworks.serving.access.segments import Group, Segment, Sums, closed, locked, read_segment, segments
from glassworks.serving.supervision import Supervisor
from glassworks.storage import storage_errors

_SEGMENT_BYTES = 4 * 2**20
_PART = "usage ledger"


class Usage(NamedTuple):
    """What an answer used. `tokens`, of prompt and completion, is 0 where a model has none; `cached_tokens` are those
    of the prompt that were not computed again. `ok` is false for a failed request; more of one that is counted already
    has no `requests` and no `rows`."""

    key_id: str
    model: str
    version: str
    requests: int = 1
    rows: int = 1
    tokens: int = 0
    compute_us: int = 0
    verb: str = "infer"
    ok: bool = True
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0


class Total(Record):
    """The usage of a key on a day (UTC) by model, version and verb; `errors` of the `requests` failed."""

    day: str
    key_id: str
    model: str
    version: str
    verb: str
    requests: int
    errors: int
    rows: int
    tokens: int
    compute_us: int
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0


class Ledger:
    """Usage of all processes with the same `home`.

    `record` belongs to one thread, the event loop's; the other methods read and write files for some milliseconds and
    may be called from any thread at the same time.
    """

    def __init__(
        self, home: Path, clock: Clock, segment_bytes: int = _SEGMENT_BYTES, supervisor: Supervisor | None = None
    ) -> None:
        self._database, self._clock, self._segment_bytes = AccessDatabase(home), clock, segment_bytes
        self._folder, self._supervisor = home / "usage", supervisor or Supervisor()
        self._segment: Segment | None = None
        self._day, self._day_text = Day(), ""
        self._suffers = False
        self.lost = 0
        """Requests that could not be recorded since the start."""

    def record(self, entries: Sequence[Usage]) -> None:
        """Keep what was answered, all of it or nothing; once this returns, no kill takes it away.

        Raises StorageError, say for a full disk: then the requests are added to `lost`, and reported to the supervisor.
        Serve on: the answers were right, and usage that is not on the disk is not worth an outage.
        """
        if not entries:
            return
        line = msgspec.json.encode({"day": self._today(), "usage": _added_up(entries)}) + b"\n"
        try:
            if self._segment is None:
                self._segment = Segment(self._folder)
            self._segment.append(line)
        except StorageError as error:
            self._lose(sum(entry.requests for entry in entries), error)
            raise
        if self._suffers:
            self._suffers = False
            self._supervisor.recovered(_PART)
        if self._segment.size_bytes >= self._segment_bytes:
            self.close()

    def close(self) -> None:
        """End this process's segment, so that it can be folded; a further `record` begins another."""
        if self._segment is not None:
            self._segment.close()
            self._segment = None

    def fold(self) -> int:
        """Move the segments that nobody writes any more into the table; how many those were. Raises StorageError."""
        if not self._folder.is_dir():
            return 0
        with storage_errors(self._folder), self._locked(alone=True):
            self._forget()
            return sum(self._folded(path) for path in segments(self._folder))

    def totals(self, day: str | None = None, key: str | None = None, model: str | None = None) -> tuple[Total, ...]:
        """What was used, by day (`YYYY-MM-DD`), key id, model, version and verb; of a day, a key, a model or of all.

        Counts what running processes have recorded until now. Raises StorageError.
        """
        sums: dict[tuple[str, Group], Sums] = {}
        if self._folder.is_dir():
            with storage_errors(self._folder), self._locked(alone=False):
                self._read(sums)
        else:
            self._read(sums)
        wanted = (
            Total(day=of_day, **group._asdict(), **sum_._asdict())
            for (of_day, group), sum_ in sorted(sums.items())
            if day in (None, of_day) and key in (None, group.key_id) and model in (None, group.model)
        )
        return tuple(wanted)

    @property
    def day(self) -> int:
        """The day in UTC that usage is recorded for, counted from 1970."""
        self._today()
        return self._day.number

    def today(self) -> Mapping[str, Sums]:
        """What each key, by its id, has used today, in UTC: where its quotas begin. Raises StorageError.

        Where something was used tomorrow already, the clock was set back over midnight: then that is the day, for what
        is recorded from now on too.
        """
        day = day_number(self._clock.wall())
        totals = self.totals()
        tomorrow = day_text(day + 1)
        day += any(total.day == tomorrow for total in totals)
        self._day.start(day, self._clock.monotonic())
        self._day_text = day_text(day)
        used: dict[str, Sums] = {}
        for total in totals:
            if total.day == self._day_text:
                sums = Sums(*(getattr(total, name) for name in Sums._fields))
                used[total.key_id] = used.get(total.key_id, Sums()).plus(sums)
        return used

    def _locked(self, *, alone: bool) -> contextlib.AbstractContextManager[None]:
        return locked(self._folder / "fold.lock", alone=alone)

    def _today(self) -> str:
        if self._day.turn(self._clock.wall(), self._clock.monotonic()):
            self._day_text = day_text(self._day.number)
        return self._day_text

    def _lose(self, requests: int, error: StorageError) -> None:
        self.lost += requests
        self._suffers = True
        self._supervisor.lost(_PART, requests)
        self._supervisor.suffers(_PART, f"usage is not recorded; serving goes on: {error.problem}")

    def _forget(self) -> None:
        """Drop the names of segments whose files are gone."""
        if not self._database.exists:
            return
        here = {path.name for path in segments(self._folder)}
        with self._database.transaction() as connection:
            gone = [name for name in connection.scalars(sa.select(FOLDED.c.segment)) if name not in here]
            if gone:
                # A file that comes back after a power failure must find its name.
                _sync(self._folder)
                connection.execute(sa.delete(FOLDED).where(FOLDED.c.segment.in_(gone)))

    def _folded(self, path: Path) -> bool:
        with closed(path) as is_closed:
            if not is_closed:
                return False
            sums: dict[tuple[str, Group], Sums] = {}
            _add_segment(sums, path)
            if sums:
                with self._database.transaction() as connection:
                    _put(connection, path.name, sums)
            path.unlink()
            return True

    def _read(self, sums: dict[tuple[str, Group], Sums]) -> None:
        counted: set[str] = set()
        if self._database.exists:
            with self._database.transaction() as connection:
                counted.update(connection.scalars(sa.select(FOLDED.c.segment)))
                for day, *rest in connection.execute(sa.select(USAGE)):
                    sums[day, Group(*rest[:4])] = Sums(*rest[4:])
        for path in segments(self._folder):
            if path.name not in counted:
                _add_segment(sums, path)


def _added_up(entries: Sequence[Usage]) -> list[tuple[tuple[str, str, str, str], list[int]]]:
    sums: dict[tuple[str, str, str, str], list[int]] = {}
    for key_id, model, version, requests, rows, tokens, compute_us, verb, ok, prompt, cached, completion in entries:
        group = (key_id, model, version, verb)
        sum_ = sums.get(group)
        if sum_ is None:
            sum_ = sums[group] = [0, 0, 0, 0, 0, 0, 0, 0]
        sum_[0] += requests
        if not ok:
            sum_[1] += requests or 1
        sum_[2] += rows
        sum_[3] += tokens
        sum_[4] += compute_us
        sum_[5] += prompt
        sum_[6] += cached
        sum_[7] += completion
    return [(group, sum_ if any(sum_[5:]) else sum_[:5]) for group, sum_ in sums.items()]


def _add_segment(sums: dict[tuple[str, Group], Sums], path: Path) -> None:
    for line in read_segment(path):
        for group, sum_ in line.usage:
            sums[line.day, group] = sums.get((line.day, group), Sums()).plus(sum_)


def _put(connection: sa.Connection, segment: str, sums: Mapping[tuple[str, Group], Sums]) -> None:
    """The sums and the name in one transaction, unless the name is there: then they are too."""
    named = connection.execute(sqlite.insert(FOLDED).values(segment=segment).on_conflict_do_nothing())
    if not named.rowcount:
        return
    insert = sqlite.insert(USAGE)
    more = {name: USAGE.c[name] + insert.excluded[name] for name in Sums._fields}
    rows: Iterable[dict[str, object]] = (
        {"day": day, **group._asdict(), **sum_._asdict()} for (day, group), sum_ in sums.items()
    )
    connection.execute(insert.on_conflict_do_update(index_elements=USAGE.primary_key, set_=more), list(rows))


def _sync(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
