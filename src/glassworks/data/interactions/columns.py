"""The columns of a table of interactions by their roles, and what is wrong with their rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glassworks.data.interactions.ids import cleaned
from glassworks.data.interactions.reader import sample_of
from glassworks.data.interactions.times.reading import read_times
from glassworks.data.interactions.times.spans import first_rows
from glassworks.data.interactions.weights import require_weights, weight_of
from glassworks.data.tabular.columns import by_role
from glassworks.data.tabular.missing import WORDS
from glassworks.errors import DataError
from glassworks.sentences import Sentence, sentence

if TYPE_CHECKING:
    import polars

    from glassworks.data.interactions.keys import InteractionData

_CUT, _LOST = 40, 0.1
"""Where more weights than this share are words, the numbers alone would be another story."""
_MENDS = {
    "no-weight": "write weights as plain numbers, such as 1000 or 0.5, or leave data.weight out",
    "no-time": "write times in one way, or leave data.time out",
}


@dataclass(frozen=True, kw_only=True)
class Columns:
    """`read` are the columns `user` and `item` as they were, `weight` and, where there are times, `time` in
    microseconds, of the table `source`, whose columns `named` have these roles."""

    source: polars.LazyFrame
    read: Mapping[str, polars.Expr]
    named: Mapping[str, str]
    findings: tuple[Sentence, ...] = ()

    @property
    def table(self) -> polars.LazyFrame:
        return self.source.select(column.alias(role) for role, column in self.read.items())

    @property
    def timed(self) -> bool:
        return "time" in self.read

    @property
    def faults(self) -> Mapping[str, polars.Expr]:
        """Rows that cannot be used, by what they lack."""
        faults = {f"no-{role}": column.is_null() for role, column in self.read.items() if role != "weight"}
        return {**faults, "no-weight": ~self.read["weight"].is_finite()}

    @property
    def complete(self) -> polars.Expr:
        """Whether a row of `table` can be used."""
        import polars

        found = polars.col("user").is_not_null() & polars.col("item").is_not_null() & polars.col("weight").is_finite()
        return found & polars.col("time").is_not_null() if self.timed else found


def columns_of(table: polars.LazyFrame, data: InteractionData) -> Columns:
    """The columns that the job names. Raises DataError for one that is not there."""
    kinds = table.collect_schema()
    roles = {"user": data.user, "item": data.item, "time": data.time, "weight": data.weight, "event": data.event}
    if sample_of(data.source):
        roles = {role: role for role in roles if role in kinds}
    roles = by_role(roles, kinds.names(), data.source)
    if roles["user"] == roles["item"]:
        raise DataError(
            f"data.user and data.item name one column, '{roles['user'][:60]}'", "name the column of each of them"
        )
    read = {role: cleaned(roles[role], kinds[roles[role]], data.na) for role in ("user", "item")}
    require_weights(table, roles, data)
    read["weight"] = weight_of(roles, kinds, data)
    findings: tuple[Sentence, ...] = ()
    if "time" in roles:
        times = read_times(table, roles["time"], data.time_format)
        read["time"], findings = times.microseconds, times.findings
    return Columns(source=table, read=read, named=roles, findings=findings)


def facts(columns: Columns, source: str) -> tuple[Sentence, ...]:
    """Findings about rows that cannot be used, and about spaces around ids. Raises DataError where none can."""
    import polars

    faults, spaces, words = columns.faults, _spaces(columns), _words_as_weights(columns)
    complete = ~polars.any_horizontal(*faults.values())
    counts = columns.source.select(
        polars.len().alias("rows"),
        complete.sum().alias("complete"),
        *(fault.sum().alias(name) for name, fault in {**faults, **spaces, "words": words}.items()),
    ).collect(engine="streaming")
    found = {name: int(counts[name][0] or 0) for name in counts.columns}
    if found["words"] > max(1, _LOST * (found["rows"] - found["no-weight"] + found["words"])):
        raise DataError(f"'{source}': {_finding(columns, 'no-weight', words, found['words'])}", _MENDS["no-weight"])
    if not found["complete"]:
        worst = max(faults, key=lambda name: found[name])
        why = str(_finding(columns, worst, faults[worst], found[worst])) if found["rows"] else "no row"
        mend = _MENDS.get(worst, "name the right columns: data.user, data.item")
        raise DataError(f"'{source}' holds no usable interaction: {why}", mend)
    implausible = sum(int(each.values["n"]) for each in columns.findings if each.code == "finding.implausible-times")
    found["no-time"] = found.get("no-time", 0) - implausible
    named = {**faults, **spaces}
    more = (_finding(columns, name, named[name], found[name]) for name in named if found[name] > 0)
    return (*columns.findings, *more)


def _words_as_weights(columns: Columns) -> polars.Expr:
    """Where a weight is written that is no number; many of them are numbers of another form, which are not a few."""
    import polars

    if columns.source.collect_schema().get(columns.named.get("weight", "")) != polars.String:
        return polars.lit(value=False)
    given = polars.col(columns.named["weight"]).str.strip_chars()
    missing = given.is_null() | given.is_in(["", *WORDS])
    return ~missing & ~columns.read["weight"].is_finite()


def _spaces(columns: Columns) -> Mapping[str, polars.Expr]:
    """Where ids have spaces around them."""
    import polars

    kinds = columns.source.collect_schema()
    texts = [role for role in ("user", "item") if kinds[columns.named[role]] == polars.String]
    return {f"spaces-{role}": polars.col(columns.named[role]) != columns.read[role] for role in texts}


def _finding(columns: Columns, name: str, rows: polars.Expr, count: int) -> Sentence:
    import polars

    role = name.partition("-")[2]
    value = polars.col(columns.named[role]) if role in columns.named else polars.lit(None)
    ((row, example),) = first_rows(columns.source, value, rows)
    shown = "" if example in (None, "") else f": {str(example)[:_CUT]!r}"
    return sentence(f"finding.{name}", n=count, row=row, example=shown)
