"""Which look a source gets."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

from glassworks.contracts import Reader
from glassworks.data.interactions.reader import InteractionReader
from glassworks.data.kinds import kind_of, reader_of
from glassworks.data.preview.pictures import PicturesPreview, of_folder, of_pictures
from glassworks.data.preview.records import Preview
from glassworks.data.preview.rows import TablePreview, TextsPreview
from glassworks.data.reader import PictureReader
from glassworks.data.tables import scan_table
from glassworks.data.tabular.format import TableFormat
from glassworks.data.text.reader import Columns, Row, TextReader
from glassworks.data.uploads.readers import StoredTexts
from glassworks.data.uploads.records import Item
from glassworks.data.uploads.store import DataStore
from glassworks.errors import DataError

_KEPT = 16
"""Looks that are remembered: what was uploaded never changes, nor does a sample."""


def open_preview(source: str) -> Preview:
    """A look at `uploaded:ID` or `sample:NAME`. Raises DataError for another source, NotFound, MissingLibrary."""
    scheme, _, what = source.partition(":")
    if scheme == "uploaded":
        store = DataStore()
        item = store.find(what)
        return _of_item(item.model_dump_json(), store.content(item))
    if scheme == "sample":
        return _of_sample(source)
    raise DataError(f"'{source[:80]}' is neither a sample nor uploaded", "upload it first, or name a sample")


def numbers_of(source: str, names: Sequence[str]) -> Mapping[str, int]:
    """Of pictures, by their names, the numbers that the look at their source has for them; empty without one."""
    try:
        found = open_preview(source)
    except DataError:
        return {}
    known = {name: index for index, name in enumerate(found.names)} if isinstance(found, PicturesPreview) else {}
    return {name: known[name] for name in names if name in known}


@functools.lru_cache(maxsize=_KEPT)
def _of_item(about: str, content: Path) -> Preview:
    item = Item.model_validate_json(about)
    if item.form == "folder":
        return of_folder(content)
    if item.form == "text":
        return TextsPreview(lambda: StoredTexts(item).texts(item.id, Columns()), item.examples)
    return TablePreview(scan_table(content), item.kind, item.examples)


@functools.lru_cache(maxsize=_KEPT)
def _of_sample(source: str) -> Preview:
    kind = kind_of(source)
    wanted: type[Reader] = {"pictures": PictureReader, "interactions": InteractionReader}.get(kind, TextReader)
    reader, what = reader_of(source, wanted)
    if isinstance(reader, PictureReader):
        return of_pictures(reader.pictures(what))
    if isinstance(reader, InteractionReader):
        return TablePreview(reader.interactions(what, TableFormat()).frame, "interactions")
    if not isinstance(reader, TextReader):
        raise DataError(f"'{source}' cannot be looked at", "name data of pictures, texts or interactions")
    rows = [Row(*row) for row in reader.texts(what, Columns())]
    return TextsPreview(lambda: rows, len(rows))
