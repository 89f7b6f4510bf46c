"""What is shown of data before anything is learned from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from glassworks.data.roles import Column
from glassworks.errors import DataError, NotFound
from glassworks.record import Record


class ClassCount(Record):
    """A class, and how many examples have it."""

    name: str
    examples: int


class Example(Record):
    """One example by its number: a text, a row of a table, or a picture, which has its thumbnail elsewhere."""

    index: int
    label: str | None = None
    text: str | None = None
    row: dict[str, str] | None = None
    picture: bool = False


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some examples, and the number after which the next page begins; None on the last one."""

    items: Sequence[Example]
    next: int | None


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What columns a table has, by their roles where they are clear: `user`, `item`, ... or `text` and `label`.

    `parts` are the columns that are one text together, such as a title and a body; empty where one is the text.
    """

    columns: Sequence[Column] = ()
    roles: Mapping[str, str] = field(default_factory=dict)
    parts: Sequence[str] = ()


class Preview(ABC):
    """A quick look at a source."""

    kind: str | None
    """None where a table could be read as texts and as interactions."""
    split: str = ""
    """The `data.split` that keeps the parts in which it came; empty where parts are made."""

    @abstractmethod
    def examples(self) -> int:
        """How many there are."""

    @abstractmethod
    def classes(self) -> tuple[ClassCount, ...]:
        """Most examples first; empty where there are none, or too many."""

    @abstractmethod
    def page(self, after: int = -1, limit: int = 50, label: str = "") -> Page:
        """Examples behind the one of that number, of one class where it is named."""

    def layout(self) -> Layout:
        """Of a table."""
        return Layout()

    def read_as(self, kind: str, columns: Mapping[str, str]) -> Preview:
        """The same, read as data of a kind that can be read so, with columns that people name by their roles; a role
        of none has an empty name. Raises DataError for columns that are not there."""
        if columns:
            raise DataError("only a table has columns that can be named", "leave them out")
        return self

    def sizes(self, count: int) -> Sequence[tuple[int, int]]:
        """Height and width of the first pictures, as many as there are up to `count`; of other data none."""
        return ()

    def thumbnail(self, index: int) -> bytes:
        """A picture as a small PNG. Raises NotFound, and InputError for one that cannot be decoded."""
        raise NotFound(f"there is no picture {index}", "ask for examples: they say which have one")


def paged(items: Sequence[Example], limit: int) -> Page:
    """Of one example more than are shown: it says whether there are more."""
    shown = items[:limit]
    return Page(items=shown, next=shown[-1].index if len(items) > limit else None)
