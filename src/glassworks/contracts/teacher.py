"""A registered model that another one learns from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from glassworks.contracts.session import Session


class Teacher(ABC):
    """Is asked once for each thing: what it said is kept on this machine. Safe to share between threads."""

    reference: str
    """As the job names it."""
    preprocessing: Mapping[str, Any]
    folder: Path
    """Of its files."""

    @property
    @abstractmethod
    def session(self) -> Session:
        """What is served."""

    @abstractmethod
    def once(self, asked: Any, answer: Callable[[], Any]) -> Any:
        """What `answer` gives, in JSON's types; what was `asked`, in JSON's types too, says whether that is known."""
