"""Whether a worker of this machine takes runs: a lock that it shares with others as long as it does."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from glassworks.storage import storage_errors

_FILE = "worker.lock"


class Presence:
    """A worker's part of the lock. The system lets go of it however the worker ends."""

    def __init__(self, home: Path) -> None:
        with storage_errors(home):
            home.mkdir(parents=True, exist_ok=True)
            self._file = os.open(home / _FILE, os.O_RDWR | os.O_CREAT, 0o600)

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
    """Whether a worker of this machine would take what is queued now."""
    presence = Presence(home)
    try:
        fcntl.flock(presence._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        presence.close()
    return False
