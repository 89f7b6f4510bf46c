"""Reading texts from any source."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from glassworks.contracts import Reader
from glassworks.data.kinds import reader_of
from glassworks.errors import DataError

if TYPE_CHECKING:
    from glassworks.data.text.collection import Texts


class Row(NamedTuple):
    """A text: where it is, and its label, empty where it has none.

    `part` and `group` are what the data say themselves of it: see `Assigned`, and `part_of` for names of parts.
    """

    name: str
    text: str
    label: str = ""
    part: str = ""
    group: str = ""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The columns of text and label; a `separator` splits a label into more than one; `encoding` is that of a file.

    `split` and `group` are those of the part and the group that the data say, empty where there are none.
    """

    text: str = "text"
    label: str = "label"
    separator: str = ""
    encoding: str = ""
    split: str = ""
    group: str = ""

    def keyed(self) -> list[tuple[str, str]]:
        """The columns that a table must have, each with its key in `[data]`."""
        wanted = ((self.text, "text"), (self.label, "label"), (self.split, "split"), (self.group, "group"))
        return [(column, key) for column, key in wanted if column]


class TextReader(Reader):
    """Reads texts, with labels or without."""

    kind: ClassVar[str] = "texts"

    @abstractmethod
    def texts(self, what: str, columns: Columns) -> Iterable[Row]:
        """A row for each text; an empty `columns.label` asks for texts alone. Raises DataError."""


def read_texts(source: str, columns: Columns | None = None, *, min_classes: int = 2) -> Texts:
    """The labelled texts of `SCHEME:WHAT`. Raises DataError when there is nothing to learn from them."""
    from glassworks.data.text.collection import collect

    columns = columns or Columns()
    reader, what = reader_of(source, TextReader)
    texts = collect(source, reader.texts(what, columns), columns.separator)
    if len(texts.classes) < min_classes and not texts.multi_label:
        raise DataError(
            f"'{source}' holds only one label, '{texts.classes[0]}'; a classifier needs at least {min_classes}",
            "add texts of another class, or name another column: data.label = ... or --label",
        )
    return texts


def read_lines(source: str, columns: Columns) -> list[str]:
    """The texts of a source without their labels. Raises DataError."""
    reader, what = reader_of(source, TextReader)
    wanted = replace(columns, label="", split="", group="")
    return [row.text for row in reader.texts(what, wanted) if row.text.strip()]
