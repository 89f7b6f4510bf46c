"""Whether a tokenizer knows the signs of a script."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_UNKNOWN = 0.05
"""The share of unknown tokens up to which it does."""


def knows(tokenizer: Tokenizer, texts: Sequence[str]) -> bool:
    """Whether hardly a token of the texts is unknown to it."""
    unknown = {tokenizer.token_to_id(token) for token in ("[UNK]", "<unk>")} - {None}
    ids = [each for text in texts for each in tokenizer.encode(text, add_special_tokens=False).ids]
    return sum(each in unknown for each in ids) <= _UNKNOWN * max(1, len(ids))
