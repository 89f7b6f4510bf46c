"""The settings of a job whose family is `text_encoder`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from glassworks.families._text.pooling_names import PoolingName
from glassworks.locations import Location
from glassworks.record import Record


class TextEncoderConfig(Record):
    """The `[model]` table of a job whose family is `text_encoder`."""

    backbone: Annotated[str, Location({"folder": "path", "hf": "path or name"})] = Field(min_length=1)
    """The encoder: `folder:PATH`, `package:LIBRARY/FOLDER` or `hf:OWNER/NAME`."""
    pooling: PoolingName = "auto"
    """How token states become one; `auto`: as the encoder's folder says (sentence-transformers), else the mean."""
    prompt: str | None = None
    """The name of a prompt of the encoder's folder that stands before every text, such as `query`; left out: the one
    that the folder names as its default; empty: none."""
    max_tokens: int | None = Field(default=None, ge=8, le=8192)
    """Tokens of a window, at most what the encoder reads. Left out: what the encoder's folder says, else 256."""
    long_texts: Literal["auto", "windows", "first"] = "auto"
    """Longer texts are read in windows whose vectors are averaged, or their first window alone is read; `auto`: the
    first one where the folder is of sentence-transformers, which does so."""
