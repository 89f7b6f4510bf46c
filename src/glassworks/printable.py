"""Untrusted text, such as labels and names, made safe for a terminal."""

from __future__ import annotations

import re

# Line ends and tabs stay: everything else of these steers a terminal, or is half of a pair.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_PICTURES, _DELETE, _FIRST_SURROGATE = 0x2400, 0x7F, 0xD800


def printable(text: str) -> str:
    """The text with a sign for each control character, and for halves of pairs."""
    return _UNPRINTABLE.sub(_sign, text)


def _sign(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < _DELETE:
        return chr(_PICTURES + code)
    return "\u2421" if code < _FIRST_SURROGATE else "\ufffd"
