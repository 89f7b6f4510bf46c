"""Files that are sent as text: one rule of what is base64, for every protocol."""

from __future__ import annotations

import base64
import binascii

from glassworks.errors import InputError

_WHITE = str.maketrans("", "", " \t\r\n")
_SAFE = str.maketrans("-_", "+/")
_URL, _MARK = "data:", ";base64"
_ESCAPED = {"%2B": "+", "%2F": "/", "%3D": "=", "%0D": "", "%0A": ""}
"""What URLs write otherwise of base64; `urllib.parse.unquote` takes seconds for what may be sent."""
_MEND = "send base64 (RFC 4648) in one of its two alphabets, or a data: URL of it"


def decoded(text: str) -> bytes:
    """The bytes of base64 (RFC 4648) in its standard or its URL-safe alphabet, in one line or several, with or without
    the padding; also of a `data:` URL of it (RFC 2397). Raises InputError."""
    try:
        return base64.b64decode(text, validate=True)  # nearly always
    except (binascii.Error, ValueError):
        return _leniently(text)


def _leniently(text: str) -> bytes:
    text = _of_url(text)
    if " " in text.strip() and len({len(line) for line in text.split()[:-1]}) > 1:  # lines have one length
        raise InputError("the request holds base64 with blanks in it, perhaps where + was", _MEND)
    text = text.translate(_WHITE)
    bare = text.rstrip("=")
    if not bare.isascii() or (("-" in bare or "_" in bare) and ("+" in bare or "/" in bare)):
        raise InputError("the request holds text that is in neither alphabet of base64", _MEND)
    if len(bare) % 4 == 1 or len(text) - len(bare) > 2:
        raise InputError("the request holds base64 that is cut off", "send all of it")
    try:
        return base64.b64decode(bare.translate(_SAFE) + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise InputError("the request holds text that is not base64", _MEND) from None


def _of_url(text: str) -> str:
    text = text.lstrip()
    if text[: len(_URL)].lower() != _URL:
        return text
    head, comma, content = text.partition(",")
    if not comma or not head.rstrip().lower().endswith(_MARK):
        raise InputError(
            "the request holds a data: URL that is not in base64", "let it begin as data:image/png;base64,"
        )
    for escape, sign in _ESCAPED.items():
        content = content.replace(escape, sign).replace(escape.lower(), sign)
    return content
