"""The settings of a job whose family is `text_encoder`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from glassworks.locations import Location
from glassworks.record import Record


class TextEncoderConfig(Record):
    """The `[model]` table of a job whose family is `text_encoder`."""

    backbone: Annotated[str, Location({"folder": "path", "hf": "path or name"})] = Field(min_length=1)
    """The encoder: `folder:PATH`, `package:LIBRARY/FOLDER` or `hf:OWNER/NAME`."""
    pooling: Literal["auto", "mean", "first"] = "auto"
    """How token states become one: their mean, or the first one; `auto` takes what the encoder's folder says."""
    max_tokens: int = Field(default=256, ge=8, le=8192)
    """Tokens of a window, at most what the encoder reads; longer texts are read in several."""
