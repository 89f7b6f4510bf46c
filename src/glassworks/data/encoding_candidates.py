"""In which encodings bytes could be a text, and which of them is likely: chardet's models, and what words look like."""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

_LOOKED_AT = 60_000
"""Bytes of lines beyond ASCII: chardet's models need far fewer."""
_TRIED = (
    *("gb18030", "big5hkscs", "cp932", "euc_jis_2004", "iso2022_jp_2", "cp949", "utf-16", "utf-32"),
    *(f"cp{number}" for number in (1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258, 850, 866, 874)),
    *(f"iso8859-{number}" for number in (1, 2, 5, 6, 7, 15)),
    *("koi8-r", "koi8-u", "mac-roman", "utf-16-le", "utf-16-be"),
)
"""What people's programs have saved texts in; more would only be rivals of these."""
_WIDER = {
    "iso8859-1": ("Windows-1252", "ISO-8859-1"),
    "iso8859-15": ("Windows-1252", "ISO-8859-15"),
    "big5hkscs": ("Big5", "CP950", "Big5-HKSCS"),
    "euc_jis_2004": ("EUC-JP", "euc_jis_2004"),
    "iso2022_jp_2": ("ISO-2022-JP", "iso2022_jp_2"),
    **{f"cp{number}": (f"Windows-{number}",) for number in range(1250, 1259)},
    **{f"iso8859-{number}": (f"ISO-8859-{number}",) for number in (2, 5, 6, 7)},
    "utf-16": ("UTF-16",),
    "utf-16-le": ("UTF-16-LE",),
    "utf-16-be": ("UTF-16-BE",),
    "utf-32": ("UTF-32",),
    "gb18030": ("GB18030",),
    "koi8-r": ("KOI8-R",),
    "koi8-u": ("KOI8-U",),
    "mac-roman": ("mac-roman",),
}
"""The names that people know, the usual one first; `cp932` and `cp949` have Shift_JIS and EUC-KR in them."""
_PRIOR = {"Windows-1252": 1.4, "Windows-1258": 0.5, "mac-roman": 0.8, "cp850": 0.8}
"""Windows-1252 is the usual one where texts in it and in its neighbors hardly differ."""
_WORD = re.compile(r'[^\s,;"\x00-\x1f]*[^\x00-\x7f][^\s,;"\x00-\x1f]*')
_BEYOND = re.compile(r"[^\x00-\x7f]+")
_SCRIPTS = ("LATIN", "GREEK", "CYRILLIC", "HEBREW", "ARABIC", "THAI")
_INSIDE = frozenset({"So", "Sk", "Sm", "No", "Sc", "Pi"})
_NEVER = frozenset({"Co", "Cn", "Cc"})


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An encoding, how likely it is (only the ratio of two counts), and the lines beyond ASCII as it reads them."""

    encoding: str
    score: float
    text: str

    @property
    def words(self) -> int:
        """Distinct runs of signs beyond ASCII: few of them tell little, whatever number stands behind each."""
        return len(set(_BEYOND.findall(self.text)))


def candidates(content: bytes) -> list[Candidate]:
    """The likeliest first; encodings that read the same text count once. Empty where none reads it."""
    import chardet

    looked = content[:_LOOKED_AT] if b"\0" in content else _beyond_ascii(content)
    found: dict[str, Candidate] = {}
    names = frozenset(_TRIED)
    for guess in chardet.detect_all(looked, ignore_threshold=True, include_encodings=names, compat_names=False):
        name, text = _read(guess["encoding"] or "", looked)
        if text and text not in found:
            plausible = max(0.01, 1 - _implausible(text)) ** 2 * (0.1 if unreadable_signs(text) else 1)
            score = float(guess["confidence"]) * _PRIOR.get(name, 1.0) * plausible
            found[text] = Candidate(encoding=name, score=score, text=text)
    return sorted(found.values(), key=lambda each: -each.score)


def unreadable_signs(text: str) -> str:
    """Signs of a text that no text has, as a wrong encoding reads them: for private use, unassigned, control."""
    suspects = {sign for sign in set(text) - set("\t\n\r\f\v\x1a") if unicodedata.category(sign) in _NEVER}
    return "".join(sorted(suspects))


def _read(codec: str, content: bytes) -> tuple[str, str]:
    for name in _WIDER.get(codec, (codec.upper(),) if codec else ()):
        try:
            return name, content.decode(name)
        except UnicodeDecodeError:
            continue
    return codec, ""


def _beyond_ascii(content: bytes) -> bytes:
    """Lines with something to tell encodings apart, from the whole of the content."""
    lines = [line for line in content.split(b"\n") if not line.isascii() or b"\x1b" in line]
    size = sum(map(len, lines))
    every = max(1, size // _LOOKED_AT)
    return b"\n".join(lines[::every])[:_LOOKED_AT]


def _implausible(text: str) -> float:
    """The share of words beyond ASCII that no language writes so."""
    counts = Counter(_WORD.findall(text))
    return sum(count for word, count in counts.items() if any(_oddities(word))) / max(1, counts.total())


def _oddities(word: str) -> Iterator[bool]:
    """Private or unassigned signs, two scripts in a word, a capital behind a small letter, a symbol between letters, a
    vowel sign of Thai or a combining mark that begins it."""
    yield unicodedata.category(word[0]) == "Mn" or "\u0e30" <= word[0] <= "\u0e3a"
    yield any(unicodedata.category(sign) in _NEVER for sign in word)
    for one, other in itertools.pairwise(word):
        scripts = {_script(one), _script(other)} - {""}
        yield len(scripts) > 1
        yield one.islower() and other.isupper() and not other.isascii() and len(scripts) == 1
    for before, sign, after in zip(word, word[1:], word[2:], strict=False):
        if not sign.isascii() and unicodedata.category(sign) in _INSIDE:
            yield bool(_script(before) and _script(after))


@functools.cache
def _script(sign: str) -> str:
    """Of those alphabets that are not mixed in a word."""
    name = unicodedata.name(sign, "").split(" ")[0]
    return name if name in _SCRIPTS and sign.isalpha() else ""
