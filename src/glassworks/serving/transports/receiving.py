"""How much of unfinished requests a service keeps in memory, over all its connections."""

from __future__ import annotations

from typing import Protocol


class Receiver(Protocol):
    """A connection with a request, or several, of which not everything has arrived. It must be hashable."""

    def give_up(self) -> None:
        """Refuse what is being received, and call `Receiving.released`."""


class Receiving:
    """At most `limit_bytes` of what has arrived wait for their rest; beyond that whoever holds most gives up.

    So nobody can keep others out: many slow clients cost the largest of their requests, a client with a small
    request is never asked.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes, self.total_bytes = limit_bytes, 0
        self._kept: dict[Receiver, int] = {}

    def grown(self, receiver: Receiver, size_bytes: int) -> None:
        """So many bytes more are kept for a receiver, whose `give_up` may be called before this returns."""
        self._kept[receiver] = self._kept.get(receiver, 0) + size_bytes
        self.total_bytes += size_bytes
        while self.total_bytes > self.limit_bytes:
            largest = max(self._kept, key=self._kept.__getitem__)
            largest.give_up()
            self.released(largest)

    def shrunk(self, receiver: Receiver, size_bytes: int) -> None:
        """So many bytes of what is kept for a receiver went on."""
        kept = self._kept.get(receiver, 0) - size_bytes
        if kept > 0:
            self._kept[receiver] = kept
            self.total_bytes -= size_bytes
        else:
            self.released(receiver)

    def released(self, receiver: Receiver) -> None:
        """What was kept for a receiver went on, or was dropped."""
        self.total_bytes -= self._kept.pop(receiver, 0)
