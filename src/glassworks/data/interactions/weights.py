"""How much an interaction counts: a number in the table, and what its kind of event counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from glassworks.errors import DataError

if TYPE_CHECKING:
    import polars

    from glassworks.data.interactions.keys import InteractionData

_WORDS = {"true": 1.0, "false": 0.0}
_MOST_KINDS, _LOOKED_AT, _CUT = 20, 10_000, 30


def weight_of(roles: Mapping[str, str], kinds: Mapping[str, polars.DataType], data: InteractionData) -> polars.Expr:
    """The weight (float32), the product of the number and of what the kind of event counts; NaN for what is neither."""
    import polars

    weight = polars.lit(1.0, polars.Float32)
    if name := roles.get("weight"):
        weight = polars.col(name).cast(polars.Float32, strict=False)
        if kinds[name] == polars.String:
            text = polars.col(name).str.strip_chars()
            flags = text.str.to_lowercase().replace_strict(_WORDS, default=None, return_dtype=polars.Float32)
            weight = polars.coalesce(text.cast(polars.Float32, strict=False), flags)
    if name := roles.get("event"):
        weight = weight * _kind(name).replace_strict(data.weights, default=None, return_dtype=polars.Float32)
    return weight.fill_null(float("nan"))


def _kind(name: str) -> polars.Expr:
    import polars

    return polars.col(name).cast(polars.String).str.strip_chars()


def require_weights(table: polars.LazyFrame, roles: Mapping[str, str], data: InteractionData) -> None:
    """Raise DataError for kinds of events without a weight, for weights without kinds, and for a column of weights
    that holds kinds."""
    if data.weights and not data.event:
        raise DataError("data.weights says what kinds of events count", "name their column too: data.event = ...")
    if name := roles.get("event"):
        found = _kinds(table, name)
        without = [kind for kind in found if kind not in data.weights]
        if without or not data.weights:
            raise DataError(
                f"the column '{name[:60]}' has kinds of events without a weight: {', '.join(without[:5])[:120]}",
                f"say what each counts, 0 for one that is only seen: {_example(found, data.weights)}",
            )
    elif name := roles.get("weight"):
        _require_no_kinds(table, name)


def _require_no_kinds(table: polars.LazyFrame, name: str) -> None:
    import polars

    if table.collect_schema()[name] != polars.String:
        return
    text = polars.col(name).str.strip_chars()
    first = table.select(text.drop_nulls().head(_LOOKED_AT)).collect(engine="streaming").to_series()
    number = first.cast(polars.Float64, strict=False)
    words = first.filter(number.is_null() & ~first.str.to_lowercase().is_in([*_WORDS, "", "nan", "null"]))
    kinds = words.unique().sort().to_list()
    if len(first) and 2 * len(words) > len(first) and len(kinds) <= _MOST_KINDS and not any(map(_numeric, kinds)):
        raise DataError(
            f"the column '{name[:60]}' holds no numbers but words: {', '.join(kinds[:5])[:120]}",
            f'they are kinds of events: data.event = "{name[:60]}", {_example(kinds, {})}, without data.weight',
        )


def _numeric(word: str) -> bool:
    """Whether it is a number in another country's writing."""
    return any(each.isdigit() for each in word)


def _kinds(table: polars.LazyFrame, name: str) -> list[str]:
    kinds = table.select(_kind(name).alias("kind").drop_nulls().unique()).head(1000).collect(engine="streaming")
    return sorted(kinds["kind"].to_list())


def _example(kinds: list[str], known: Mapping[str, float]) -> str:
    said = ", ".join(f'"{kind[:_CUT]}" = {known.get(kind, 1):g}' for kind in kinds[:5])
    return f"data.weights = {{{said}{', ...' if len(kinds) > 5 else ''}}}"
