"""The settings of a job whose family is `convnet`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from glassworks.locations import Location
from glassworks.record import Record


class ConvNetConfig(Record):
    """The `[model]` table of a job whose family is `convnet`."""

    size: int | None = Field(default=None, ge=8, le=512)
    """Side in pixels; left out, the pictures' own size where it is the same for all, else at most 224."""
    channels: Literal[1, 3] | None = None
    """1 for gray, 3 for color; left out, gray when all pictures are gray."""
    augment: Literal["auto", "none", "digits", "photos", "shifts"] = "auto"
    """`digits` turns, scales and shifts a little, `photos` mirrors and shifts, `shifts` only shifts."""
    novelty: float | None = Field(default=None, ge=0.5, lt=1)
    """Share of familiar pictures to take as such, like 0.95; answers then say how unfamiliar a picture is."""
    embed: bool = False
    """Report the embedding of each picture too, an output that other models can be built upon."""
    progressive: float | None = Field(default=None, ge=0.25, lt=1)
    """Training starts on pictures of this share of the side and ends on whole ones; left out, all are whole."""
    views: Literal["none", "auto", "mirror", "shifts"] = "none"
    """Answers are the mean over 2 (`mirror`) or 5 (`shifts`) looks; `auto`: where validation says that it helps."""
    backbone: Annotated[str | None, Location({"folder": "path", "local-dir": "path"})] = None
    """A pretrained network for the recipe `backbone`: a folder in timm's layout, or a name on the hub."""
