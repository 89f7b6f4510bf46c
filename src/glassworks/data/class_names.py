"""Names of classes: what is the same name in another spelling, and what only looks like it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping

from glassworks.sentences import Sentence, sentence

_BETWEEN = re.compile(r"(?<=[^\W\d_])[\s_-]+|[\s_-]+(?=[^\W\d_])")
"""Beside a letter: 1-5 is not 15."""


def normal_name(name: str) -> str:
    """In Unicode's composed form (NFC), without blanks around it and with single ones in it."""
    return " ".join(unicodedata.normalize("NFC", name).split()) or name


def alike(counts: Mapping[str, int]) -> Iterator[Sentence]:
    """Of classes and their examples, which differ only in case, width, blanks, `_` or `-`."""
    found: dict[str, list[str]] = {}
    for name in counts:
        folded = unicodedata.normalize("NFKC", _BETWEEN.sub("", unicodedata.normalize("NFKC", name).casefold()))
        found.setdefault(folded, []).append(name)
    for folded, names in found.items():
        if folded and len(names) > 1:
            yield sentence("finding.alike-classes", names=", ".join(f"'{name}' ({counts[name]:,})" for name in names))
