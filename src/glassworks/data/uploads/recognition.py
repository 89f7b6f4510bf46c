"""What a file is that somebody sent, by its content: pictures in a zip, a table, texts. What is unclear is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from glassworks.data.picture_kinds import kind_of_file
from glassworks.data.roles import Column, events_of, has_prose, labelled_of
from glassworks.data.sources.folder import Listed, looked_at
from glassworks.data.tables import columns_of, count_rows
from glassworks.data.uploads.records import Form, Kind, Limits
from glassworks.data.uploads.text_files import (
    count_objects,
    is_jsonl,
    lines_of,
    require_column_names,
    separator_of,
    with_commas,
    write_utf8,
)
from glassworks.data.uploads.unpacking import unpack
from glassworks.errors import DataError
from glassworks.storage import linked

CONTENT = "content"
_LAYOUT = "make one folder a class, put its pictures there, and send a zip of them"
_PACKED = {b"\x1f\x8b": "gzip", b"7z\xbc\xaf": "7-Zip", b"Rar!": "RAR", b"\xfd7zXZ": "xz", b"BZh": "bzip2"}
_OTHERS = {b"%PDF": "a PDF", b"\xd0\xcf\x11\xe0": "an Office document", b"\x93NUMPY": "an array of NumPy"}


@dataclass(frozen=True, kw_only=True)
class Recognized:
    """What was kept, as an `Item` has it."""

    form: Form
    kind: Kind | None
    examples: int | None
    notes: tuple[str, ...] = ()


def keep_content(file: Path, name: str, kind: Kind | None, folder: Path, limits: Limits) -> Recognized:
    """Write what the file holds into `folder`, as `CONTENT` or with the suffix of its form. Raises DataError, OSError.

    `name` is what people call it, `kind` what they say it is; None where they do not.
    """
    with file.open("rb") as opened:
        head = opened.read(512)
    if not head:
        raise DataError(f"'{name}' is empty", "send a file that holds something")
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _of_archive(file, name, kind, folder, limits)
    _require_known(head, name)
    if kind == "pictures":
        raise DataError(f"'{name}' holds no pictures", _LAYOUT)
    return _of_table_or_text(file, name, kind, folder)


def _require_known(head: bytes, name: str) -> None:
    for mark, what in _PACKED.items():
        if head.startswith(mark):
            raise DataError(f"'{name}' is packed by {what}", "pack it as zip")
    for mark, what in _OTHERS.items():
        if head.startswith(mark):
            raise DataError(f"'{name}' is {what}", "send a zip of pictures, or a table as CSV, Parquet or JSON lines")
    if kind_of_file(head):
        raise DataError(f"'{name}' is one picture, and no class of it is known", _LAYOUT)


def _of_archive(file: Path, name: str, kind: Kind | None, folder: Path, limits: Limits) -> Recognized:
    content = folder / CONTENT
    unpacked = unpack(file, name, content, limits)
    if unpacked.pictures:
        if kind not in (None, "pictures"):
            raise DataError(f"'{name}' holds pictures, not {kind}", "leave its kind out, or send a table")
        found = _pictures(content, name)
        notes = (*unpacked.notes, *map(str, found.notes))
        return Recognized(form="folder", kind="pictures", examples=len(found.files), notes=notes)
    inner = [path.relative_to(content).as_posix() for path in unpacked.files]
    if len(inner) != 1:
        if "[Content_Types].xml" in inner:
            raise DataError(f"'{name}' is an Office document", "save its table as CSV")
        what = f"{len(inner)} files, and none is a picture: {', '.join(inner[:3])}" if inner else "no file"
        raise DataError(f"'{name}' holds {what}", f"{_LAYOUT}; or send one table")
    alone = folder / "alone"
    unpacked.files[0].rename(alone)
    shutil.rmtree(content)
    with alone.open("rb") as opened:
        if opened.read(4) == b"PK\x03\x04":
            raise DataError(f"'{name}' holds another archive, '{inner[0]}'", "send that one")
    kept = keep_content(alone, inner[0], kind, folder, limits)
    alone.unlink()
    return replace(kept, notes=(*unpacked.notes, *kept.notes))


def _pictures(folder: Path, name: str) -> Listed:
    """What there is. Raises DataError where they have no classes."""
    try:
        found = looked_at(folder)
    except DataError as error:
        mend = error.mend if str(folder) not in error.mend else f"{_LAYOUT}, or write labels.csv"
        raise DataError(error.problem.replace(str(folder), f"'{name}'"), mend) from None
    if len(found.classes) < 2:
        raise DataError(
            f"'{name}' holds only one class, '{found.classes[0]}'", "add a folder with pictures of another class"
        )
    return found


def _of_table_or_text(file: Path, name: str, kind: Kind | None, folder: Path) -> Recognized:
    with file.open("rb") as opened:
        if opened.read(4) == b"PAR1":
            linked(file, folder / f"{CONTENT}.parquet")
            return _of_columns("parquet", folder, name, kind)
    draft = folder / "draft"
    encoding = write_utf8(file, draft, name)
    notes = (f"converted from {encoding}",) if encoding else ()
    found = _of_utf8(draft, name, kind, folder)
    return replace(found, notes=(*notes, *found.notes))


def _of_utf8(draft: Path, name: str, kind: Kind | None, folder: Path) -> Recognized:
    if not any(lines_of(draft, name)):
        raise DataError(f"'{name}' holds nothing but blanks", "send a file that holds something")
    if is_jsonl(draft):
        draft.rename(folder / f"{CONTENT}.jsonl")
        return _of_columns("jsonl", folder, name, kind)
    if Path(name).suffix.lower() in (".json", ".jsonl", ".ndjson"):
        raise DataError(f"'{name}' does not begin with a JSON object", "write one JSON object a line")
    plainly = kind == "texts" and Path(name).suffix.lower() == ".txt"
    separator = None if plainly else separator_of(draft, name)
    if separator is None:
        return _of_lines(draft, name, kind, folder)
    require_column_names(draft, separator, name)
    if separator in (";", "|"):
        with_commas(draft, folder / f"{CONTENT}.csv", name, separator)
        draft.unlink()
        became = "semicolons became commas" if separator == ";" else "the signs | became commas"
        return replace(_of_columns("csv", folder, name, kind), notes=(became,))
    form: Form = "tsv" if separator == "\t" else "csv"
    draft.rename(folder / f"{CONTENT}.{form}")
    return _of_columns(form, folder, name, kind)


def _of_lines(draft: Path, name: str, kind: Kind | None, folder: Path) -> Recognized:
    if kind == "interactions":
        raise DataError(f"'{name}' is no table", "send one with a column of users and one of items")
    examples = sum(1 for _ in lines_of(draft, name))
    draft.rename(folder / f"{CONTENT}.text")
    return Recognized(form="text", kind="texts", examples=examples, notes=("each line is a text; there are no labels",))


def _of_columns(form: Form, folder: Path, name: str, kind: Kind | None) -> Recognized:
    path = folder / f"{CONTENT}.{form}"
    count: Callable[[], int] = (
        (lambda: count_objects(path, name)) if form == "jsonl" else (lambda: count_rows(path, name))
    )
    examples = count()
    if not examples:
        raise DataError(f"'{name}' holds no row", "send a table with a line of column names and rows below it")
    if form == "jsonl" and kind == "interactions":
        raise DataError(f"'{name}' holds JSON lines, which are read as texts", "send interactions as CSV or Parquet")
    return Recognized(form=form, kind=kind or kind_by_columns(form, columns_of(path)), examples=examples)


def kind_by_columns(form: Form, columns: tuple[Column, ...]) -> Kind | None:
    """None where a table can be both, or looks like neither."""
    texts = form == "jsonl" or bool(labelled_of(columns))
    events = form != "jsonl" and bool(events_of(columns))
    if events and not has_prose(columns):
        return "interactions"
    return "texts" if texts and not events else None
