"""A service ends with the process that started it, however that ends: a pipe between the two shows it."""

from __future__ import annotations

import os
import signal
import threading
import time

_GRACE_S = 5.0
_MOST_BYTES = 64


def end_with_parent(drain_s: float) -> None:
    """Send this process SIGTERM once its standard input ends.

    Only the parent holds the other end of that pipe, so its end is seen whether the parent returns, fails or is killed.
    """
    threading.Thread(target=_wait, args=(drain_s + _GRACE_S,), name="parent", daemon=True).start()


def _wait(stopping_s: float) -> None:
    # Not by sys.stdin: a thread waiting there has a lock that Python needs at exit.
    while os.read(0, _MOST_BYTES):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(stopping_s)
    # It could not stop by itself.
    os._exit(1)
