"""Ids of any type, kept as given: numbers that are whole stay numbers, everything else is text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glassworks.data.tabular.missing import WORDS
from glassworks.errors import DataError
from glassworks.sentences import Sentence, sentence

if TYPE_CHECKING:
    import polars

_MISSING = (*WORDS, "NAN", "none", r"\N", "undefined")
"""What programs write for an id that is not there; data.na names other words."""
_ROUNDED = r"^\d+(\.\d+)?[Ee]\+\d+$"
"""A long number as spreadsheets and pandas write it: its last digits are lost."""
_WRAPPED = r"^=\"(.*)\"$"
"""Text for spreadsheets, so that they keep the zeros."""
_UNSEEN = r"[\u{200b}-\u{200f}\u{2060}\u{feff}]"
_EXACT = {"Float32": 2**24, "Float64": 2**53}
"""Above it not every whole number can be told from the next one."""
_LISTED = r"^[\[{].*[\]}]$"
_SAMPLES, _CUT, _LEAST = 3, 24, 0.5
_NOTHING: tuple[Sentence, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DistinctIds:
    """`table` has each value of a column, `raw`, once, with its `id` (Int64 or String) and the `number` of this id
    among all in their order; values that are one id have one number."""

    table: polars.DataFrame
    findings: tuple[Sentence, ...] = ()

    @property
    def ids(self) -> polars.Series:
        """Ascending, each once."""
        return self.table["id"].unique(maintain_order=True)


def cleaned(name: str, kind: polars.DataType, missing: Sequence[str] | None = None) -> polars.Expr:
    """A column of ids without spaces around them; null for empty ones, for what is no number, and for words that say
    that there is none."""
    import polars

    column = polars.col(name)
    if kind.is_float():
        return column.fill_nan(None)
    if kind != polars.String:
        return polars.when(~column.cast(polars.String).is_in(list(missing))).then(column) if missing else column
    text = column.str.strip_chars()
    return polars.when(~text.is_in(["", *(_MISSING if missing is None else missing)])).then(text)


def distinct_ids(table: polars.LazyFrame, column: str, source: str) -> DistinctIds:
    """The distinct values of a column of cleaned ids, in the order of the ids.

    Text is taken for whole numbers only where every value would be written just so: `007` stays text. Raises DataError
    for values that cannot be ids.
    """
    import polars

    found = table.select(polars.col(column).drop_nulls().unique().alias("raw")).collect(engine="streaming")
    raw, findings = found["raw"].rename("id"), _NOTHING
    if raw.dtype == polars.String:
        ids, findings = _of_texts(raw, column, source)
    elif raw.dtype.is_nested() or raw.dtype == polars.Binary:
        raise DataError(
            f"'{source}': the column '{column}' holds {raw.dtype}, which cannot be an id", "give numbers or text"
        )
    else:
        ids = _of_values(raw, column, source)
    number = (ids.rank("dense") - 1).cast(polars.Int32).alias("number")
    return DistinctIds(table=found.with_columns(ids, number).sort("id", "raw"), findings=findings)


def _of_values(raw: polars.Series, column: str, source: str) -> polars.Series:
    import polars

    if raw.dtype.is_float():
        if (largest := float(raw.abs().to_numpy().max(initial=0))) >= _EXACT[str(raw.dtype)]:
            raise DataError(
                f"'{source}': the ids in the column '{column[:60]}' are numbers of the type {raw.dtype}, which lost "
                f"digits, such as {largest:.0f}",
                "write the table again with this column as text, from where it was text or whole",
            )
        whole = raw.cast(polars.Int64, strict=False)
        if not bool((whole.cast(polars.Float64) == raw).fill_null(value=False).all()):
            raise DataError(
                f"'{source}': the ids in the column '{column}' are fractions, such as {raw[0]}",
                "name the column of ids, or write them as text",
            )
        return whole
    if raw.dtype.is_integer() and raw.dtype != polars.UInt64:
        return raw.cast(polars.Int64)
    return raw.cast(polars.String)


def _of_texts(raw: polars.Series, column: str, source: str) -> tuple[polars.Series, tuple[Sentence, ...]]:
    """Whole numbers where all are; else the text, without what spreadsheets put around it and signs nobody sees."""
    _require_whole(raw, column, source)
    bare = raw.str.replace(_WRAPPED, "${1}").str.replace_all(_UNSEEN, "").str.strip_chars()
    if changed := int((raw != bare).sum()):
        ids, findings = _of_texts(bare, column, source)
        example = raw.filter(raw != bare)[0]
        return ids, (sentence("finding.bare-ids", n=changed, column=column, example=repr(example)[:_CUT]), *findings)
    numbers = _numbers(raw)
    if numbers is not None:
        return numbers, ()
    plain = raw.str.replace(r"\.0+$", "")
    numbers = _numbers(plain)
    if numbers is not None:
        example = raw.filter(raw != plain)[0]
        return numbers, (sentence("finding.float-ids", column=column, example=example),)
    return raw, _alike_in_case(raw, column)


def _require_whole(raw: polars.Series, column: str, source: str) -> None:
    """Raise DataError for ids that lost digits, and for lists of them."""
    where = f"'{source}': the column '{column[:60]}'"
    rounded = raw.str.contains(_ROUNDED)
    if rounded.any() and raw.filter(~rounded).str.contains(r"^\d+$").all():
        raise DataError(
            f"{where} holds {raw.filter(rounded)[0][:_CUT]}, a long number that a spreadsheet rounded",
            "export it again with this column as text",
        )
    if len(raw) and raw.str.contains(_LISTED).all():
        raise DataError(f"{where} holds lists such as {raw[0][:60]}", "write a row for each id")


def _numbers(ids: polars.Series) -> polars.Series | None:
    """As numbers, where all would be written just so."""
    import polars

    numbers = ids.cast(polars.Int64, strict=False)
    written = numbers.cast(polars.String)
    return numbers if bool((written == ids).fill_null(value=False).all()) else None


def _alike_in_case(ids: polars.Series, column: str) -> tuple[Sentence, ...]:
    import polars

    plain = ids.str.to_lowercase().str.normalize("NFKC").str.replace_all(r"\s+", " ")
    frame = polars.DataFrame({"id": ids, "plain": plain.str.replace(r"^0*(\d+)(\.0+)?$", "${1}")}).unique()
    twice = frame.filter(polars.col("plain").is_duplicated()).sort("plain", "id")
    if twice.is_empty():
        return ()
    return (sentence("finding.alike-ids", n=len(twice), column=column, one=twice["id"][0], other=twice["id"][1]),)


def alike(one: polars.Series, other: polars.Series) -> tuple[polars.Series, polars.Series]:
    """Both as text where their kinds differ."""
    import polars

    if one.dtype == other.dtype:
        return one, other
    return one.cast(polars.String), other.cast(polars.String)


_CHANGES: Mapping[str, Callable[[polars.Series], polars.Series]] = {
    "zeros in front": lambda ids: ids.str.strip_chars_start("0"),
    "upper and lower case": lambda ids: ids.str.to_lowercase(),
    "an ending .0": lambda ids: ids.str.replace(r"\.0+$", ""),
    "spaces within": lambda ids: ids.str.replace_all(r"\s+", ""),
    "letters or signs in front of the number": lambda ids: ids.str.replace(r"^\D+0*", ""),
}
"""By what ids of the same things differ, and how that is taken off."""


def require_joined(met: polars.Series, described: polars.Series, what: str, key: str) -> tuple[Sentence, ...]:
    """How many ids of the interactions a table describes. Raises DataError where it is less than half of them, with
    three of each and what both differ by."""
    shared = met.is_in(described.implode())
    found = int(shared.sum())
    if found >= _LEAST * len(met):
        return (
            sentence(f"finding.joined-{what}s", n=found, total=len(met), percent=round(100 * found / max(1, len(met)))),
        )
    ours, theirs = (_samples(each) for each in (met.filter(~shared), described))
    raise DataError(
        f"data.{key}: only {found:,} of {len(met):,} ids in '{what}' stand in that table: interactions have {ours}, "
        f"the table has {theirs}",
        _mend(met, described, what, key),
    )


def _samples(ids: polars.Series) -> str:
    return ", ".join(repr(str(each)[:_CUT]) for each in ids.head(_SAMPLES))


def _mend(met: polars.Series, described: polars.Series, what: str, key: str) -> str:
    import polars

    ours, theirs = met.cast(polars.String), described.cast(polars.String)
    shared = {name: int(change(ours).is_in(change(theirs).implode()).sum()) for name, change in _CHANGES.items()}
    best = max(shared, key=shared.__getitem__)
    if shared[best] >= _LEAST * len(ours):
        return f"both differ by {best}: write the ids alike in both files, as text"
    return f"write the ids alike in both files, name the column that holds them (data.{what}), or leave data.{key} out"
