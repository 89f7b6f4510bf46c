"""Reading conversations from any source."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from glassworks.contracts import Reader

if TYPE_CHECKING:
    from glassworks.data.tabular.format import TableFormat

Record: TypeAlias = tuple[str, Mapping[str, Any] | str]
"""Where it is, and its fields by name, or why it cannot be read."""


class ConversationReader(Reader):
    """Reads conversations, each with its fields as they are written."""

    kind: ClassVar[str] = "conversations"

    @abstractmethod
    def conversations(self, what: str, form: TableFormat) -> Iterable[Record]:
        """Every record. Raises DataError for what cannot be read at all."""
