"""Progress for programs: nothing is shown, and an interrupt cancels."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

from glassworks.contracts import Progress


class Silent(Progress):
    """Reports nothing; for scripts and tests."""


@contextlib.contextmanager
def interrupts_cancel(progress: Progress) -> Iterator[None]:
    """The first SIGINT within it cancels, so that no step is cut in half; the second one acts at once."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is signal.SIG_IGN:
        yield
        return

    def cancel(number: int, frame: object) -> None:
        progress.cancel()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, cancel)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
