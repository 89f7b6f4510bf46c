"""A job for programs that write one: its JSON schema, everything that is wrong with it, edits that keep comments."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

import tomlkit
from pydantic import BaseModel, ValidationError, create_model
from tomlkit.exceptions import TOMLKitError

from glassworks.catalog import named
from glassworks.config import Job
from glassworks.contracts import Family
from glassworks.errors import ConfigError, GlassworksError
from glassworks.job_files import job_of, without_effect
from glassworks.locations import records_of
from glassworks.record import Record
from glassworks.wrong_keys import config_error, key_path

_WHERE = "the job"
_TABLE = re.compile(r"\s*\[+\s*([^\[\]#]+?)\s*\]+\s*(?:#.*)?")
_KEY = re.compile(r"\s*([A-Za-z0-9_.\"'-]+)\s*=")
_DOTS = 2000
"""The time that a key takes grows with the square of its parts."""
_AT_LINE = re.compile(r"at line (\d+)")


class Fault(Record):
    """What is wrong with a job: the path of a key, and its line where the job is a text."""

    key: str
    problem: str
    mend: str
    line: int | None = None


def job_schema(family: str) -> dict[str, Any]:
    """JSON schema of the jobs of a family, without `[serving]`; each key's description is in it. Raises NotFound."""
    chosen = named(Family, family)
    defaults = {"data": (chosen.data, ...), "model": (chosen.config, {}), "serving": (Any, None)}
    record: type[BaseModel] = create_model("Job", __base__=Job, **defaults)  # type: ignore[call-overload]
    schema = record.model_json_schema()
    schema["properties"].pop("serving")
    schema["properties"]["family"] |= {"const": family, "default": family}
    parts: dict[str, type[BaseModel]] = {**{each.__name__: each for each in _records(record)}, "Job": Job}
    for name, part in {**schema.get("$defs", {}), "Job": schema}.items():
        notes = field_notes(parts[name]) if name in parts else {}
        for key, field in part.get("properties", {}).items():
            if key in notes:
                field.setdefault("description", notes[key])
    return schema


def field_notes(record: type[BaseModel]) -> dict[str, str]:
    """The text under each field in the body of a record's class, and of those that it derives from."""
    notes: dict[str, str] = {}
    for kind in reversed(record.__mro__):
        if issubclass(kind, BaseModel) and kind.__module__.startswith("glassworks"):
            notes |= _own_notes(kind)
    return notes


def faults(table: Mapping[str, Any], text: str = "") -> tuple[Fault, ...]:
    """Everything that is wrong with the keys of a job, with their lines in its text."""
    return tuple(fault.model_copy(update={"line": line_of(text, fault.key)}) for fault in _faults(table))


def warnings_of(table: Mapping[str, Any]) -> tuple[str, ...]:
    """Keys that have no effect. Nothing of a table that is no job."""
    try:
        return tuple(without_effect(table))
    except GlassworksError:
        return ()


def read(text: str) -> dict[str, Any]:
    """The table of a job's text. Raises ConfigError."""
    if text.count(".") > _DOTS:
        raise ConfigError(f"it holds more than {_DOTS:,} dots", "give keys of a few parts")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"it is not valid TOML: {error}", "correct it at that line") from None


def syntax_fault(error: ConfigError) -> Fault:
    """The same as a fault with its line."""
    found = _AT_LINE.search(error.problem)
    return Fault(key="", problem=error.problem, mend=error.mend, line=int(found[1]) if found else None)


def edited(text: str, changes: Mapping[str, Any]) -> str:
    """A job's text with other values of keys, by their paths such as `training.epochs`; None takes a key away.

    Comments and order stay. Raises ConfigError.
    """
    try:
        document = tomlkit.parse(text)
        for path, value in changes.items():
            _set(document, path, value)
        return tomlkit.dumps(document)
    except (TOMLKitError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise ConfigError(
            f"the job cannot be changed so: {error}", "give paths of keys, and values that TOML has"
        ) from None


def written(table: Mapping[str, Any]) -> str:
    """A job as a text. Raises ConfigError for what TOML does not have."""
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    tables = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    try:
        return tomlkit.dumps(_without_none({**plain, **tables}))
    except (TOMLKitError, ValueError, TypeError, RecursionError) as error:
        raise ConfigError(f"the job cannot be written as TOML: {error}", "give values that TOML has") from None


def line_of(text: str, key: str) -> int | None:
    """The line of a key in a text, or of the nearest table around it; None where neither is there."""
    table, best, depth = "", None, 0
    for number, line in enumerate(text.splitlines(), 1):
        if header := _TABLE.fullmatch(line):
            path = table = header[1]
        elif found := _KEY.match(line):
            path = f"{table}.{found[1]}" if table else found[1]
        else:
            continue
        path = path.replace('"', "").replace("'", "").replace(" ", "")
        if (key == path or key.startswith(f"{path}.")) and len(path) > depth:
            best, depth = number, len(path)
    return best


def _set(document: Any, path: str, value: Any) -> None:
    *parents, leaf = path.split(".")
    table = document
    for parent in parents:
        if parent not in table:
            if value is None:
                return
            table[parent] = tomlkit.table()
        table = table[parent]
    if value is not None:
        table[leaf] = value
    elif leaf in table:
        del table[leaf]


def _without_none(table: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_none(value) if isinstance(value, Mapping) else value
        for key, value in table.items()
        if value is not None
    }


def _faults(table: Mapping[str, Any]) -> Iterator[Fault]:
    try:
        job = job_of(table, where=_WHERE)
        named(Family, job.family).settings(job)
        return
    except GlassworksError as error:
        first = error
    every = list(_by_record(table))
    yield from every or [Fault(key=_quoted(first.problem), problem=_short(first.problem), mend=first.mend)]


def _by_record(table: Mapping[str, Any]) -> Iterator[Fault]:
    """What each record says of its part of the table."""
    try:
        family = named(Family, str(table.get("family")))
    except GlassworksError as error:
        yield Fault(key="family", problem=_short(error.problem), mend=error.mend)
        return
    rest = {key: value for key, value in table.items() if key not in ("data", "model")}
    stand_in = {"data": {"source": "sample:digits"}}
    parts: list[tuple[type[BaseModel], Any, str]] = [
        (Job, {**rest, **stand_in}, ""),
        (family.data, table.get("data", {}), "data."),
        (family.config, table.get("model", {}), "model."),
    ]
    for record, part, prefix in parts:
        try:
            record.model_validate(part)
        except ValidationError as error:
            for fault in error.errors():
                found = config_error(record, fault, _WHERE, prefix)
                key = prefix + ".".join(key_path(fault))
                yield Fault(key=key, problem=_short(found.problem), mend=found.mend)


def _short(problem: str) -> str:
    return problem.removeprefix(f"{_WHERE}: ")


def _quoted(problem: str) -> str:
    found = re.search(r"'([a-z_]+(?:\.[a-z_]+)*)'", problem)
    return found[1] if found else ""


def _records(record: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for field in record.model_fields.values():
        for inner in records_of(field.annotation):
            yield inner
            yield from _records(inner)


def _own_notes(record: type[BaseModel]) -> dict[str, str]:
    body = ast.parse(textwrap.dedent(inspect.getsource(record))).body[0]
    if not isinstance(body, ast.ClassDef):
        return {}
    return {
        ast.unparse(field.target): " ".join(str(text.value.value).split())
        for field, text in zip(body.body, body.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
    }
