"""What is costly and seldom asked for is made when it is first asked for, once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Lazily(Generic[Made]):
    """Call it for what `make` gives; where that raises, the next call tries again. Thread-safe."""

    def __init__(self, make: Callable[[], Made]) -> None:
        self._make, self._lock = make, threading.Lock()
        self._made: list[Made] = []

    def __call__(self) -> Made:
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]

    def forget(self) -> None:
        """Give back what was made: it is made again if it is asked for."""
        with self._lock:
            self._made.clear()
