"""The settings of a job whose family is `transformer_text`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from glassworks.families._text.pooling_names import PoolingName
from glassworks.locations import Location
from glassworks.record import Record


class TransformerTextConfig(Record):
    """The `[model]` table of a job whose family is `transformer_text`."""

    backbone: Annotated[str, Location({"folder": "path", "hf": "path or name"})] = ""
    """A pretrained encoder: `folder:PATH`, `package:LIBRARY/FOLDER`, `hf:OWNER/NAME`; without it one is trained from
    scratch."""
    mode: Literal["full", "lora", "frozen"] = "full"
    """What of a pretrained encoder learns: all, low-rank additions to it, or only the head on it."""
    pooling: PoolingName = "auto"
    """How token states become one; `auto`: as the encoder's folder says (sentence-transformers), else the mean."""
    rank: int = Field(default=16, ge=1, le=512)
    """Rank of LoRA's additions."""
    width: int = Field(default=128, ge=8, le=1024)
    """From nothing: values a token."""
    layers: int | None = Field(default=None, ge=1, le=48)
    """Of a pretrained encoder only the first so many, all when left out; from nothing: how many, 2 when left out."""
    narrow: float = Field(default=1.0, gt=0, le=1)
    """Of a pretrained encoder: the share of the hidden units of its feed-forward layers that stays; those that are
    missed least are left out before it is tuned."""
    heads: int = Field(default=4, ge=1, le=32)
    """From nothing: attention heads; they divide the width."""
    vocabulary: int = Field(default=12_000, ge=16, le=100_000)
    """From nothing: most different tokens, learned from the training texts."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of values left out while training."""
    ngrams: int = Field(default=60_000, ge=0, le=1_000_000)
    """Most different n-grams that a linear classifier beside the encoder keeps; it stays where it clearly improves the
    log loss of validation texts. 0: none."""
    max_tokens: int | None = Field(default=None, ge=8, le=8192)
    """Tokens of a window, at most what the encoder reads; longer texts are read in several. Left out: what the
    encoder's folder says (sentence-transformers), else 256."""
    coverage: float = Field(default=0.9, gt=0.5, lt=1)
    """Share of texts whose label set shall hold the true label; with several labels a text nothing is promised."""
