"""SCHEME:WHAT, as sources are named, and what is said of those that are not or that hold something else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from glassworks.errors import DataError
from glassworks.wrong_keys import named_source


def parts_of(source: str, known: Iterable[str], example: str = "csv:PATH") -> tuple[str, str]:
    """The scheme and what follows it. Raises DataError for a source that is not written so, or is no path."""
    scheme, separator, rest = source.partition(":")
    if not separator or not rest:
        raise DataError(
            f"the source '{source}' is not SCHEME:WHAT",
            f"write for example {named_source(source) or example}; schemes: {', '.join(known)}",
        )
    try:
        Path(rest).expanduser().exists()
    except (OSError, RuntimeError, ValueError) as error:
        # A name that is too long, the home of nobody, a folder that nobody may enter, or a null character.
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"'{source[:200]}' cannot be looked at: {reason}", "give a path that you may read") from None
    return scheme, rest


def require_scheme(scheme: str, known: Iterable[str], what: str) -> None:
    """Raise DataError for a scheme by which nothing of that kind is read."""
    schemes = tuple(known)
    if scheme not in schemes:
        raise DataError(f"'{scheme}' is no source of {what}", f"sources of {what}: {', '.join(schemes)}")
