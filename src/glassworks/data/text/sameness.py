"""What makes two texts the same: one of three rules, named by the key `data.same`."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

Same = Literal["exact", "spacing", "letters"]
_NO_LETTERS = re.compile(r"[\W_]+")
_SELECTORS = re.compile("[\ufe00-\ufe0f]")
"""They say whether a sign is drawn in color."""


def sameness(text: str, same: Same) -> str:
    """Equal for two texts that are the same: as they are, but for spaces and Unicode's way to write accents, or in
    their letters and digits alone."""
    if same == "letters":
        return plain(text)
    return " ".join(unicodedata.normalize("NFC", text).split()) if same == "spacing" else text


def plain(text: str) -> str:
    """What two texts have in common that differ only in width, case, spaces, punctuation and signs.

    Vowel signs and accents are parts of letters.
    """
    key = _NO_LETTERS.sub(_marks, _SELECTORS.sub("", unicodedata.normalize("NFKC", text).casefold()))
    return key or text.strip()


def _marks(found: re.Match[str]) -> str:
    """Of what `re` takes for no letter: what Unicode adds to letters."""
    signs = found.group()
    return "" if signs.isascii() else "".join(sign for sign in signs if unicodedata.category(sign) in ("Mn", "Mc"))
