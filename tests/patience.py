"""How long tests wait for what must come: only a way out of a hang, so that no load makes a right program fail.

What measures a limit of the product itself is given a clock that the test turns, or counts steps.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

PATIENCE_S = 600.0


def until(holds: Callable[[], bool], what: str = "what the test waits for") -> None:
    """Return as soon as it holds; it may raise to end the wait."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > end:
            pytest.fail(f"{what} did not come")
        time.sleep(0.01)
