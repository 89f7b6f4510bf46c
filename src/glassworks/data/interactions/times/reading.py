"""How a column of times is read: decided on its first values, and verified on all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from glassworks.data.interactions.times.layouts import NUMBER, Layout, layouts_of
from glassworks.data.interactions.times.numbers import UNITS, of_unit, read_numbers
from glassworks.data.interactions.times.spans import (
    FIRST_YEAR,
    MEND,
    ONE_WAY,
    Reading,
    first_rows,
    last_year,
    plausible,
    refused,
)
from glassworks.errors import DataError
from glassworks.sentences import Sentence, sentence

if TYPE_CHECKING:
    import polars

    Kind = polars.DataType | type[polars.DataType]

_PROBED, _MORE, _ROUNDS, _SHOWN = 1000, 100, 8, 3
_LOST = 0.1
_WRONG_UNIT = "write the table again: such dates were made from numbers in another unit, seconds or milliseconds"


@dataclass(frozen=True, kw_only=True)
class Times:
    """`microseconds` since 1970 in UTC (Int64), null for what is no plausible time."""

    microseconds: polars.Expr
    findings: tuple[Sentence, ...]


def read_times(table: polars.LazyFrame, name: str, form: str = "") -> Times:
    """The column of times of a table; `form` is a strptime format or a unit, empty where the values must say it.

    Raises DataError where they do not say it, where they are written in more than one way, and where most are none.
    """
    import polars

    column, kind = polars.col(name), table.collect_schema()[name]
    if kind in (polars.Date, polars.Datetime):
        return _plausible(table, name, _typed(table, column.cast(polars.Datetime("us", _zone(kind))).dt.epoch("us")))
    if form:
        return _as_given(table, name, _given(column.cast(polars.String), form), form)
    if kind.is_numeric():
        return _plausible(table, name, read_numbers(table, name, column))
    if kind != polars.String:
        raise refused(name, f"are of the type {kind}, which is none of times")
    column = column.str.strip_chars()
    first = table.select(column.drop_nulls().head(_PROBED)).collect(engine="streaming").to_series()
    if _numeric(first):
        return _plausible(table, name, read_numbers(table, name, column))
    return _plausible(table, name, _written(table, name, column, first.unique(maintain_order=True).to_list()))


def _given(column: polars.Expr, form: str) -> polars.Expr:
    """By a unit, or by a format as Python has it: fractions of a second may be left out."""
    if form in UNITS:
        return of_unit(column, form)
    lenient = re.sub(r"%z", "%#z", re.sub(r"%S(\.%f|%\.f)?", "%S%.f", form))
    return Layout("", lenient).microseconds(column)


def _typed(table: polars.LazyFrame, found: polars.Expr) -> Reading:
    facts = table.select((~plausible(found)).sum().alias("outside"), found.count().alias("values"))
    outside, values = facts.collect(engine="streaming").row(0)
    return Reading(found, "", values, outside)


def _zone(kind: Kind) -> str | None:
    import polars

    return kind.time_zone if isinstance(kind, polars.Datetime) else None


def _numeric(values: polars.Series) -> bool:
    """Whether most of what is a time at all is a number."""
    known = [layouts_of(value) for value in values.unique()]
    numbers = sum(any(each.kind == NUMBER for each in found) for found in known)
    return numbers > 0 and 2 * numbers >= sum(map(bool, known))


def _written(table: polars.LazyFrame, name: str, column: polars.Expr, probed: Sequence[str]) -> Reading:
    """Dates as text: of the kinds that the first values can be, the one that reads all that any of them reads."""
    import polars

    kinds = _kinds_of(probed)
    if not probed:
        return Reading(polars.lit(None, polars.Int64), "", 0)
    if not kinds:
        raise refused(name, f"are neither numbers nor dates, such as {probed[0][:40]}")
    for _ in range(_ROUNDS):
        readings = {kind: _coalesced(layouts, column) for kind, layouts in kinds.items()}
        facts = _facts(table, column, readings)
        left = _left(table, column, readings) if facts["left"] else ()
        if not _extended(kinds, [value for _, value in left]):
            break
    _require_dates(name, left, facts["left"], facts["values"])
    whole = [kind for kind in readings if not facts[f"missed {kind}"]]
    _require_one_way(table, name, column, readings, whole, left)
    kind = whole[0]
    _require_one_kind(table, name, column, {each: kinds[each] for each in whole}, readings[kind])
    form = " | ".join(dict.fromkeys(each.format for each in kinds[kind]))
    findings = _naive(table, kinds[kind], column, readings[kind])
    return Reading(readings[kind], form, facts["values"], facts[f"outside {kind}"], facts["left"], findings)


def _require_dates(name: str, left: Sequence[tuple[int, str]], count: int, values: int) -> None:
    """Raise DataError where more than a tenth are dates that no form reads, such as those with other names of months:
    the others alone would be another story."""
    dated = [(row, value) for row, value in left if re.search("[1-9]", value)]
    if dated and count * len(dated) > _LOST * len(left) * values:
        row, value = dated[0]
        said = f"are dates that are not read in {count:,} of {values:,} rows, such as row {row}: {value[:40]}"
        raise refused(name, said, f"{ONE_WAY}, or in one form: data.time_format")


def _facts(table: polars.LazyFrame, column: polars.Expr, readings: Mapping[str, polars.Expr]) -> dict[str, int]:
    """Values, those that no kind reads, and of each kind what only others read and what is not plausible."""
    import polars

    read = polars.coalesce(readings.values()).is_not_null()
    facts = table.select(
        column.count().alias("values"),
        (column.is_not_null() & ~read).sum().alias("left"),
        *((read & each.is_null()).sum().alias(f"missed {kind}") for kind, each in readings.items()),
        *((~plausible(each)).sum().alias(f"outside {kind}") for kind, each in readings.items()),
    )
    return facts.collect(engine="streaming").row(0, named=True)


def _left(
    table: polars.LazyFrame, column: polars.Expr, readings: Mapping[str, polars.Expr]
) -> Sequence[tuple[int, str]]:
    import polars

    unread = polars.coalesce(readings.values()).is_null()
    return first_rows(table, column, column.is_not_null() & unread, _MORE)


def _kinds_of(values: Iterable[str]) -> dict[str, list[Layout]]:
    found: dict[str, list[Layout]] = {}
    for value in values:
        for layout in layouts_of(value):
            if layout.kind != NUMBER and layout not in found.setdefault(layout.kind, []):
                found[layout.kind].append(layout)
    return found


def _extended(kinds: dict[str, list[Layout]], values: Iterable[str]) -> bool:
    """Add the layouts of further values; whether any is new."""
    more = _kinds_of(values)
    new = [(kind, each) for kind, found in more.items() for each in found if each not in kinds.get(kind, ())]
    for kind, each in new:
        kinds.setdefault(kind, []).append(each)
    return bool(new)


def _coalesced(layouts: Sequence[Layout], column: polars.Expr) -> polars.Expr:
    import polars

    return polars.coalesce([each.microseconds(column) for each in layouts])


def _require_one_way(
    table: polars.LazyFrame,
    name: str,
    column: polars.Expr,
    readings: Mapping[str, polars.Expr],
    whole: Sequence[str],
    left: Sequence[tuple[int, str]],
) -> None:
    """Raise DataError where rows need different readings."""
    rows = partial(first_rows, table, column)
    number = next(((row, value) for row, value in left if layouts_of(value)), None)
    if not whole:
        examples = [f"row {row} ({value[:40]})" for each in readings.values() for row, value in rows(each.is_null())]
        raise refused(name, f"are written in more than one way: {', '.join(dict.fromkeys(examples))}"[:220], ONE_WAY)
    ((row, value),) = rows(readings[whole[0]].is_not_null())
    if number is not None:
        said = f"are written in two ways: row {row} ({value[:40]}) and row {number[0]} ({number[1][:40]})"
        raise refused(name, said, ONE_WAY)


def _require_one_kind(
    table: polars.LazyFrame,
    name: str,
    column: polars.Expr,
    whole: Mapping[str, Sequence[Layout]],
    chosen: polars.Expr,
) -> None:
    """Raise DataError where no row tells which of two readings is meant."""
    if len(whole) > 1:
        ((row, value),) = first_rows(table, column, chosen.is_not_null())
        forms = " or ".join(f'data.time_format = "{found[0].format}"' for found in whole.values())
        said = f"can be {' or '.join(whole)}, and no row tells which, such as row {row}: {value[:40]}"
        raise refused(name, said, f"say which: {forms.replace('%.f', '')}")


def _naive(
    table: polars.LazyFrame, layouts: Sequence[Layout], column: polars.Expr, chosen: polars.Expr
) -> tuple[Sentence, ...]:
    zoned = [each for each in layouts if each.zoned]
    if not zoned or len(zoned) == len(layouts):
        return ()
    naive = chosen.is_not_null() & _coalesced(zoned, column).is_null()
    count = int(table.select(naive.sum()).collect(engine="streaming").item())
    return (sentence("finding.naive-times", n=count),) if count else ()


def _as_given(table: polars.LazyFrame, name: str, found: polars.Expr, form: str) -> Times:
    """As the job says, whatever the year."""
    import polars

    column = polars.col(name)
    try:
        facts = table.select(found.count().alias("read"), column.count().alias("all")).collect(engine="streaming")
    except polars.exceptions.PolarsError:
        raise DataError(
            f"data.time_format: '{form[:80]}' is no format of dates", 'write it as "%d/%m/%Y %H:%M"'
        ) from None
    if 2 * facts["read"][0] < facts["all"][0]:
        ((row, value),) = first_rows(table, column, column.is_not_null() & found.is_null())
        said = f"are not written as '{form[:40]}', such as row {row}: {str(value)[:40]}"
        raise refused(name, said, "write data.time_format as the column is, or leave it out")
    return Times(microseconds=found, findings=_shown(table, name, found, form))


def _plausible(table: polars.LazyFrame, name: str, reading: Reading) -> Times:
    """Without what lies before 1990 or after next year, unless the numbers are an order."""
    import polars

    found, form, values, outside, unread, findings = reading
    if any(each.code == "finding.time-order" for each in findings):
        return Times(microseconds=found, findings=findings)
    there = plausible(found).fill_null(value=False)
    if outside or 2 * unread > values:
        column = polars.col(name)
        ((row, value),) = first_rows(table, column, column.is_not_null() & ~there)
        if 2 * (outside + unread) > values:
            said = f"are mostly no moments from {FIRST_YEAR} to {last_year()}, such as row {row}: {str(value)[:40]}"
            raise refused(name, said, MEND if form else _WRONG_UNIT)
        example = sentence("finding.implausible-times", n=outside, row=row, example=str(value)[:40])
        findings = (*findings, example)
    found = polars.when(there).then(found) if outside else found
    return Times(microseconds=found, findings=(*_shown(table, name, found, form), *findings))


def _shown(table: polars.LazyFrame, name: str, found: polars.Expr, form: str) -> tuple[Sentence, ...]:
    """Three rows as they are read, where something was to be understood."""
    import polars

    if not form:
        return ()
    rows = table.select(polars.col(name).cast(polars.String).alias("as"), found.alias("time")).filter(
        polars.col("time").is_not_null()
    )
    read = rows.head(_SHOWN).collect(engine="streaming").rows()
    examples = "; ".join(
        f"{value} = {datetime.fromtimestamp(time / 10**6, UTC):%Y-%m-%d %H:%M:%S}" for value, time in read
    )
    return (sentence("finding.times-read", form=form[:80], examples=examples),)
