"""Jobs: which there can be, what is wrong with one, and the same as a form and as a file."""

from __future__ import annotations

import importlib.util
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from glassworks.catalog import first_paragraph, found, named
from glassworks.contracts import Family
from glassworks.control.access import Controlled, Viewer
from glassworks.control.foreseen import foreseen
from glassworks.control.paging import Page
from glassworks.control.tables import Table
from glassworks.errors import ConfigError, InputError
from glassworks.job_schema import Fault, edited, faults, job_schema, read, syntax_fault, warnings_of, written

router = APIRouter(prefix="/jobs", tags=["jobs"])
_LONGEST = 65_536


class FamilyFound(BaseModel):
    """A kind of model; `missing` are libraries that training it needs and that are not installed."""

    family: str
    summary: str
    data_kind: str
    task: str
    missing: list[str]


class Asked(BaseModel):
    """A job, as a text or as a table. `changes` are other values of its keys, by their paths such as `training.epochs`;
    null takes a key away. With both `toml` and `changes`, comments stay."""

    toml: str | None = Field(default=None, max_length=_LONGEST)
    job: Table | None = None
    changes: Table = Field(default_factory=dict, max_length=1000)


class Checked(BaseModel):
    """The job as a text and as a table, and what is wrong with it. `job` is null where the text is not TOML."""

    valid: bool
    toml: str
    job: dict[str, Any] | None
    problems: list[Fault]
    warnings: list[str]


@router.get("/families")
def list_families(caller: Viewer) -> Page[FamilyFound]:
    """The kinds of models that a job can train."""
    return Page(items=[_described(name, family) for name, family in found(Family).items()])


@router.get("/families/{family}/schema")
def get_schema(caller: Viewer, family: str) -> dict[str, Any]:
    """JSON schema of the jobs of a family, with what each key means."""
    return job_schema(family)


@router.post("/check")
def check_job(control: Controlled, caller: Viewer, asked: Asked) -> Checked:
    """Say everything that is wrong with a job, by key and line, without reading its data; and where it would take other
    inputs, or answer with other labels, than what is served under its name."""
    if (asked.toml is None) == (asked.job is None):
        raise InputError("a job is given as 'toml' or as 'job'", "give one of them")
    text = asked.toml if asked.toml is not None else written(asked.job or {})
    try:
        table = read(text)
        if asked.changes:
            text = edited(text, asked.changes)
            table = read(text)
        plain = _in_json(table)
    except RecursionError:
        raise InputError("the job is nested too deeply", "a job has tables of a few keys") from None
    except ConfigError as error:
        return Checked(valid=False, toml=text, job=None, problems=[syntax_fault(error)], warnings=[])
    problems = list(faults(table, text))
    warnings = [*warnings_of(table), *foreseen(control, table)]
    return Checked(valid=not problems, toml=text, job=plain, problems=problems, warnings=warnings)


def _described(name: str, family: Family) -> FamilyFound:
    missing = [library for library in family.needs if importlib.util.find_spec(library) is None]
    summary = first_paragraph(type(named(Family, name)))
    return FamilyFound(family=name, summary=summary, data_kind=family.data.kind, task=family.task, missing=missing)


def _in_json(value: Any) -> Any:
    """TOML has times, which JSON has as texts."""
    if isinstance(value, dict):
        return {key: _in_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_in_json(inner) for inner in value]
    return value if isinstance(value, str | int | float | bool) else str(value)
