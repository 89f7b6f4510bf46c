"""A first job for data that somebody has."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from fastapi import APIRouter
from pydantic import BaseModel, Field

from glassworks.control.access import Controlled, Viewer
from glassworks.drafts import draft_job
from glassworks.sentences import Sentence

router = APIRouter(prefix="/jobs", tags=["jobs"])
ColumnRole: TypeAlias = Literal["text", "label", "user", "item", "time", "weight"]


class Understanding(BaseModel):
    """How data are to be read, where people know it better: `kind`, and the columns of a table by their roles. What is
    left out is found by name and look; an empty name says that no column has the role."""

    kind: Literal["pictures", "texts", "interactions"] | None = None
    columns: dict[ColumnRole, str] = Field(default_factory=dict, examples=[{"text": "review", "label": "verdict"}])

    def named(self) -> dict[str, str]:
        """The columns that are named, by their roles."""
        return {str(role): name for role, name in self.columns.items()}


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
