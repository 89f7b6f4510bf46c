"""Room for what waits: bounded, and nobody is shut out by somebody else."""

from __future__ import annotations


class Room:
    """At most `size` is taken. Who would have no more than an equal share among those who wait is let in all the same.

    So with n callers at most 1 + 1/2 + ... + 1/n times the size is taken. Nobody knows who comes without a name.
    """

    __slots__ = ("_taken_by", "size", "taken")

    def __init__(self, size: int) -> None:
        self.size, self.taken = size, 0
        self._taken_by: dict[str, int] = {}

    def fits(self, caller: str | None, load: int) -> bool:
        """Whether somebody may come in; where nobody is, whatever it takes."""
        if not self.taken or self.taken + load <= self.size:
            return True
        if caller is None:
            return False
        callers = len(self._taken_by) + (caller not in self._taken_by)
        return (self._taken_by.get(caller, 0) + load) * callers <= self.size

    def enter(self, caller: str | None, load: int) -> None:
        """Take so much of it."""
        self.taken += load
        if caller is not None:
            self._taken_by[caller] = self._taken_by.get(caller, 0) + load

    def leave(self, caller: str | None, load: int) -> None:
        """Give back what was taken."""
        self.taken -= load
        if caller is None:
            return
        left = self._taken_by[caller] - load
        if left:
            self._taken_by[caller] = left
        else:
            del self._taken_by[caller]
