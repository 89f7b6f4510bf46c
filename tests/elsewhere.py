"""A plugin that lets pytest collect as if elsewhere: another day and second, folders listed backwards; and notes what.

Loaded with `-p tests.elsewhere` by tests/test_collection.py. COLLECTED names the file for the names of the tests;
ELSEWHERE_S is by how many seconds the clock differs.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SHIFT_S = float(os.environ.get("ELSEWHERE_S", "0"))


def shift() -> None:
    """Turn the clock of `time`, and list folders backwards. `datetime` has one that cannot be turned from Python."""
    seconds, nanoseconds = time.time, time.time_ns
    time.time = lambda: seconds() + SHIFT_S
    time.time_ns = lambda: nanoseconds() + int(1e9 * SHIFT_S)
    os.listdir = _backwards(os.listdir)


def _backwards(listing: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    return lambda *arguments: sorted(listing(*arguments), reverse=True)


def pytest_collection_finish(session: pytest.Session) -> None:
    Path(os.environ["COLLECTED"]).write_text(json.dumps([item.nodeid for item in session.items]), encoding="utf-8")


if SHIFT_S:
    shift()
