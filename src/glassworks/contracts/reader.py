"""What reads one kind of data."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar


class Reader(ABC):  # noqa: B024 - the kinds have the abstract methods
    """Reads data of some kinds. Each kind is a base class with a method of its own, such as `TextReader.texts`."""

    kind: ClassVar[str] = ""
    """What such a base class reads: `pictures`, `texts`, `interactions`."""

    def kinds(self) -> tuple[str, ...]:
        """What this one reads; first what it is taken for where nothing else is asked for."""
        return tuple(vars(base)["kind"] for base in type(self).__mro__ if vars(base).get("kind"))
