"""Who is here on this machine, workers that take runs and services: each holds a lock that it shares with its like."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Literal

from glassworks.storage import storage_errors

Who = Literal["worker", "service"]


class Presence:
    """A worker's or a service's part of the lock. The system lets go of it however it ends."""

    def __init__(self, home: Path, who: Who = "worker") -> None:
        self._file = _opened(home, f"{who}.lock")

    def enter(self) -> None:
        """It is here: a worker takes what is queued from now on, a service loads what is released."""
        fcntl.flock(self._file, fcntl.LOCK_SH)

    def leave(self) -> None:
        """It is not here any more: a run that is queued after this needs another worker."""
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give it back."""
        os.close(self._file)


def anybody(home: Path, who: Who = "worker") -> bool:
    """Whether a worker of this machine would take what is queued now; or whether a service of this home runs here.

    To find that out, their lock is taken for a moment: those who ask do so one after the other, or they would take
    each other for one.
    """
    turn = _opened(home, f"{who}.asking.lock")
    try:
        fcntl.flock(turn, fcntl.LOCK_EX)
        return _taken(home, who)
    finally:
        os.close(turn)


def _taken(home: Path, who: Who) -> bool:
    theirs = _opened(home, f"{who}.lock")
    try:
        fcntl.flock(theirs, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(theirs)
    return False


def _opened(home: Path, name: str) -> int:
    with storage_errors(home):
        home.mkdir(parents=True, exist_ok=True)
        return os.open(home / name, os.O_RDWR | os.O_CREAT, 0o600)
