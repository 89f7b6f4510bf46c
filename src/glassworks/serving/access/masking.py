"""Access keys never stand in what is logged, shown or sent back: text of others goes out through here."""

from __future__ import annotations

import re
from urllib.parse import unquote

_SECRET = re.compile(r"(gw_[0-9a-f]{8})_[A-Za-z0-9_-]+", re.ASCII | re.IGNORECASE)
_ENCODINGS = 4
"""How often a key may have been percent-encoded by those who passed it on."""


def masked(text: str) -> str:
    """The text with only the public part of each key in it. One that was percent-encoded is found too: then the whole
    text is shown as it was before that.
    """
    found = _SECRET.sub(r"\1_...", text)
    if "%" not in text:
        return found
    plain = text
    for _ in range(_ENCODINGS):
        plain = unquote(plain)
    hidden = _SECRET.sub(r"\1_...", plain)
    return found if hidden == plain else hidden


def holds_key(text: bytes) -> bool:
    """Whether there is a key in it, percent-encoded or not."""
    shown = text.decode("latin-1")
    return masked(shown) != shown
