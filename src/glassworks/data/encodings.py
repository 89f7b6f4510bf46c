"""Bytes of a text file as text: the encoding is recognized, or asked for where it is in doubt."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glassworks.data.encoding_candidates import Candidate, candidates, unreadable_signs
from glassworks.errors import DataError
from glassworks.sentences import Sentence, sentence

_MARKS = (
    (codecs.BOM_UTF8, "UTF-8"),
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_RIVAL, _LEAST, _WORDS = 0.8, 0.005, 20
"""A second encoding of this share of the first one's score leaves doubt, unless there are so many distinct words;
below `_LEAST` the first one is no answer. Of 1,112 tables in 24 encodings 1 was read wrong and 35 refused, nearly all
of them with one text alone."""
_ESCAPE = b"\x1b$"
"""With which ISO-2022-JP, all of it ASCII, begins its Japanese."""
_SHOWN, _NAMED = 24, 3
_FOREIGN = re.compile(r"[^\x00-\x7f]")
_TWICE = ("cp1252", "latin-1", "cp1251", "gbk", "cp1250", "cp932", "big5")
"""As what programs read UTF-8 by mistake and save it again."""
_SURE = ("cp1252", "latin-1", "cp1251")
"""In which lines of right text are hardly ever UTF-8."""
_ENOUGH = 4
_SUREST = 0.99


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """`text` as `encoding` reads the bytes; `confidence` from 0.5 (another one is as likely) to 1 (no other is).

    `sample` shows what was read in an encoding that was recognized by its likelihood, and is empty for others; `twice`
    has what `lines_read_twice` found.
    """

    text: str
    encoding: str
    confidence: float
    sample: str = ""
    twice: tuple[Sentence, ...] = ()

    @property
    def findings(self) -> tuple[Sentence, ...]:
        """What people should look at, once an encoding was recognized."""
        if not self.sample:
            return self.twice
        percent = round(100 * min(self.confidence, _SUREST))
        return (sentence("finding.encoding", encoding=self.encoding, percent=percent, example=self.sample),)


def read_text(path: Path, encoding: str = "") -> Decoded:
    """The file's text. Raises DataError where it is missing, or in no encoding or in any of several."""
    refuse_device(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"there is no file {path}", "give the path of a file that exists") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}", "give a readable file") from None
    return decode(content, str(path), encoding)


def refuse_device(path: Path) -> None:
    """Raise DataError for what may never end, such as /dev/zero; a pipe ends when its writer does."""
    if path.is_char_device() or path.is_block_device():
        raise DataError(f"{path} is a device, not a file", "give the path of a file")


def decode(content: bytes, name: str, encoding: str = "") -> Decoded:
    """In `encoding`, or else in the one that is recognized; a mark at the beginning is taken away. Raises DataError."""
    if encoding:
        return _as_given(content, name, encoding)
    for mark, marked in _MARKS:
        if content.startswith(mark):
            return _as_given(content, name, marked)
    if b"\0" not in content and _ESCAPE not in content:
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            _refuse_damaged(content, name, error)
        else:
            return Decoded(text=text, encoding="UTF-8", confidence=1.0, twice=lines_read_twice(text, name))
    return _recognized(content, name)


def codec_of(encoding: str) -> str:
    """Python's name of an encoding. Raises DataError for what is none of text."""
    try:
        found = codecs.lookup(encoding)
        found.decode(b"")
        if isinstance(found.decode(b"")[0], str):
            return found.name
    except (LookupError, ValueError, TypeError, UnicodeError):
        pass
    raise DataError(
        f"there is no encoding '{encoding[:40]}'",
        "write one such as UTF-8, UTF-16, GB18030, Big5, Shift_JIS, EUC-KR, Windows-1252, Windows-1251 or KOI8-R",
    )


def _as_given(content: bytes, name: str, encoding: str) -> Decoded:
    codec = codec_of(encoding)
    try:
        text = content.decode(codec)
    except UnicodeDecodeError as error:
        raise _invalid(content, name, encoding, error) from None
    return Decoded(text=text.removeprefix("\ufeff"), encoding=encoding, confidence=1.0)


