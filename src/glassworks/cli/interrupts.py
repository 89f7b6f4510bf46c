"""Ctrl-C on a thread of its own: after some engines have run, Python's own signal handler crashes the process."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from types import FrameType

_raised = threading.Event()


def receive_interrupts() -> None:
    """Wait for SIGINT on a thread, and raise KeyboardInterrupt in the main thread between two instructions.

    A handler that runs in the middle of native code was seen to corrupt memory once OpenVINO and ONNX Runtime had
    measured candidates in one process with PyTorch. It does not cut short blocking system calls. Call it before
    libraries start threads, as NumPy does on import: threads inherit the signals that are blocked.
    A process that was started to ignore SIGINT, as by `command &` in a script, goes on ignoring it.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    signal.signal(signal.SIGINT, _raise)
    sys.unraisablehook = _again
    threading.Thread(target=_wait, name="interrupts", daemon=True).start()


def release_interrupts() -> None:
    """Undo what a child process inherits from one that receives interrupts on a thread."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def interrupted() -> bool:
    """Whether KeyboardInterrupt was raised. Native code makes other exceptions of it, such as ImportError, or none."""
    return _raised.is_set()


def _raise(number: int, frame: FrameType | None) -> None:
    _raised.set()
    raise KeyboardInterrupt


def _again(ignored: sys.UnraisableHookArgs) -> None:
    """Python drops what is raised while it cleans up, in callbacks of weak references above all: PyTorch's tracing has
    thousands. An interrupt that is lost there comes once more, by way of the thread: here it would be lost again.
    """
    if issubclass(ignored.exc_type, KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
    else:
        sys.__unraisablehook__(ignored)


def _wait() -> None:
    while True:
        signal.sigwait({signal.SIGINT})
        _thread.interrupt_main()
