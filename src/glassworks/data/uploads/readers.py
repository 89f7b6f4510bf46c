"""What reads uploaded data: the source of their form, at the place where they are kept."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from glassworks.contracts import Reader
from glassworks.data.conversations.reader import ConversationReader, Record
from glassworks.data.interactions.reader import InteractionReader
from glassworks.data.kinds import reader_of
from glassworks.data.reader import PLAIN, PictureReader, Reading
from glassworks.data.tabular.format import Table, TableFormat
from glassworks.data.text.reader import Columns, Row, Rows, TextReader
from glassworks.data.uploads.records import Item
from glassworks.data.uploads.store import DataStore
from glassworks.errors import DataError

if TYPE_CHECKING:
    from glassworks.data.collection import Pictures
    from glassworks.data.pictures import Picture

_R = TypeVar("_R", bound=Reader)


class _Stored(Reader):
    """What all have: the item, and the source that reads its form."""

    def __init__(self, item: Item) -> None:
        self._item, self._path = item, str(DataStore().content(item))

    def _source(self, wanted: type[_R]) -> _R:
        scheme = "csv" if self._item.form == "tsv" else self._item.form  # it knows tabs by the suffix
        return reader_of(f"{scheme}:{self._path}", wanted)[0]

    @contextlib.contextmanager
    def _by_name(self) -> Iterator[None]:
        """Faults are about what people sent, not about where it lies."""
        try:
            yield
        except DataError as error:
            name = f"'{self._item.name}'"
            raise DataError(error.problem.replace(self._path, name), error.mend.replace(self._path, name)) from None


class StoredPictures(_Stored, PictureReader):
    """A folder of pictures."""

    def pictures(self, what: str, how: Reading = PLAIN) -> Pictures:
        with self._by_name():
            return replace(self._source(PictureReader).pictures(self._path, how), source=self._item.source)

    def unlabeled(self, what: str) -> Iterator[tuple[str, Callable[[], bytes | Picture]]]:
        with self._by_name():
            yield from self._source(PictureReader).unlabeled(self._path)


class StoredTexts(_Stored, TextReader):
    """JSON lines, or a text a line."""

    def texts(self, what: str, columns: Columns) -> Iterable[Row]:
        with self._by_name():
            if self._item.form == "text":
                return Rows(self._lines())
            return self._source(TextReader).texts(self._path, columns)

    def _lines(self) -> Iterator[Row]:
        from glassworks.data.uploads.text_files import lines_of

        for number, line in lines_of(DataStore().content(self._item), self._item.name):
            yield Row(f"line {number}", line.decode("utf-8"))


class StoredRecords(StoredTexts, ConversationReader):
    """Texts with further fields, which can be questions and answers, or conversations."""

    def conversations(self, what: str, form: TableFormat) -> Iterator[Record]:
        with self._by_name():
            yield from self._source(ConversationReader).conversations(self._path, form)


class StoredTable(StoredRecords, InteractionReader):
    """A table, which can be read as interactions too."""

    def kinds(self) -> tuple[str, ...]:
        found = super().kinds()
        usual = InteractionReader.kind if self._item.kind == "interactions" else found[0]
        return usual, *(each for each in found if each != usual)

    def interactions(self, what: str, form: TableFormat) -> Table:
        with self._by_name():
            return self._source(InteractionReader).interactions(self._path, form)


def reader_of_item(item: Item) -> Reader:
    """What reads an item."""
    if item.form == "folder":
        return StoredPictures(item)
    if item.form == "text":
        return StoredTexts(item)
    return StoredRecords(item) if item.form == "jsonl" else StoredTable(item)
