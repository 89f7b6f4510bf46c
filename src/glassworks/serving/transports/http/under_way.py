"""How many requests of something are under way: bounded, for all together and for each caller."""

from __future__ import annotations

from collections import Counter

from glassworks.errors import Overloaded

MOST, MOST_EACH = 256, 128
"""In all, most of which are streams of open consoles; of one caller, so that there is room for others."""


class UnderWay:
    """Counts what was taken and is not answered in full."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._each: Counter[str] = Counter()
        self.count = 0

    def enter(self, who: str) -> None:
        """One more, of a caller where it is known. Raises Overloaded."""
        if self.count >= MOST:
            raise Overloaded(f"{MOST} requests of the {self._name} are under way", "close some, or try again later")
        if who and self._each[who] >= MOST_EACH:
            raise Overloaded(
                f"{MOST_EACH} requests of one caller of the {self._name} are under way",
                "close some, or try again later",
            )
        self.count += 1
        self._each[who] += 1

    def leave(self, who: str) -> None:
        """One less."""
        self.count -= 1
        self._each[who] -= 1
        if not self._each[who]:
            del self._each[who]
