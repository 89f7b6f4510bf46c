"""Times as numbers: seconds, milli-, micro- or nanoseconds since 1970, digits of a date, or only an order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from glassworks.data.interactions.times.layouts import DIGITS, Layout, layouts_of
from glassworks.data.interactions.times.spans import (
    EARLIEST_NUMBER,
    ONE_WAY,
    ORDER,
    Reading,
    first_rows,
    plausible,
    refused,
)
from glassworks.sentences import sentence

if TYPE_CHECKING:
    import polars

_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_DIGITS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
UNITS = tuple(_PER_SECOND)
_LOOKED_AT = 100


def of_unit(column: polars.Expr, unit: str) -> polars.Expr:
    """Microseconds of numbers, or of numbers as text; whole ones exactly."""
    import polars

    whole, number = column.cast(polars.Int64, strict=False), column.cast(polars.Float64, strict=False)
    number = polars.when(number.is_finite()).then(number)
    times, parts = max(1, 10**6 // _PER_SECOND[unit]), max(1, _PER_SECOND[unit] // 10**6)
    # A number that is too large for the unit is none of it.
    exact = polars.when(whole.abs() < 2**63 // times).then(whole) * times // parts
    return polars.coalesce(exact, (number * times / parts).round().cast(polars.Int64, strict=False))


def read_numbers(table: polars.LazyFrame, name: str, column: polars.Expr) -> Reading:
    """The one unit in which numbers, or numbers as text, are plausible. Raises DataError for numbers of more than one
    unit, for those that are none, and for dates among them."""
    import polars

    readings = _readings(column)
    number = column.cast(polars.Float64, strict=False)
    number = polars.when(number.is_finite()).then(number)
    facts = table.select(
        number.count().alias("all"),
        (number.abs() < ORDER).sum().alias("order"),
        (column.is_not_null() & column.cast(polars.Float64, strict=False).is_null()).sum().alias("words"),
        number.min().alias("low"),
        number.max().alias("high"),
        *(plausible(each).sum().alias(unit) for unit, each in readings.items()),
        *(each.filter(plausible(each)).max().alias(f"last {unit}") for unit, each in readings.items()),
    ).collect(engine="streaming")
    count = {unit: int(facts[unit][0] or 0) for unit in ("all", "order", "words", *readings)}
    if count["words"]:
        _require_no_dates(table, name, column)
    found = [unit for unit in readings if count[unit]]
    if found and all(int(facts[f"last {unit}"][0]) < EARLIEST_NUMBER for unit in found):
        raise _of_another_day(table, name, column, found[0], readings[found[0]])
    if len(found) > 1:
        raise _mixed(table, name, column, {unit: readings[unit] for unit in found[:2]})
    if not found and count["order"] == count["all"]:
        span = {end: float(facts[end][0] or 0) for end in ("low", "high")}
        return Reading(of_unit(column, "s"), "", count["all"], findings=(sentence("finding.time-order", **span),))
    chosen, values = found[0] if found else "s", count["all"] + count["words"]
    return Reading(readings[chosen], chosen, values, count["all"] - count[chosen], count["words"])


def _of_another_day(
    table: polars.LazyFrame, name: str, column: polars.Expr, unit: str, reading: polars.Expr
) -> Exception:
    ((row, value),) = first_rows(table, column, plausible(reading))
    said = f"count from another day than 1970, or are older than 1995, such as row {row}: {value}"
    return refused(name, said, f'write them as dates; or if it is right, say data.time_format = "{unit}"')


def _require_no_dates(table: polars.LazyFrame, name: str, column: polars.Expr) -> None:
    import polars

    number = column.cast(polars.Float64, strict=False)
    for row, value in first_rows(table, column, column.is_not_null() & number.is_null(), _LOOKED_AT):
        if layouts_of(value):
            ((other, known),) = first_rows(table, column, number.is_finite())
            said = f"are written in two ways: row {other} ({known[:40]}) and row {row} ({value[:40]})"
            raise refused(name, said, ONE_WAY)


def _readings(column: polars.Expr) -> Mapping[str, polars.Expr]:
    """Microseconds by each unit, and as digits of a date."""
    import polars

    digits = column.cast(polars.Int64, strict=False).cast(polars.String)
    found = {unit: of_unit(column, unit) for unit in UNITS}
    for length, form in _DIGITS.items():
        text = polars.when(digits.str.len_chars() == length).then(digits)
        found[form] = Layout(DIGITS, form).microseconds(text)
    return found


def _mixed(table: polars.LazyFrame, name: str, column: polars.Expr, readings: Mapping[str, polars.Expr]) -> Exception:
    said = []
    for unit, each in readings.items():
        ((row, value),) = first_rows(table, column, plausible(each))
        said.append(f"row {row} ({value}) is in {_NAMES.get(unit, unit)}")
    return refused(name, f"are written in two ways: {', '.join(said)}", ONE_WAY)
