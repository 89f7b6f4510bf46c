"""The base of all records: frozen, typed, and strict about their keys."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A frozen, typed value that can be written as JSON; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
