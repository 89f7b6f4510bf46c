"""When a request wants to be computed: its parameters `timeout` and `priority`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from glassworks.errors import InputError
from glassworks.serving.core.work import DEFAULT_LEVEL, LEVELS

_RESERVED = "triton_"


def schedule(parameters: Mapping[str, Any]) -> tuple[int, int]:
    """Timeout in nanoseconds (0: none) and priority level of a request's parameters. Raises InputError."""
    for name in parameters:
        if name.startswith(_RESERVED):
            raise InputError(f"the parameter '{name[:100]}' is reserved", f"do not begin a name with '{_RESERVED}'")
    if "timeout" not in parameters and "priority" not in parameters:
        return 0, DEFAULT_LEVEL
    timeout_us, level = parameters.get("timeout", 0), parameters.get("priority", 0)
    if isinstance(timeout_us, bool) or not isinstance(timeout_us, int) or not 0 <= timeout_us < 2**53:
        raise InputError(f"timeout is {timeout_us!r}", "give microseconds, a whole number; 0 is without limit")
    if isinstance(level, bool) or not isinstance(level, int) or not 0 <= level <= LEVELS:
        raise InputError(f"priority is {level!r}", f"give 1 (first) to {LEVELS} (last); 0 is {DEFAULT_LEVEL}")
    return timeout_us * 1000, level or DEFAULT_LEVEL
