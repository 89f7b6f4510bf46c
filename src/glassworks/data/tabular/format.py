"""How a table is written, and what was read of one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from glassworks.record import Record
from glassworks.sentences import Sentence

if TYPE_CHECKING:
    import polars

    from glassworks.config import DataConfig


class TableFormat(Record):
    """The keys of `[data]` that say how a table is written, as `DataConfig` has them: what is left out is found in the
    file itself."""

    encoding: str = ""
    delimiter: str = ""
    quote: str | None = None
    header: tuple[str, ...] = ()
    na: tuple[str, ...] | None = None
    time_format: str = ""

    @classmethod
    def of(cls, data: DataConfig) -> Self:
        """What a job says."""
        return cls(**{key: getattr(data, key) for key in cls.model_fields})


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table that is read when it is asked for; the values of CSV are text, and null where nothing is there.

    `format` says how it is written, as far as that was found or given; `findings` what was mended while reading. The
    names in `repeated` more than one column has; all but the first were numbered.
    """

    frame: polars.LazyFrame
    name: str
    format: TableFormat = field(default_factory=TableFormat)
    findings: tuple[Sentence, ...] = ()
    repeated: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """Their names, in their order."""
        return self.frame.collect_schema().names()
