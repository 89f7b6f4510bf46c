"""The settings of a job whose family is `passage_index`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from glassworks.record import Record


class PassageIndexConfig(Record):
    """The `[model]` table of a job whose family is `passage_index`."""

    embedding: str = ""
    """The registered encoder by which passages are found by their meaning, `NAME` or `NAME@VERSION`, a model of the
    family text_encoder. Left out: the newest registered one that knows the signs of the texts, else one that came with
    an installed library, which is registered then; nothing is downloaded. Without any, passages are found by their
    words alone."""
    by: Literal["auto", "fused", "meaning", "words"] = "auto"
    """What ranks passages; `fused`: both ways together, by reciprocal ranks. `auto`: fused, but by words alone without
    an encoder, or with one whose tokenizer does not know the signs of the texts. `words` looks for no encoder."""
    passage_bytes: int = Field(default=800, ge=64, le=16_384)
    """Longest passage (UTF-8): whole sentences up to that. An encoder reads the first tokens of a passage only, as many
    as its model says, so that much longer ones are found less well by meaning."""
