"""The settings of a job whose family is `few_shot`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from glassworks.record import Record


class FewShotConfig(Record):
    """The `[model]` table of a job whose family is `few_shot`."""

    embedding: str = Field(min_length=1)
    """The registered model whose embedding is used, `NAME` or `NAME@VERSION`: a convnet trained with `embed`."""
    method: Literal["auto", "prototypes", "neighbors"] = "auto"
    """Compare with the mean of each class, or with every learned picture; `auto`: what validation pictures favor."""
