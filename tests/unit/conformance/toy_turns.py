"""Who is answered next by a server that answers one request after the other."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class Turns:
    """Turns that are taken in the order in which tickets were given out, however late their threads come."""

    def __init__(self) -> None:
        self._changed, self._last, self._open = threading.Condition(), 0, set[int]()

    def ticket(self) -> int:
        with self._changed:
            self._last += 1
            self._open.add(self._last)
            return self._last

    @contextlib.contextmanager
    def turn(self, ticket: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: min(self._open) == ticket)
        try:
            yield
        finally:
            self.give_back(ticket)

    def give_back(self, ticket: int) -> None:
        with self._changed:
            self._open.discard(ticket)
            self._changed.notify_all()
