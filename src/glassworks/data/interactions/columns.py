"""The columns of a table of interactions by their roles, and what is wrong with their rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from glassworks.data.interactions.reader import sample_of
from glassworks.data.interactions.times.reading import read_times
from glassworks.errors import DataError
from glassworks.sentences import Sentence, sentence

if TYPE_CHECKING:
    import polars

    from glassworks.data.interactions.keys import InteractionData


@dataclass(frozen=True, kw_only=True)
class Columns:
    """`table` has the columns `user` and `item` as they were, `weight` and, where `timed`, `time` in microseconds."""

    table: polars.LazyFrame
    timed: bool
    findings: tuple[Sentence, ...] = ()

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
        times = read_times(table, roles["time"], data.time_format)
        wanted.append(times.microseconds.alias("time"))
    return Columns(table=table.select(wanted), timed=timed, findings=times.findings if timed else ())


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
    told = sum(int(each.values["n"]) for each in columns.findings if each.code == "finding.implausible-times")
    found["no-time"] = found.get("no-time", 0) - told
    if not found["complete"]:
        worst = max(faults, key=lambda name: found[name])
        why = str(sentence(f"finding.{worst}", n=found["rows"])) if found["rows"] else "no row"
        raise DataError(f"'{source}' holds no usable interaction: {why}", "name the right columns: data.user, ...")
    return (*columns.findings, *(sentence(f"finding.{name}", n=found[name]) for name in faults if found[name] > 0))
