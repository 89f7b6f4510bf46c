"""A first job for data that somebody has."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from glassworks.control.access import Controlled, Viewer
from glassworks.drafts import draft_job
from glassworks.sentences import Sentence

router = APIRouter(prefix="/jobs", tags=["jobs"])


class Columns(BaseModel):
    """What the columns of a table hold, where people know it better: names by role. What is left out is found by name
    and look; an empty name says that no column holds it."""

    model_config = ConfigDict(extra="forbid")
    text: str | None = None
    label: str | None = None
    user: str | None = None
    item: str | None = None
    time: str | None = None
    weight: str | None = None


class Understanding(BaseModel):
    """How data are to be read: `kind`, and the columns of a table; without them, as they look."""

    kind: Literal["pictures", "texts", "interactions"] | None = None
    columns: Columns = Columns()

    def named(self) -> dict[str, str]:
        """The columns that are named, by their roles."""
        return self.columns.model_dump(exclude_none=True)


class Wanted(Understanding):
    """Data, `uploaded:ID` or `sample:NAME`, and the family of the job where it is decided already."""

    data: str = Field(min_length=1, max_length=300, examples=["sample:digits"])
    family: str | None = Field(default=None, max_length=100)


class DraftedJob(BaseModel):
    """A job with the fewest keys, as a file and as a table, and why it is so."""

    family: str
    toml: str
    job: dict[str, Any]
    reasons: list[Sentence]


@router.post("/draft")
def draft(control: Controlled, caller: Viewer, wanted: Wanted) -> DraftedJob:
    """A job that trains these data. Nothing is kept."""
    found = draft_job(wanted.data, wanted.family, control.registry, kind=wanted.kind, columns=wanted.named())
    return DraftedJob(family=found.family, toml=found.toml, job=found.job, reasons=list(found.reasons))
