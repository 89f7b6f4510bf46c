"""A first job for data: the fewest keys that train them, with the reasons for each."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import PurePath
from types import MappingProxyType
from typing import Any

import tomlkit

from glassworks.catalog import named
from glassworks.contracts import Family
from glassworks.data.kinds import kind_of
from glassworks.data.preview import open_preview
from glassworks.data.uploads.store import DataStore
from glassworks.drafts.columns import Subject, event_keys, text_keys
from glassworks.drafts.families import CHOICES, Choice
from glassworks.errors import ConfigError, DataError
from glassworks.job_files import job_of
from glassworks.record import Record
from glassworks.registry import Registry
from glassworks.sentences import Sentence

_NAME = 40
_UNNAMED: Mapping[str, str] = MappingProxyType({})


class Draft(Record):
    """A job as its file has it, as a table, and why it is so."""

    family: str
    toml: str
    job: dict[str, Any]
    reasons: tuple[Sentence, ...]


def draft_job(
    source: str,
    family: str | None = None,
    registry: Registry | None = None,
    *,
    kind: str | None = None,
    columns: Mapping[str, str] = _UNNAMED,
) -> Draft:
    """A job for `uploaded:ID` or `sample:NAME`, of the family that is named, else of one that suits the data.

    What people know of a table goes before what it looks like: its `kind`, and its `columns` by their roles. The job
    may name a model of the registry. Raises DataError for data of which nothing can be made, ConfigError for a family
    that needs what data do not say, NotFound.
    """
    wanted = named(Family, family).data.kind if family is not None else ""
    found, subject = _subject(source, wanted or kind, columns)
    choice = CHOICES[found](subject, family, registry)
    return _written(choice, subject.source, _named(PurePath(subject.name).stem, found, subject.source))


def data_keys(
    source: str, *, kind: str | None = None, columns: Mapping[str, str] = _UNNAMED
) -> tuple[str, dict[str, Any]]:
    """The kind of `uploaded:ID` or `sample:NAME`, and the `[data]` keys that read it; `label` is empty where there are
    none. Raises DataError for data whose columns are not clear, NotFound.
    """
    kind, subject = _subject(source, kind, columns)
    data: dict[str, Any] = {}
    if kind == "texts":
        roles, data = text_keys(subject)
        data |= {} if "label" in roles else {"label": ""}
    elif kind == "interactions":
        _, data = event_keys(subject)
    elif subject.look.split:
        data = {"split": subject.look.split}
    return kind, {"source": subject.source, **data}


def _subject(source: str, kind: str | None, columns: Mapping[str, str]) -> tuple[str, Subject]:
    """The data as they are read, by the name that people know. Raises DataError."""
    look, name = open_preview(source), source.partition(":")[2]
    if source.startswith("uploaded:"):
        item = DataStore().find(name)
        source, name = item.source, item.name
    try:
        found = look.kind if kind is None else kind_of(source, kind)
        if found is None:
            raise DataError(
                f"'{name}' can be read as texts and as interactions, or as neither",
                "say which (kind), and which columns hold what (columns); or name a family, such as recurrent_text or "
                "collaborative",
            )
        if columns and source.startswith("sample:"):
            raise DataError("a sample says itself what its columns hold", "leave columns out")
        return found, Subject(source=source, name=name, look=look.read_as(found, columns))
    except DataError as error:
        raise _by_name(error, source, name) from None


def _by_name(error: DataError, source: str, name: str) -> DataError:
    """The same of what people sent, which they know by the name of their file."""
    problem = error.problem.replace(source, name)
    return DataError(problem if f"'{name}'" in problem else f"'{name}': {problem}", error.mend)


def _written(choice: Choice, source: str, name: str) -> Draft:
    table: dict[str, Any] = {"name": name, "family": choice.family, "data": {"source": source, **choice.data}}
    if choice.model:
        table["model"] = dict(choice.model)
    _require_complete(choice)
    job_of(table, where="the draft")
    return Draft(
        family=choice.family, toml=tomlkit.dumps(table).strip() + "\n", job=table, reasons=tuple(choice.reasons)
    )


def _require_complete(choice: Choice) -> None:
    """Raise ConfigError for keys that only people know."""
    fields = named(Family, choice.family).config.model_fields
    missing = [key for key, each in fields.items() if each.is_required() and key not in choice.model]
    if missing:
        keys = ", ".join(f"model.{key}" for key in missing)
        raise ConfigError(f"a job of the family '{choice.family}' needs {keys}", "write the job with it")


def _named(name: str, kind: str, source: str) -> str:
    """As the registry wants names."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z0-9]+", "-", plain)[:_NAME].strip("-")
    return plain or f"{kind}-{source.partition(':')[2][:8]}"
