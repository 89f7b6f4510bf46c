"""The columns of a table of interactions by their roles, and what is wrong with their rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from glassworks.data.interactions.reader import sample_of
from glassworks.errors import DataError
from glassworks.sentences import Sentence, sentence

if TYPE_CHECKING:
    import polars

    from glassworks.data.interactions.keys import InteractionData

_FORMATS = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M")
_PROBED = 1000


@dataclass(frozen=True, kw_only=True)
class Columns:
    """`table` has the columns `user` and `item` as they were, `weight` and, where `timed`, `time` as numbers."""

    table: polars.LazyFrame
    timed: bool

    @property
    def complete(self) -> polars.Expr:
        """Whether a row can be used."""
        import polars

        found = polars.col("user").is_not_null() & polars.col("item").is_not_null() & polars.col("weight").is_finite()
        return found & polars.col("time").is_not_null() if self.timed else found


def columns_of(table: polars.LazyFrame, data: InteractionData) -> Columns:
    """The columns that the job names. Raises DataError for one that is not there."""
    import polars

    kinds = table.collect_schema()
    roles = {"user": data.user, "item": data.item, "time": data.time, "weight": data.weight}
    if sample_of(data.source):
        roles = {role: role for role in roles if role in kinds}
    for role, name in roles.items():
        if name and name not in kinds:
            raise DataError(
                f"{data.source} has no column '{name}'",
                f"its columns: {', '.join(kinds.names())}; name yours: data.{role} = ...",
            )
    weight = polars.lit(1.0, polars.Float32)
    if roles.get("weight"):
        weight = polars.col(roles["weight"]).cast(polars.Float32, strict=False)
    wanted = [polars.col(roles[role]).alias(role) for role in ("user", "item")]
    wanted.append(weight.fill_null(float("nan")).alias("weight"))
    if timed := bool(roles.get("time")):
        wanted.append(_time(table, roles["time"], kinds[roles["time"]]).alias("time"))
    return Columns(table=table.select(wanted), timed=timed)


def facts(columns: Columns, source: str) -> tuple[Sentence, ...]:
    """Findings about rows that cannot be used. Raises DataError where none can."""
    import polars

    faults = {
        "no-user": polars.col("user").is_null(),
        "no-item": polars.col("item").is_null(),
        "no-weight": ~polars.col("weight").is_finite(),
    }
    if columns.timed:
        faults["no-time"] = polars.col("time").is_null()
    counts = columns.table.select(
        polars.len().alias("rows"),
        columns.complete.sum().alias("complete"),
        *(fault.sum().alias(name) for name, fault in faults.items()),
    ).collect(engine="streaming")
    found = {name: int(counts[name][0] or 0) for name in counts.columns}
    if not found["complete"]:
        worst = max(faults, key=lambda name: found[name])
        why = str(sentence(f"finding.{worst}", n=found["rows"])) if found["rows"] else "no row"
        raise DataError(f"'{source}' holds no usable interaction: {why}", "name the right columns: data.user, ...")
    return tuple(sentence(f"finding.{name}", n=found[name]) for name in faults if found[name])


def _time(table: polars.LazyFrame, name: str, kind: polars.DataType) -> polars.Expr:
    """Numbers in order of time; null for what is none."""
    import polars

    column = polars.col(name)
    if kind in (polars.Date, polars.Datetime):
        return column.cast(polars.Datetime("us")).dt.epoch("us")
    if kind.is_integer():
        return column.cast(polars.Int64, strict=False)
    if kind == polars.String:
        first = table.select(column.drop_nulls().head(_PROBED)).collect(engine="streaming").to_series()
        if first.cast(polars.Int64, strict=False).null_count() == 0:
            return column.cast(polars.Int64, strict=False)
        if first.cast(polars.Float64, strict=False).null_count() > len(first) / 2:
            return _date(column)
    number = column.cast(polars.Float64, strict=False)
    return polars.when(number.is_finite()).then(number)


def _date(column: polars.Expr) -> polars.Expr:
    """ISO 8601, in UTC where it says nothing else."""
    import polars

    plain = column.str.strip_chars().str.strip_suffix("Z")
    moments = [plain.str.to_datetime(each, time_unit="us", strict=False) for each in _FORMATS]
    zoned = plain.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", time_unit="us", strict=False, time_zone="UTC")
    days = plain.str.to_date("%Y-%m-%d", strict=False).cast(polars.Datetime("us"))
    return polars.coalesce(*moments, zoned.dt.replace_time_zone(None), days).dt.epoch("us")
