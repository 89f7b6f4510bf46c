"""Feedback on a recommender: kept durably, each event counted once, used from the next answer on."""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from glassworks.contracts import Memory
from glassworks.errors import InputError, StorageError
from glassworks.recommendation.requests import Id, checked
from glassworks.record import Record
from glassworks.storage import write_ahead

_MOST = 10_000
"""Events at once, and items of a user that count."""
_NEWS = """
SELECT * FROM (
    SELECT number, item, weight, time FROM events WHERE user = ? AND number > ? ORDER BY number DESC LIMIT ?
) ORDER BY number
"""
_CACHED = 2**18
"""Items in memory, of all users together."""
_FORM = 'send {"events": [{"id": "e1", "user": 7, "item": 42, "weight": 1.0, "time": 1700000000}]}'
_TABLE = """
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, user TEXT NOT NULL, item NOT NULL, weight REAL NOT NULL,
    time REAL
)
"""


class Event(Record):
    """A user met an item. The id makes it count once, however often it is sent."""

    id: str = Field(min_length=1, max_length=200)
    user: Id
    item: Id
    weight: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    """How much it is liked; 0: met and not liked."""
    time: float | None = Field(default=None, allow_inf_nan=False)
    """Seconds since 1970; the order of a user's events where it is given, else the order in which they came."""


class _History:
    """A user's latest event of each item: time, number and weight; and the number of the last event read."""

    __slots__ = ("items", "last", "seen")

    def __init__(self) -> None:
        self.items: dict[Id, tuple[float, int, float]] = {}
        self.last, self.seen = 0, -1


class FeedbackMemory(Memory):
    """Events in a SQLite file: synced before they are acknowledged, so a killed process loses none.

    A user's number and the same number as text are the same user. Of each user the events since the last answer are
    read; what was read stays in memory for the users who asked last.
    """

    def __init__(self, file: Path) -> None:
        self.file, self._lock, self._reading = file, threading.Lock(), threading.Lock()
        self._known: OrderedDict[str, _History] = OrderedDict()
        self._cached = 0
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            _make_private(file)
            self._connection = _connected(file)
            write_ahead(self._connection)
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute(_TABLE)
            self._connection.execute("CREATE INDEX IF NOT EXISTS events_of_user ON events (user)")
            # Who reads never waits for the disk that a writer waits for.
            self._reader = _connected(file)
        except (sqlite3.Error, OSError) as error:
            raise StorageError(f"cannot open the feedback in {file.name}: {error}", "mend or move that file") from None

    def learn(self, body: Any) -> dict[str, int]:
        """Keep events; how many are new (`accepted`) and how many were known (`repeated`). All or none are kept.

        Raises InputError, and StorageError where they cannot be written.
        """
        events = _events(body)
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    new = sum(self._insert(event) for event in events)
                    self._connection.execute("COMMIT")
                finally:  # whatever went wrong, the next events find no transaction begun
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise StorageError(f"the feedback was not kept: {error}", "send the same events again") from None
        return {"accepted": new, "repeated": len(events) - new}

    def of(self, user: Id) -> Sequence[tuple[Id, float]]:
        """(item, weight) of a user's events; the latest of each item. Raises StorageError.

        Limited to the 10,000 items met last, and to the last 20,000 events since the last call.
        """
        name = str(user)
        with self._reading:
            try:
                history = self._read(name)
            except sqlite3.Error as error:
                raise StorageError(f"the feedback cannot be read: {error}", "mend or move its file") from None
            return [(item, weight) for item, (_, _, weight) in history.items.items()]

    def close(self) -> None:
        """Close the file."""
        with self._lock, self._reading:
            self._connection.close()
            self._reader.close()

    def _insert(self, event: Event) -> int:
        done = self._connection.execute(
            "INSERT OR IGNORE INTO events (id, user, item, weight, time) VALUES (?, ?, ?, ?, ?)",
            (event.id, str(event.user), event.item, event.weight, event.time),
        )
        return done.rowcount

    def _read(self, user: str) -> _History:
        """What is known of a user, and what any process has written since."""
        history = self._known.pop(user, None) or _History()
        self._known[user] = history
        # SQLite counts the changes by other connections.
        (changes,) = self._reader.execute("PRAGMA data_version").fetchone()
        if changes == history.seen:
            return history
        before = len(history.items)
        rows = self._reader.execute(_NEWS, (user, history.last, 2 * _MOST)).fetchall()
        for number, item, weight, time in rows:
            when = float("inf") if time is None else float(time)
            known = history.items.get(item)
            if known is None or known[0] <= when:
                history.items[item] = (when, number, float(weight))
            history.last = number
        _forget_oldest(history.items)
        history.seen = changes
        self._cached += len(history.items) - before
        while self._cached > _CACHED and len(self._known) > 1:
            _, dropped = self._known.popitem(last=False)
            self._cached -= len(dropped.items)
        return history


def _forget_oldest(items: dict[Id, tuple[float, int, float]]) -> None:
    """Keep as many as count: those met last."""
    if len(items) > _MOST:
        for item in sorted(items, key=items.__getitem__)[: len(items) - _MOST]:
            del items[item]


def _make_private(file: Path) -> None:
    """Only the owner may read feedback, in a file of an older version too."""
    file.touch(0o600)
    for each in (file, *(file.with_name(file.name + end) for end in ("-wal", "-shm"))):
        if each.exists() and each.stat().st_mode & 0o077:
            each.chmod(0o600)


def _connected(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, check_same_thread=False, timeout=10, isolation_level=None)


def _events(body: Any) -> list[Event]:
    if not isinstance(body, Mapping) or not isinstance(body.get("events"), list) or set(body) != {"events"}:
        raise InputError("feedback is an object with the key 'events', a list", _FORM)
    if not 0 < len(body["events"]) <= _MOST:
        raise InputError(f"there are {len(body['events']):,} events", f"send 1 to {_MOST:,} at once")
    return [checked(Event, each, "an event", _FORM) for each in body["events"]]
