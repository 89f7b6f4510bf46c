"""Whether a worker of this machine takes runs: a lock that it shares with others as long as it does."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from glassworks.storage import storage_errors

_FILE, _ASKING = "worker.lock", "worker.asking.lock"
"""The lock of the workers, and the one of those who ask."""


class Presence:
    """A worker's part of the lock. The system lets go of it however the worker ends."""

    def __init__(self, home: Path) -> None:
        self._file = _opened(home, _FILE)

    def enter(self) -> None:
        """This worker takes what is queued from now on."""
        fcntl.flock(self._file, fcntl.LOCK_SH)

    def leave(self) -> None:
        """It begins no further run; one that is queued after this needs another worker."""
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give it back."""
        os.close(self._file)


def anybody(home: Path) -> bool:
    """Whether a worker of this machine would take what is queued now.

    To find that out, the lock of the workers is taken for a moment: those who ask do so one after the other, or they
    would take each other for a worker.
    """
    turn = _opened(home, _ASKING)
    try:
        fcntl.flock(turn, fcntl.LOCK_EX)
        return _taken(home)
    finally:
        os.close(turn)


def _taken(home: Path) -> bool:
    workers = _opened(home, _FILE)
    try:
        fcntl.flock(workers, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(workers)
    return False


def _opened(home: Path, name: str) -> int:
    with storage_errors(home):
        home.mkdir(parents=True, exist_ok=True)
        return os.open(home / name, os.O_RDWR | os.O_CREAT, 0o600)
