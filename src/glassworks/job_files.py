"""A job file (TOML) becomes a job: keys are checked against the records of its family, paths count from the file."""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from glassworks.catalog import found, named
from glassworks.config import DataConfig, Job, validate
from glassworks.contracts import Family, Source
from glassworks.errors import ConfigError
from glassworks.locations import anchored, with_scheme

_D = TypeVar("_D", bound=DataConfig)


class JobWarning(UserWarning):
    """A key of a job file that has no effect."""


def load_job(path: Path, overrides: Sequence[str] = ()) -> Job:
    """Read a job file and apply `key.path=value` overrides. Raises ConfigError; NotFound for an unknown family."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        mend = "give the path of a TOML job file, such as examples/digits.toml"
        raise ConfigError(f"there is no job file {path}", mend) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the job file {path}: {error}", "give a readable UTF-8 text file") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}", "correct the file at that line") from None
    return job_with(table, overrides, where=str(path), folder=path.parent)


def job_with(table: dict[str, Any], overrides: Sequence[str], *, where: str, folder: Path | None = None) -> Job:
    """The job of a table with `key.path=value` overrides; see `job_of`."""
    for override in overrides:
        _override(table, override)
    for reason in without_effect(table):
        warnings.warn(f"{where}: {reason}", JobWarning, stacklevel=3)
    return job_of(table, where=where, folder=folder)


def data_with(data: _D, overrides: Sequence[str]) -> _D:
    """The data with `key=value` of `[data]`, with `data.` before the key or without. Raises ConfigError."""
    table: dict[str, Any] = {"data": data.model_dump(exclude_defaults=True)}
    for each in overrides:
        _override(table, each if each.startswith("data.") else f"data.{each}")
    return validate(type(data), table["data"], where="--set", prefix="data.")


def job_of(table: Mapping[str, Any], *, where: str, folder: Path | None = None) -> Job:
    """The job of a table, with `[data]` as its family reads it; relative paths count from `folder` where it is given.

    Keys of `[data]` that belong to another modality are left out: earlier versions wrote all of them into each bundle.
    Raises ConfigError; NotFound for an unknown family.
    """
    table = _with_data(table)
    if (family := _family(table)) is not None:
        foreign = _foreign(table)
        table = {**table, "data": {key: value for key, value in table["data"].items() if key not in foreign}}
        table = {**table, "data": _completed(family.data, table["data"], where)}
        if folder:
            table = _anchored(table, family, folder)
        _require_scheme(table["data"], where)
        table = {**table, "data": validate(family.data, table["data"], where=where, prefix="data.")}
    return validate(Job, table, where=where)


def stored_job(table: Mapping[str, Any], *, where: str) -> Job:
    """The job in a bundle, which means what it meant when it was written. Raises as `job_of`."""
    if (family := _family(table)) is not None:
        table = {**table, "data": {**family.data.before, **table["data"]}}
    return job_of(table, where=where)


def without_effect(table: Mapping[str, Any]) -> Iterator[str]:
    """Which keys of a job are not read, and why. Raises NotFound for an unknown family."""
    for key, kinds in _foreign(table).items():
        reason = f"it is a key of {' and '.join(kinds)}, which the family '{table['family']}' does not read"
        yield f"'data.{key}' has no effect: {reason}"


def modalities() -> Mapping[str, type[DataConfig]]:
    """Kind of data -> the record of its `[data]` keys, of all families."""
    records = (family.data for family in found(Family).values())
    return {record.kind: record for record in records if record.kind}


def _with_data(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """With an empty `[data]` where there is none and the family needs no key of it."""
    name = table.get("family")
    if "data" in table or not isinstance(name, str):
        return table
    optional = not any(field.is_required() for field in named(Family, name).data.model_fields.values())
    return {**table, "data": {}} if optional else table


def _family(table: Mapping[str, Any]) -> Family | None:
    """The family that a table names; None where the table is no job: its records then say why."""
    name = table.get("family")
    return named(Family, name) if isinstance(name, str) and isinstance(table.get("data"), Mapping) else None


def _foreign(table: Mapping[str, Any]) -> Mapping[str, Sequence[str]]:
    """Keys of `[data]` that belong to other modalities than the job's -> those modalities."""
    if (family := _family(table)) is None:
        return {}
    kinds = {
        key: [kind for kind, record in modalities().items() if key in record.model_fields] for key in table["data"]
    }
    return {key: found for key, found in kinds.items() if found and key not in family.data.model_fields}


def _completed(record: type[DataConfig], data: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    try:
        return record.completed(data)
    except ValueError as error:
        problem, _, mend = str(error).partition("; ")
        raise ConfigError(f"{where}: {problem}", mend) from None


def _require_scheme(data: Mapping[str, Any], where: str) -> None:
    source = data.get("source")
    if isinstance(source, str) and ":" not in source:
        example = with_scheme(source, found(Source)) or "for example folder:PATH, csv:PATH or sample:NAME"
        raise ConfigError(f"{where}: 'data.source' is '{source}', not SCHEME:WHAT", f"write {example}")


def _anchored(table: Mapping[str, Any], family: Family, folder: Path) -> Mapping[str, Any]:
    """Relative paths count from the job file, so that a job means the same wherever it is started."""
    sources = {name: source.naming for name, source in found(Source).items()}
    records = {"data": family.data, "model": family.config}
    parts = {name: table[name] for name in records if isinstance(table.get(name), Mapping)}
    return {**table, **{name: anchored(records[name], part, folder, sources) for name, part in parts.items()}}


def _override(table: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator or not key.strip():
        raise ConfigError(f"'--set {override}' is not KEY=VALUE", "write for example --set training.epochs=3")
    *parents, leaf = key.strip().split(".")
    for parent in parents:
        child = table.setdefault(parent, {})
        if not isinstance(child, dict):
            raise ConfigError(
                f"'--set {override}': '{parent}' is a value, not a table",
                "give the path of a key, such as training.epochs",
            )
        table = child
    try:
        table[leaf] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        table[leaf] = text
