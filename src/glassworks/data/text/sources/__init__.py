"""Sources of labelled texts: each module here is a scheme, such as `csv:PATH`; adding one edits no list."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType

from glassworks.data.schemes import parts_of, require_scheme
from glassworks.data.text.collection import Texts, collect
from glassworks.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Where text and label stand; a `separator` splits a label into several."""

    text: str = "text"
    label: str = "label"
    separator: str = ""


def read_texts(source: str, columns: Columns | None = None, *, min_classes: int = 2) -> Texts:
    """The labelled texts of `SCHEME:REST`. Raises DataError when there is nothing to learn from them."""
    columns = columns or Columns()
    known = schemes()
    scheme, rest = parts_of(source, known)
    require_scheme(scheme, known, "texts")
    rows: Iterable[tuple[str, str, str]] = _module(scheme).read(rest, columns)
    texts = collect(source, rows, columns.separator)
    if len(texts.classes) < min_classes and not texts.multi_label:
        raise DataError(
            f"'{source}' holds only one label, '{texts.classes[0]}'; a classifier needs at least {min_classes}",
            "add texts of another class, or name another column: data.label = ... or --label",
        )
    return texts


def read_lines(source: str, column: str) -> list[str]:
    """The texts of a source alone. Raises DataError."""
    known = schemes()
    scheme, rest = parts_of(source, known)
    require_scheme(scheme, known, "texts")
    return [text for _, text, _ in _module(scheme).read(rest, Columns(text=column, label="")) if text.strip()]


def schemes() -> Mapping[str, str]:
    """Scheme -> what it reads."""
    return {info.name: _module(info.name).SUMMARY for info in pkgutil.iter_modules(__path__)}


def _module(scheme: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{scheme}")
