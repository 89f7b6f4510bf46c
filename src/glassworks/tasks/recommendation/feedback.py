"""What people did after the model was packaged: kept durably, counted once, and known to the next answer."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from glassworks.contracts import Memory, Record
from glassworks.errors import InputError, StorageError
from glassworks.sqlite import write_ahead
from glassworks.tasks.recommendation.requests import Id, checked

_MOST = 10_000
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


class Feedback(Memory):
    """Events in a SQLite file: written and synced before they are acknowledged; a killed process loses none of those.

    A user's number and the same number as text are the same user.
    """

    def __init__(self, file: Path) -> None:
        self.file, self._lock, self._reading = file, threading.Lock(), threading.Lock()
        self._known: dict[str, dict[Id, tuple[float, float, int, float]]] = {}
        self._last, self._seen = 0, -1
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._connection = _connected(file)
            write_ahead(self._connection)
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute(_TABLE)
            # Who reads never waits for the disk that a writer waits for.
            self._reader = _connected(file)
            self._read()
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
        """(item, weight) of a user's events; the latest of each item. Raises StorageError."""
        self._look()
        return [(item, row[3]) for item, row in self._known.get(str(user), {}).items()]

    def close(self) -> None:
        """Close the file."""
        with self._lock, self._reading:
            self._connection.close()
            self._reader.close()

    def _look(self) -> None:
        """Read what was written since, here or by another process: SQLite counts the changes by other connections."""
        with self._reading:
            try:
                (changes,) = self._reader.execute("PRAGMA data_version").fetchone()
                if changes != self._seen:
                    self._seen = changes
                    self._read()
            except sqlite3.Error as error:
                raise StorageError(f"the feedback cannot be read: {error}", "mend or move its file") from None

    def _insert(self, event: Event) -> int:
        done = self._connection.execute(
            "INSERT OR IGNORE INTO events (id, user, item, weight, time) VALUES (?, ?, ?, ?, ?)",
            (event.id, str(event.user), event.item, event.weight, event.time),
        )
        return done.rowcount

    def _read(self) -> None:
        """What was written since the last time."""
        rows = self._reader.execute(
            "SELECT number, user, item, weight, time FROM events WHERE number > ? ORDER BY number", (self._last,)
        )
        for number, user, item, weight, time in rows:
            self._last = number
            items = dict(self._known.get(user, {}))
            when = (float("inf") if time is None else float(time), float(number), number, float(weight))
            if item not in items or items[item][:2] <= when[:2]:
                items[item] = when
            self._known[user] = items  # replaced as a whole: who reads it meanwhile sees one or the other


def _connected(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, check_same_thread=False, timeout=10, isolation_level=None)


def _events(body: Any) -> list[Event]:
    if not isinstance(body, Mapping) or not isinstance(body.get("events"), list) or set(body) != {"events"}:
        raise InputError("feedback is an object with the key 'events', a list", _FORM)
    if not 0 < len(body["events"]) <= _MOST:
        raise InputError(f"there are {len(body['events']):,} events", f"send 1 to {_MOST:,} at once")
    return [checked(Event, each, "an event", _FORM) for each in body["events"]]
