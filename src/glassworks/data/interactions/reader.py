"""Reading tables of interactions from any source.

A source is read lazily: a table may be larger than memory, and only the columns that are asked for are kept.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Reader, Sample
from glassworks.data.kinds import reader_of
from glassworks.data.tabular.format import Table, TableFormat

if TYPE_CHECKING:
    import polars

    from glassworks.data.interactions.collection import ItemColumns


class InteractionReader(Reader):
    """Reads a table with a row an interaction, or an item."""

    kind: ClassVar[str] = "interactions"

    @abstractmethod
    def interactions(self, what: str, form: TableFormat) -> Table:
        """The table; columns of text that were not typed stay text. Raises DataError, MissingLibrary."""


class InteractionSample(Sample, InteractionReader):
    """Interactions in an installed package: their columns are `user`, `item` and, where known, `time` and `weight`."""

    extra: ClassVar[str] = "samples,recommend"

    @abstractmethod
    def items(self) -> tuple[polars.DataFrame, ItemColumns]:
        """A row an item, with the column `id`, and what the other columns hold."""


def scan(source: str, form: TableFormat | None = None) -> Table:
    """The table of `SCHEME:WHAT`. Raises DataError, MissingLibrary."""
    reader, what = reader_of(source, InteractionReader)
    found = reader.interactions(what, form or TableFormat())
    return replace(found, frame=_as_text(found.frame))


def _as_text(frame: polars.LazyFrame) -> polars.LazyFrame:
    """Columns of categories, as pandas writes them, are text like any other."""
    import polars

    kinds = frame.collect_schema().items()
    coded = [name for name, kind in kinds if isinstance(kind, polars.Categorical | polars.Enum)]
    return frame.with_columns(polars.col(coded).cast(polars.String)) if coded else frame


def sample_of(source: str) -> InteractionSample | None:
    """The sample that a source names; None where it names a table. Raises as `scan`."""
    reader, _ = reader_of(source, InteractionReader)
    return reader if isinstance(reader, InteractionSample) else None
