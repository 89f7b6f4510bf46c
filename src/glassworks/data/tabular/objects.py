"""JSON: an object a line, or a list of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from glassworks.data.encodings import read_text
from glassworks.data.tabular.format import TableFormat
from glassworks.errors import DataError
from glassworks.sentences import Sentence, sentence

_MEND = "write one JSON object a line"


@dataclass(frozen=True, kw_only=True)
class Objects:
    """`rows` are in the places that `names` tell, such as `line 3`."""

    names: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    findings: tuple[Sentence, ...] = ()

    def keys(self) -> list[str]:
        """Of any row, in the order in which they come up; those of an object `a` as `a.b` behind them."""
        own = dict.fromkeys(key for row in self.rows for key in row)
        inner = (f"{key}.{each}" for row in self.rows for key, value in row.items() for each in _keys(value))
        return list(own | dict.fromkeys(inner))

    def values(self, key: str) -> list[Any] | None:
        """What each row has there, None where it has nothing; `a.b` is the key `b` of the object `a`. None without
        such a key in any row."""
        found = [_value(row, key) for row in self.rows]
        return None if all(each is _ABSENT for each in found) else [None if each is _ABSENT else each for each in found]


_ABSENT = object()


def _keys(value: object) -> list[str]:
    return list(value) if isinstance(value, dict) else []


def read_objects(path: Path, form: TableFormat | None = None) -> Objects:
    """Raises DataError where something else is in it; NaN is read as what is missing."""
    read = read_text(path, form.encoding if form else "")
    text = read.text.removeprefix("\ufeff")
    if inner := list_within(text):
        return replace(inner, findings=(*read.findings, *inner.findings))
    if text.lstrip()[:1] == "[":
        return replace(_of_list(text, path), findings=read.findings)
    names, rows = list[str](), list[Mapping[str, Any]]()
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            names.append(f"line {number}")
            rows.append(_object(line, path, number))
    return Objects(names=tuple(names), rows=tuple(rows), findings=read.findings)


def _object(line: str, path: Path, number: int) -> Mapping[str, Any]:
    try:
        row = decoded(line.strip().removesuffix(","))
    except ValueError as error:
        whole = line.strip() in ("{", "[")
        mend = f"{_MEND}, as pandas does: to_json(PATH, orient='records', lines=True)" if whole else _MEND
        raise DataError(f"{path}, line {number} is not JSON: {error}", mend) from None
    if not isinstance(row, dict):
        raise DataError(f"{path}, line {number} is not an object of JSON: {line.strip()[:80]}", _MEND)
    by_column = all(isinstance(each, dict) and set(each) and all(map(str.isdigit, each)) for each in row.values())
    if row and (by_column or {"columns", "index", "data"} == set(row)):
        raise DataError(
            f"{path} holds a column after another, as pandas writes it",
            "write a row after another: to_json(PATH, orient='records', lines=True)",
        )
    return row


def _of_list(text: str, path: Path) -> Objects:
    """A list of objects; lines that are lists themselves are refused as such."""
    try:
        rows = decoded(text)
    except ValueError:
        rows = None
    if not isinstance(rows, list) or not rows or not all(isinstance(each, dict) for each in rows):
        first = text.lstrip().split("\n")[0]
        raise DataError(f"{path}, line 1 is not an object of JSON, nor a list of them: {first[:80]}", _MEND)
    return Objects(names=tuple(f"row {number}" for number in range(1, len(rows) + 1)), rows=tuple(rows))


def list_within(text: str) -> Objects | None:
    """The objects of a document that is one object with one list of them, as many services write it."""
    if text.lstrip()[:1] != "{" or ((first := text.strip().split("\n")[0]).endswith("}") and first != text.strip()):
        return None
    try:
        whole = decoded(text)
    except ValueError:
        return None
    lists = {key: value for key, value in whole.items() if _are_objects(value)} if isinstance(whole, dict) else {}
    if len(lists) != 1 or any(isinstance(value, list | str) for key, value in whole.items() if key not in lists):
        return None
    key, rows = next(iter(lists.items()))
    if len(rows) < 2:  # one object with a list, such as a conversation, is a line
        return None
    names = tuple(f"row {number}" for number in range(1, len(rows) + 1))
    return Objects(names=names, rows=tuple(rows), findings=(sentence("finding.list-within", key=key, n=len(rows)),))


def _are_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


def decoded(text: str) -> Any:
    """Raises json.JSONDecodeError."""
    import msgspec

    try:
        try:
            return msgspec.json.decode(text.encode("utf-8", "replace"))
        except msgspec.DecodeError:
            return json.loads(text)  # which knows NaN and Infinity, that pandas and others write
    except RecursionError:
        raise json.JSONDecodeError("nested too deeply", text, 0) from None


def _value(row: Mapping[str, Any], key: str) -> Any:
    if key in row:
        return row[key]
    found: Any = row
    for part in key.split("."):
        if not isinstance(found, dict) or part not in found:
            return _ABSENT
        found = found[part]
    return found
