"""A service ends with the process that started it, however that ends: a pipe between the two shows it."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from typing import IO

_STAY = b"stay"
_GRACE_S = 5.0
_MOST_BYTES = 64


def end_with_parent(drain_s: float) -> None:
    """Send this process SIGTERM once its standard input ends, unless `let_stay` was called.

    Only the parent holds the other end of that pipe, so its end is seen whether the parent returns, fails or is killed.
    """
    threading.Thread(target=_wait, args=(drain_s + _GRACE_S,), name="parent", daemon=True).start()


def let_stay(pipe: IO[bytes] | None) -> None:
    """Let a child, by the pipe to its standard input, outlive its parent."""
    if pipe is not None:
        # It may have ended already.
        with contextlib.suppress(BrokenPipeError), pipe:
            pipe.write(_STAY)


def _wait(stopping_s: float) -> None:
    said = b""
    # Not by sys.stdin: a thread waiting there has a lock that Python needs at exit.
    while part := os.read(0, _MOST_BYTES):
        said = (said + part)[:_MOST_BYTES]
    if said == _STAY:
        return
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(stopping_s)
    # It could not stop by itself.
    os._exit(1)
