"""A first job for data: the fewest keys that train them, with the reasons for each."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePath
from typing import Any

import tomlkit

from glassworks.catalog import named
from glassworks.contracts import Family
from glassworks.data.kinds import kind_of
from glassworks.data.preview import open_preview
from glassworks.data.uploads.store import DataStore
from glassworks.drafts.columns import event_keys, text_keys
from glassworks.drafts.families import CHOICES, Choice
from glassworks.errors import ConfigError, DataError
from glassworks.job_files import job_of
from glassworks.record import Record
from glassworks.registry import Registry

_NAME = 40


class Draft(Record):
    """A job as its file has it, as a table, and why it is so."""

    family: str
    toml: str
    job: dict[str, Any]
    reasons: tuple[str, ...]


def draft_job(source: str, family: str | None = None, registry: Registry | None = None) -> Draft:
    """A job for `uploaded:ID` or `sample:NAME`, of the family that is named, else of one that suits the data.

    It may name a model of the registry. Raises DataError for data of which nothing can be made, ConfigError for a
    family that needs what data do not say, NotFound.
    """
    look = open_preview(source)
    if source.startswith("uploaded:"):
        item = DataStore().find(source.partition(":")[2])
        source, name = item.source, PurePath(item.name).stem
    else:
        name = source.partition(":")[2]
    kind = look.kind
    if family is not None:
        wanted = named(Family, family).data.kind
        kind = kind_of(source, wanted or None)
    if kind is None:
        raise _unclear(source)
    choice = CHOICES[kind](look, source, family, registry)
    return _written(choice, source, _named(name, kind, source))


def data_keys(source: str) -> tuple[str, dict[str, Any]]:
    """The kind of `uploaded:ID` or `sample:NAME`, and the `[data]` keys that read it; `label` is empty where there are
    none. Raises DataError for data whose columns are not clear, NotFound.
    """
    look = open_preview(source)
    data: dict[str, Any] = {}
    if look.kind is None:
        raise _unclear(source)
    if look.kind == "texts":
        roles, data = text_keys(look, source)
        data |= {} if "label" in roles else {"label": ""}
    elif look.kind == "interactions":
        _, data = event_keys(look, source)
    return look.kind, {"source": source, **data}


def _unclear(source: str) -> DataError:
    return DataError(
        f"'{source}' can be read as texts and as interactions, or as neither",
        "name a family, such as recurrent_text or collaborative; or upload it again and say its kind",
    )


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
