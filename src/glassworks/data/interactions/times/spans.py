"""Which times are plausible: people's interactions with things lie between 1990 and the end of next year."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from glassworks.errors import DataError
from glassworks.sentences import Sentence

if TYPE_CHECKING:
    import polars

FIRST_YEAR = 1990
EARLIEST = int(datetime(FIRST_YEAR, 1, 1, tzinfo=UTC).timestamp()) * 10**6
EARLIEST_NUMBER = int(datetime(1995, 1, 1, tzinfo=UTC).timestamp()) * 10**6
"""Numbers that all lie before it count from another day than 1970: those of .NET and Apple would seem to be of 1990."""
ORDER = 10**7
"""Below so many seconds, which is in 1970, numbers are an order and no dates."""
ONE_WAY = "write all times in one way, for example as 2024-01-02T03:04:05Z"
MEND = (
    'say how it is written: data.time_format = "%d/%m/%Y", or "s", "ms", "us", "ns" for numbers since 1970; or write '
    "it as 2024-01-02T03:04:05Z"
)


class Reading(NamedTuple):
    """`microseconds` of a column, the `form` that is read (empty for none to be told), and how many `values` there are:
    `outside` the plausible years, and `unread`."""

    microseconds: polars.Expr
    form: str
    values: int
    outside: int = 0
    unread: int = 0
    findings: tuple[Sentence, ...] = ()


def last_year() -> int:
    """The next one: orders are dated ahead."""
    return datetime.now(UTC).year + 1


def latest() -> int:
    """The last plausible microsecond since 1970."""
    return int(datetime(last_year() + 1, 1, 1, tzinfo=UTC).timestamp()) * 10**6 - 1


def plausible(microseconds: polars.Expr) -> polars.Expr:
    """Whether each one is."""
    return microseconds.is_between(EARLIEST, latest())


def day(seconds: int) -> str:
    """For people; of an order the number itself."""
    return str(seconds) if abs(seconds) < ORDER else datetime.fromtimestamp(seconds, UTC).date().isoformat()


def first_rows(
    table: polars.LazyFrame, column: polars.Expr, where: polars.Expr, count: int = 1
) -> list[tuple[int, Any]]:
    """The first rows for which a condition holds, counted from 1, and their values."""
    import polars

    rows = table.select(column.alias("value"), where.fill_null(value=False).alias("there"))
    found = rows.with_row_index("row", 1).filter(polars.col("there")).head(count).collect(engine="streaming")
    return [(int(row), value) for row, value in found.select("row", "value").rows()]


def refused(name: str, problem: str, mend: str = MEND) -> DataError:
    """With a mend that works."""
    return DataError(f"the times in the column '{name[:60]}' {problem}", mend)
