"""Tables of questions: a row is one example, and comes out again with its answer."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.contracts import Pictures, Tables
from glassworks.data.tabular.cells import Cells, cells_of_objects, cells_of_table
from glassworks.data.tabular.format import TableFormat
from glassworks.errors import DataError, InputError
from glassworks.storage import storage_errors

if TYPE_CHECKING:
    from glassworks.contracts import Array
    from glassworks.packaging.opened import OpenedBundle

SCHEMES = {".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl"}
"""Endings of tables, and the sources that read them."""
WRITTEN = (".csv", ".tsv", ".parquet")
LINES = (".jsonl", ".ndjson", ".json", ".txt", "")
_PATHS = ("file", "file_name", "filename", "path", "image", "picture")
_OWN = "predicted_"


def source_of(path: str) -> str:
    """The source of a file that is a table by its ending; empty for another one."""
    scheme = SCHEMES.get(Path(path).suffix.lower())
    return f"{scheme}:{path}" if scheme and Path(path).is_file() else ""


def require_form(output: Path) -> None:
    """Raise InputError for a file of a kind that is not written."""
    if output.suffix.lower() not in (*WRITTEN, *LINES):
        raise InputError(f"answers are not written as {output.suffix} files", "name a .csv, .parquet or .jsonl file")


def cells_of(source: str) -> Cells | None:
    """The cells of a source that is a table; None for another one. Raises DataError."""
    scheme, _, what = source.partition(":")
    if scheme == "jsonl":
        from glassworks.data.tabular.objects import read_objects

        return cells_of_objects(read_objects(Path(what), TableFormat()), what)
    if scheme not in SCHEMES.values() or Path(what).is_dir():
        return None
    from glassworks.data.tabular.reading import read_table

    return cells_of_table(read_table(Path(what)))


def questions(
    opened: OpenedBundle, source: str, cells: Cells | None, columns: Sequence[str]
) -> Iterator[tuple[str, Callable[[], Array]]]:
    """A name, and what reads the stored example, for each row of a table, or each example of another source."""
    task, preprocessing = opened.task, dict[str, Any](opened.manifest.preprocessing)
    if cells is not None and isinstance(task, Pictures):
        return _pictures(opened, cells, columns, Path(source.partition(":")[2]).parent)
    if cells is not None and not isinstance(task, Tables):
        wanted = list(columns) or _learned(preprocessing, cells)
        known = preprocessing.get("columns") or {}
        text = wanted[0] if len(wanted) == 1 else wanted
        preprocessing["columns"] = {**known, "text": text}
    return task.inputs(source, preprocessing)


def _learned(preprocessing: Mapping[str, Any], cells: Cells) -> list[str]:
    """The columns that the model has learned from; where a table has one column only, that one."""
    known = preprocessing.get("columns") or {}
    text = known.get("text") or preprocessing.get("column") or "text"
    wanted = [text] if isinstance(text, str) else list(text)
    if len(cells.names) == 1 and wanted[0] not in cells.names:
        return list(cells.names)
    for name in wanted:
        _require(name, cells)
    return wanted


def _require(name: str, cells: Cells) -> None:
    if name not in cells.names:
        shown = ", ".join(cells.names)[:150]
        raise DataError(f"{cells.source} has no column '{name}'", f"its columns: {shown}; name yours: --column NAME")


def _pictures(
    opened: OpenedBundle, cells: Cells, columns: Sequence[str], folder: Path
) -> Iterator[tuple[str, Callable[[], Array]]]:
    lower = {name.lower(): name for name in reversed(cells.names)}
    usual = next((lower[name] for name in _PATHS if name in lower), cells.names[0] if len(cells.names) == 1 else "file")
    name = columns[0] if columns else usual
    _require(name, cells)

    def read(path: str) -> Array:
        if not path:
            raise InputError("the row has no path", "name a picture in each row")
        return opened.task.decode((folder / path).read_bytes(), opened.manifest.preprocessing)

    for value in cells.values(name):
        path = "" if value is None else str(value).strip()
        yield path, partial(read, path)


def write_table(lines: Path, cells: Cells | None, output: Path) -> None:
    """The lines that `write_answers` wrote, as a table: the columns of the questions, then those of the answers.

    Where an answer is a list of items, each has a row of its own, with its `rank`. A column of the questions with the
    name of one of the answers stays, and the answer's is called `predicted_NAME`. Written whole or not at all.
    """
    import polars

    with lines.open(encoding="utf-8") as file:
        said = [json.loads(line) for line in file]
    listed = any("items" in each.get("answer", {}) for each in said)
    given = {} if listed else _given(said, cells)
    found = list(itertools.chain.from_iterable(map(_items, said))) if listed else [_flat(each) for each in said]
    names = dict.fromkeys(name for row in found for name in row)
    answers = {_OWN + name if name in given else name: _column([row.get(name) for row in found]) for name in names}
    frame = polars.DataFrame({**given, **answers}, strict=False)
    whole = output.with_name(f".{output.name}.whole")
    with storage_errors(output, "name another file"):
        if output.suffix.lower() == ".parquet":
            frame.write_parquet(whole)
        elif output.suffix.lower() in LINES:
            frame.write_ndjson(whole)
        else:
            frame.write_csv(whole, separator="\t" if output.suffix.lower() == ".tsv" else ",")
        whole.replace(output)


def flat(line: Mapping[str, Any]) -> dict[str, Any]:
    """A line as a row for people: its name, and its answer or its error."""
    return {"row": line["row"], "name": line["name"], **_flat(line)}


def _given(said: Sequence[Mapping[str, Any]], cells: Cells | None) -> dict[str, list[Any]]:
    """The columns of the questions; of another source the names."""
    if cells is None:
        return {"name": [each["name"] for each in said]}
    return {name: _column(cells.values(name)[: len(said)]) for name in cells.names}


def _flat(line: Mapping[str, Any]) -> dict[str, Any]:
    return {**line.get("answer", {}), **({"error": line["error"]} if "error" in line else {})}


def _items(line: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    first = {"row": line["row"], "user": line["name"]}
    if "error" in line:
        return [{**first, "error": line["error"]}]
    items = line["answer"]["items"]
    return [{**first, "rank": rank, "item": each["item"], "score": each["score"]} for rank, each in enumerate(items, 1)]


def _column(values: Sequence[Any]) -> list[Any]:
    """Cells of one kind: numbers and texts as they are, everything else as JSON or as text."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} or kinds in ({str}, {bool}):
        return list(values)
    return [None if value is None else _text(value) for value in values]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
