"""The keys of `[data]` of a job whose family is `language_model`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from glassworks.data.text.keys import TextData
from glassworks.locations import Location


class LanguageData(TextData):
    """Texts that the model is measured on; nothing is learned from them."""

    kind: ClassVar[str] = "texts"
    source: Annotated[str, Location()] = Field(default="sample:python-manual", pattern=r"^[a-z][a-z0-9_-]*:.+")
    """Texts of the kind that the model will read: its compressed forms are compared on them."""
    measured_bytes: int = Field(default=16_384, ge=64)
    """Text (UTF-8) in each part that is read to measure: more gives narrower intervals, and takes longer."""
