"""Numbers that are nearly 0 (subnormals) take a processor a hundred times as long: an engine may take them as 0, which
nobody else in the process notices.

Processors keep this mode for each thread. An engine with the option to set it (OpenVINO's `CPU_DENORMALS_OPTIMIZATION`)
sets it in the thread that opens the model and leaves it set: models that are opened later there compute so too, and
the model itself does not where another thread asks it. So it is set here around each call, and what the thread had is
put back.
"""

from __future__ import annotations

import ctypes
import platform
from typing import Any

_SIZE, _MXCSR = 8, 4
"""Of glibc's `femode_t` on x86-64: the control word of the x87, then that of SSE and AVX."""
_FLUSH = 0x8040
"""Results that are subnormal become 0, and operands that are count as 0."""
_CALL = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
"""Keeps the interpreter's lock: giving it up would cost more than the call."""


class Flushing:
    """A context in which the present thread, and threads that it starts, take subnormals as 0; as they are where that
    cannot be set, elsewhere than with glibc on x86-64. Of one thread, and not to be entered within itself.
    """

    __slots__ = ("_before", "_flushing", "_read", "_set", "_to_before", "_to_flushing")

    def __init__(self) -> None:
        self._before, self._flushing = (ctypes.create_string_buffer(_SIZE) for _ in range(2))
        self._to_before, self._to_flushing = (
            ctypes.c_void_p(ctypes.addressof(each)) for each in (self._before, self._flushing)
        )
        self._read, self._set = _functions()
        self._read(self._to_flushing)
        ctypes.c_uint32.from_buffer(self._flushing, _MXCSR).value |= _FLUSH

    def __enter__(self) -> None:
        self._read(self._to_before)
        self._set(self._to_flushing)

    def __exit__(self, *error: object) -> None:
        self._set(self._to_before)


def _functions() -> tuple[Any, Any]:
    """C's `fegetmode` and `fesetmode`; such as do nothing where `femode_t` is another one, or is not there."""
    library = ctypes.PyDLL(None)
    if (platform.system(), platform.machine()) != ("Linux", "x86_64") or not hasattr(library, "fesetmode"):
        return _nothing, _nothing
    return _CALL(("fegetmode", library)), _CALL(("fesetmode", library))


def _nothing(environment: ctypes.c_void_p) -> int:
    return 0
