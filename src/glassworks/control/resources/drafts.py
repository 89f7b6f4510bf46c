"""A first job for data that somebody has."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from glassworks.control.access import Controlled, Viewer
from glassworks.drafts import draft_job

router = APIRouter(prefix="/jobs", tags=["jobs"])


class Wanted(BaseModel):
    """Data, `uploaded:ID` or `sample:NAME`, and the family of the job where it is decided already."""

    data: str = Field(min_length=1, max_length=300, examples=["sample:digits"])
    family: str | None = Field(default=None, max_length=100)


class DraftedJob(BaseModel):
    """A job with the fewest keys, as a file and as a table, and why it is so."""

    family: str
    toml: str
    job: dict[str, Any]
    reasons: list[str]


@router.post("/draft")
def draft(control: Controlled, caller: Viewer, wanted: Wanted) -> DraftedJob:
    """A job that trains these data. Nothing is kept."""
    found = draft_job(wanted.data, wanted.family, control.registry)
    return DraftedJob(family=found.family, toml=found.toml, job=found.job, reasons=list(found.reasons))