def _recognized(content: bytes, name: str) -> Decoded:
    found = candidates(content)
    if not found or found[0].score < _LEAST:
        raise _unknown(content, name, found)
    first, rivals = found[0], [each for each in found[1:] if each.score > _RIVAL * found[0].score]
    if rivals and first.words < _WORDS:
        raise _doubtful(name, [first, *rivals], "could be of several encodings")
    try:
        text = content.decode(first.encoding)
    except UnicodeDecodeError as error:
        raise _invalid(content, name, first.encoding, error) from None
    if signs := unreadable_signs(text):
        raise _doubtful(name, found, f"as {first.encoding} holds the sign U+{ord(signs[0]):04X}, which no text has")
    confidence = first.score / (first.score + (found[1].score if len(found) > 1 else 0.0))
    text = text.removeprefix("\ufeff")
    return Decoded(text=text, encoding=first.encoding, confidence=confidence, sample=_sample(text))


def _refuse_damaged(content: bytes, name: str, error: UnicodeDecodeError) -> None:
    """Other encodings would read a damaged file of UTF-8 too, as nonsense."""
    text = content.decode("utf-8", "replace")
    damaged = text.count("\ufffd")
    if len(_FOREIGN.findall(text)) > 2 * damaged > 0:
        raise _invalid(content, name, "UTF-8", error) from None


def lines_read_twice(text: str, name: str) -> tuple[Sentence, ...]:
    """A finding about lines of UTF-8 that another encoding was taken for, and that were saved as UTF-8 again. Raises
    DataError where most lines are such."""
    lines = list({line for line in text.split("\n") if _FOREIGN.search(line)})[:1000]
    if sum(len(_FOREIGN.findall(line)) for line in lines) < _ENOUGH:
        return ()
    for encoding in _TWICE:
        mended = [(line, _mended(line, encoding)) for line in lines]
        right = [(line, better) for line, better in mended if better]
        if 2 * len(right) > len(lines):
            line, better = right[0]
            raise DataError(
                f"{name} is UTF-8 that was read as {encoding} and saved again: {_sample(line)} was {_sample(better)}",
                f"turn it back: iconv -f UTF-8 -t {encoding.upper()} FILE > NEW; or take it as it is: "
                'data.encoding = "UTF-8"',
            )
        if len(right) > 1 and encoding in _SURE:
            (line, better), n = right[0], len(right)
            said = {"example": _sample(line), "better": _sample(better), "encoding": encoding}
            return (sentence("finding.lines-read-twice", n=n, **said),)
    return ()


def _mended(line: str, encoding: str) -> str:
    try:
        return line.encode(encoding).decode("utf-8")
    except UnicodeError:
        return ""


def _invalid(content: bytes, name: str, encoding: str, error: UnicodeDecodeError) -> DataError:
    line = content.count(b"\n", 0, error.start) + 1
    return DataError(
        f"{name} is not valid {encoding}: byte {error.start} (line {line})",
        f"mend that line, or leave such bytes out: iconv -c -f {encoding} -t UTF-8 FILE > NEW",
    )


def _unknown(content: bytes, name: str, found: Sequence[Candidate]) -> DataError:
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        return DataError(f"{name} holds zero bytes (line {line}): it is not a text file", "save it as UTF-8")
    if found:
        return _doubtful(name, found, "is not UTF-8, and no encoding is likely")
    return DataError(f"{name} is in no known encoding", 'save it as UTF-8, or say its own: data.encoding = "..."')


def _doubtful(name: str, found: Sequence[Candidate], why: str) -> DataError:
    best = found[:_NAMED]
    texts = [each.text for each in best]
    # Where two differ is what people have to look at.
    at = next((index for index, signs in enumerate(zip(*texts, strict=False)) if len(set(signs)) > 1), 0)
    samples = "; ".join(f"{each.encoding}: {_around(each.text, at)}" for each in best)
    return DataError(
        f"the encoding of {name} is in doubt, it {why}: {samples}",
        f'take the one that reads right: data.encoding = "{found[0].encoding}"; if none does, it may be GB18030, Big5, '
        "Shift_JIS or EUC-KR; or save the file as UTF-8",
    )


def _sample(text: str) -> str:
    """Around the first sign beyond ASCII."""
    sign = _FOREIGN.search(text)
    return _around(text, sign.start() if sign else 0)


def _around(text: str, at: int) -> str:
    begin = max(text.rfind("\n", 0, at) + 1, at - 8)
    return "'" + " ".join(text[begin : begin + _SHOWN].split()) + "'"
