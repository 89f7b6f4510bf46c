"""Columns of any table as lists of values, with the place of each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from glassworks.data.tabular.columns import require_column
from glassworks.errors import DataError
from glassworks.sentences import Sentence

if TYPE_CHECKING:
    import polars

    from glassworks.data.tabular.format import Table
    from glassworks.data.tabular.objects import Objects


@dataclass(frozen=True, kw_only=True)
class Cells:
    """`values` gives the cells of one of the columns `names`, one for each place in `where`; more than one column had a
    name in `repeated`."""

    source: str
    names: Sequence[str]
    where: Sequence[str]
    values: Callable[[str], list[Any]]
    findings: tuple[Sentence, ...] = ()
    repeated: tuple[str, ...] = ()

    def only(self, rows: Sequence[int]) -> Cells:
        """Of some rows."""

        def values(name: str) -> list[Any]:
            found = self.values(name)
            return [found[row] for row in rows]

        return replace(self, where=[self.where[row] for row in rows], values=values)

    def column(self, wanted: str, key: str, option: str = "") -> str:
        """The name of the column that the key of a job names. Raises DataError."""
        return require_column(wanted, self.names, self.source, key, option, self.repeated)


def cells_of_table(table: Table) -> Cells:
    """A table, read as a whole. Raises DataError for one that turns out to be none."""
    frame = collected(table, table.frame)
    where = tuple(f"row {number}" for number in range(1, len(frame) + 1))
    return Cells(
        source=table.name,
        names=frame.columns,
        where=where,
        values=lambda name: frame[name].to_list(),
        findings=table.findings,
        repeated=table.repeated,
    )


def collected(table: Table, frame: polars.LazyFrame) -> polars.DataFrame:
    """What was asked of a table. Raises DataError for one that turns out to be none."""
    import polars

    try:
        return frame.collect()
    except (polars.exceptions.PolarsError, OSError) as error:
        reason = str(error).split("\n")[0][:120]
        raise DataError(f"{table.name} is no table: {reason}", "write the table again") from None


def cells_of_objects(objects: Objects, source: str) -> Cells:
    """Objects of JSON; the key `b` of an object `a` is the column `a.b`."""

    def values(name: str) -> list[Any]:
        return objects.values(name) or [None] * len(objects.rows)

    return Cells(source=source, names=objects.keys(), where=objects.names, values=values, findings=objects.findings)
