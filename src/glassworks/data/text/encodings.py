"""Bytes of a text file as text: UTF-8, UTF-16 and GB18030 are recognized."""

from __future__ import annotations

import codecs
from pathlib import Path

from glassworks.errors import DataError

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

_NAMES = {
    **dict.fromkeys(("utf-8", "utf-8-sig"), "UTF-8"),
    **dict.fromkeys(("utf-16", "utf-16-le", "utf-16-be"), "UTF-16"),
    "gb18030": "GB18030",
}


def read_text(path: Path) -> str:
    """The file's text. Raises DataError where it is missing or in none of the encodings."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"there is no file {path}", "give the path of a file that exists") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}", "give a readable file") from None
    return decode(content, str(path))


def decode(content: bytes, name: str) -> str:
    """Text of UTF-8, of UTF-16 (with its mark, or mostly ASCII), else of GB18030. Raises DataError."""
    candidates = _candidates(content)
    if not candidates:
        raise DataError(f"{name} holds zero bytes: it is not a text file", "save it as UTF-8")
    faults: list[UnicodeDecodeError] = []
    for encoding in candidates:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError as error:
            faults.append(error)
    tried = " or ".join(_NAMES[encoding] for encoding in candidates)
    line = content.count(b"\n", 0, faults[0].start) + 1
    raise DataError(f"{name} is not valid {tried}: byte {faults[0].start} (line {line})", "save it as UTF-8")


def _candidates(content: bytes) -> list[str]:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return [encoding]
    if b"\0" in content:
        # Commas and line ends of a table are ASCII: in UTF-16 every second byte of them is zero.
        even, odd = content[0:4096:2].count(0), content[1:4096:2].count(0)
        return ["utf-16-le" if odd > even else "utf-16-be"] if even != odd else []
    return ["utf-8"] if _is_mostly_utf8(content) else ["utf-8", "gb18030"]


def _is_mostly_utf8(content: bytes) -> bool:
    """Whether most signs beyond ASCII are: GB18030 would read a damaged file of UTF-8 too, as nonsense."""
    text = content.decode("utf-8", "replace")
    damaged = text.count("\ufffd")
    return sum(character > "\x7f" for character in text) > 2 * damaged > 0
