"""What a source holds, and who reads it: pictures, texts or interactions."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from glassworks.catalog import found
from glassworks.contracts import Reader, Source
from glassworks.errors import DataError
from glassworks.locations import with_scheme

_R = TypeVar("_R", bound=Reader)


def kind_of(source: str, wanted: str | None = None) -> str:
    """The kind of data in `SCHEME:WHAT`: what is wanted, else what its reader is usually taken for.

    Raises DataError for a source that nothing reads, or not as what is wanted; NotFound and MissingLibrary.
    """
    kinds = _reader(source)[0].kinds()
    if wanted is not None and wanted not in kinds:
        raise _no_source_of(wanted, source)
    return wanted or kinds[0]


def reader_of(source: str, wanted: type[_R]) -> tuple[_R, str]:
    """The reader of `SCHEME:WHAT`, and WHAT. Raises DataError for a source of something else, and as `kind_of`."""
    reader, what = _reader(source, wanted.kind)
    if not isinstance(reader, wanted):
        raise _no_source_of(wanted.kind, source)
    return reader, what


def schemes_of(kind: str) -> tuple[str, ...]:
    """The schemes by which data of a kind are read; all of them for an empty one."""
    return tuple(name for name, source in found(Source).items() if not kind or kind in source.kinds())


def _reader(source: str, kind: str = "") -> tuple[Reader, str]:
    scheme, separator, what = source.partition(":")
    if not separator or not what:
        known = schemes_of(kind)
        example = with_scheme(source, known) or f"{next(iter(known), 'csv')}:PATH"
        mend = f"write for example {example}; schemes: {', '.join(known)}"
        raise DataError(f"the source '{source}' is not SCHEME:WHAT", mend)
    try:
        Path(what).expanduser().exists()
    except (OSError, RuntimeError, ValueError) as error:
        # A name that is too long, the home of nobody, a folder that nobody may enter, or a null character.
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"'{source[:200]}' cannot be looked at: {reason}", "give a path that you may read") from None
    if scheme not in found(Source):
        known = schemes_of(kind)
        raise DataError(f"the source '{source}' has the unknown scheme '{scheme}'", f"schemes: {', '.join(known)}")
    return found(Source)[scheme].reader(what), what


def _no_source_of(kind: str, source: str) -> DataError:
    scheme = source.partition(":")[0]
    given = scheme if found(Source)[scheme].naming == "path" else source
    return DataError(f"'{given}' is no source of {kind}", f"sources of {kind}: {', '.join(schemes_of(kind))}")
