"""Cells of any type as texts."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Any

from glassworks.data.tabular.missing import WORDS, is_missing
from glassworks.errors import DataError
from glassworks.sentences import Sentence, sentence
from glassworks.text.parts import join_parts

_BYTES = re.compile(r"b(['\"]).*\1", re.DOTALL)
"""How Python writes bytes: what a table holds where they were never decoded."""
_LIST = re.compile(r"\[\s*(?:['\"].*['\"])?\s*\]", re.DOTALL)
_SHOWN = 60


def texts_of(values: Sequence[Any], where: Sequence[str], column: str, na: tuple[str, ...] | None) -> list[str]:
    """The cells of a column as texts, empty where nothing is there. Raises DataError for what is no text."""
    words = frozenset(na or ())
    plain = ["" if is_missing(value, words) else value for value in values]
    if all(not value or (isinstance(value, str) and _BYTES.fullmatch(value)) for value in plain) and any(plain):
        plain = [_evaluated(value) if value else "" for value in plain]
    return [_text(value, row, column) for value, row in zip(plain, where, strict=True)]


def joined(parts: Sequence[Sequence[str]]) -> list[str]:
    """One text for each row of some columns, empty where all of its parts are."""
    return [join_parts(each) for each in zip(*parts, strict=True)]


def words_for_nothing(texts: Sequence[str], column: str) -> tuple[Sentence, ...]:
    """A finding about texts that are only a word for nothing: they may be what somebody wrote, and are kept."""
    found = [text for text in texts if text.strip() in WORDS]
    if not found:
        return ()
    return (sentence("finding.texts-for-nothing", n=len(found), column=column, example=found[0].strip()),)


def plain_value(value: object) -> str:
    """A value as it is written: whole numbers without a point."""
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _evaluated(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _text(value: object, row: str, column: str) -> str:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise DataError(
                f"{row}: '{column}' holds bytes that are not UTF-8: {value[:20]!r}", "write the column as text"
            ) from None
    if isinstance(value, list | tuple | set) or (isinstance(value, str) and _LIST.fullmatch(value.strip())):
        raise DataError(
            f"{row}: '{column}' is a list, not a text: {str(value)[:_SHOWN]}",
            "join its words before: ' '.join(words); or name another column: data.text = ... or --text",
        )
    if isinstance(value, dict):
        inner = next(iter(value), "KEY")
        raise DataError(
            f"{row}: '{column}' is an object, not a text: {str(value)[:_SHOWN]}",
            f'name what is in it: data.text = "{column}.{inner}" or --text',
        )
    return plain_value(value)
