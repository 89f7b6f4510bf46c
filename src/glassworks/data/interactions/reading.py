"""Interactions of a job: read lazily, cleaned, numbered, put in order."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from glassworks.data.interactions.collection import Interactions, ItemColumns
from glassworks.data.interactions.columns import Columns, columns_of, facts
from glassworks.data.interactions.ids import DistinctIds, alike, distinct_ids, require_joined
from glassworks.data.interactions.items import read_items, read_users
from glassworks.data.interactions.reader import sample_of, scan
from glassworks.data.interactions.strength import strength_of
from glassworks.data.tabular.format import TableFormat
from glassworks.errors import DataError
from glassworks.sentences import Sentence, sentence

if TYPE_CHECKING:
    import polars

    from glassworks.data.interactions.keys import InteractionData

_FORMAT = b"glassworks-interactions-1"
_MOST = 2**31 - 1


def read_interactions(data: InteractionData) -> Interactions:
    """What the job's `[data]` table names. Raises DataError where there is nothing to learn from."""
    import polars

    try:
        events_table = scan(data.source, TableFormat.of(data))
        columns = columns_of(events_table.frame, data)
        known = facts(columns, data.source)
        users, items = (distinct_ids(columns.table, name, data.source) for name in ("user", "item"))
        table, features, more = read_items(data)
        people = read_users(data)
        events = _numbered(columns, users, items)
    except (polars.exceptions.PolarsError, OSError) as error:
        reason = str(error).split("\n")[0][:200]
        raise DataError(f"'{data.source}' cannot be read as a table: {reason}", "write the table again") from None
    events, repeated = _without_copies(events, columns.timed)
    if len(table) and not sample_of(data.source):
        more = (*more, *require_joined(*alike(items.ids, table["id"]), "item", "items"))
    read = _collect(data, events, (users.ids, items.ids), columns, (table, features))
    if len(people[0]):
        read, more = _with_people(read, *people[:2]), (*more, *people[2], *_joined_users(users.ids, people[0]))
    _require_learnable(read, data)
    known = (*events_table.findings, *known, *users.findings, *items.findings)
    return replace(read, findings=(*known, *_of_copies(repeated, len(events)), *_of_liked(read, data), *more))


def _joined_users(users: polars.Series, people: polars.DataFrame) -> tuple[Sentence, ...]:
    return require_joined(*alike(users, people["id"]), "user", "users")


def _with_people(read: Interactions, people: polars.DataFrame, columns: ItemColumns) -> Interactions:
    """Users are text where the table of users has text."""
    users, described = alike(read.users, people["id"])
    if users.dtype != read.users.dtype:  # as text, ids have another order
        order = users.arg_sort().to_numpy()
        number = np.empty(len(order), np.int32)
        number[order] = np.arange(len(order), dtype=np.int32)
        read = replace(read, users=users.sort(), user=number[read.user])
    read = replace(read, people=people.with_columns(described).sort("id"), user_columns=columns)
    return replace(read, fingerprint=_fingerprint(read))


def _require_learnable(read: Interactions, data: InteractionData) -> None:
    """Raise DataError where nothing is liked, and where there is one user or item only."""
    if not read.liked.any():
        raise DataError(
            f"'{data.source}': no interaction is liked: the largest weight is {read.weight.max():g}",
            "name another column of weights, or leave data.weight out"
            if data.positive is None
            else f"set data.positive below it; it is {data.positive:g}",
        )
    for name, count in (("user", read.shape[0]), ("item", len(np.unique(read.item)))):
        if count < 2:
            raise DataError(
                f"'{data.source}' holds one {name} only; recommending needs at least two",
                f"name another column: data.{name} = ...",
            )


def _numbered(columns: Columns, users: DistinctIds, items: DistinctIds) -> polars.DataFrame:
    """Complete rows with numbers for ids, in the order of time, users and items; else in that of the source."""
    import polars

    table = columns.table.filter(columns.complete)
    for name, ids in (("user", users), ("item", items)):
        numbered = ids.table.lazy().select(polars.col("raw").alias(name), "number")
        joined = table.join(numbered, on=name, how="left", maintain_order="left")
        table = joined.drop(name).rename({"number": name})
    events = table.collect(engine="streaming")
    if len(events) > _MOST:
        raise DataError(f"there are {len(events):,} interactions; at most {_MOST:,} are read", "take the newest ones")
    return events.sort("time", "user", "item", maintain_order=True) if columns.timed else events


def _without_copies(events: polars.DataFrame, timed: bool) -> tuple[polars.DataFrame, int]:
    """Of rows of the same user, item and time the last one; and how many others there were."""
    if not timed:
        return events, 0
    same = np.ones(max(len(events) - 1, 0), np.bool_)
    for name in ("time", "user", "item"):
        values = events[name].to_numpy()
        same &= values[1:] == values[:-1]
    return (events.filter(~np.append(same, False)), int(same.sum())) if same.any() else (events, 0)


def _collect(
    data: InteractionData,
    events: polars.DataFrame,
    ids: tuple[polars.Series, polars.Series],
    columns: Columns,
    table: tuple[polars.DataFrame, ItemColumns],
) -> Interactions:
    import polars

    users, seen = ids
    items, item, described = _items(seen, events["item"].to_numpy().astype(np.int32), table[0])
    wide = table[0].with_columns(described) if len(table[0]) else polars.DataFrame({"id": described})
    log = Interactions(
        source=data.source,
        users=users.rename("id"),
        items=items.rename("id"),
        user=events["user"].to_numpy().astype(np.int32),
        item=item,
        time=events["time"].to_numpy() // 10**6 if columns.timed else None,
        weight=events["weight"].to_numpy().astype(np.float32),
        liked=_liked(events["weight"].to_numpy(), data.positive),
        half_life=data.half_life,
        table=polars.DataFrame({"id": items}).join(wide, on="id", how="left", maintain_order="left"),
        columns=table[1],
        fingerprint="",
    )
    log = replace(log, strength=strength_of(log, data))
    return replace(log, fingerprint=_fingerprint(log))


def _items(
    met: polars.Series, item: NDArray[np.int32], table: polars.DataFrame
) -> tuple[polars.Series, NDArray[np.int32], polars.Series]:
    """The ids of items that were met or are described, where each event's item is among them, and the described ids."""
    import polars

    seen, described = alike(met, table["id"]) if len(table) else (met, met.head(0))
    items = polars.concat([seen, described]).unique().sort()
    if len(items) > len(seen) or items.dtype != met.dtype:
        item = items.search_sorted(seen).to_numpy().astype(np.int32)[item]
    return items, item, described


def _liked(weight: NDArray[np.float32], positive: float | None) -> NDArray[np.bool_]:
    return weight > 0 if positive is None else weight >= np.float32(positive)


def _of_copies(repeated: int, kept: int) -> tuple[Sentence, ...]:
    if not repeated:
        return ()
    return (sentence("finding.repeated-rows", n=repeated, total=kept + repeated),)


def _of_liked(log: Interactions, data: InteractionData) -> tuple[Sentence, ...]:
    found = []
    if data.positive is None and (below := int(np.sum(~log.liked))):
        found.append(sentence("finding.not-liked", n=below))
    levels = np.unique(log.weight[:100_000])
    if data.positive is None and 3 <= len(levels) <= 11 and levels[0] > 0 and 3 <= levels[-1] <= 10:
        found.append(sentence("finding.ratings", low=float(levels[0]), high=float(levels[-1])))
    return tuple(found)


def _fingerprint(log: Interactions) -> str:
    """Of ids, events and the item table."""
    whole = hashlib.sha256(_FORMAT)
    for ids in (log.users, log.items):
        whole.update("\0".join(ids.cast(str).to_list()).encode("utf-8", "surrogatepass"))
    for values in (log.user, log.item, log.time, log.weight, log.liked, log.strength):
        if values is not None:
            whole.update(np.ascontiguousarray(values).tobytes())
    if log.people is not None:
        whole.update(log.people.write_json().encode("utf-8", "surrogatepass"))
    whole.update(log.table.write_json().encode("utf-8", "surrogatepass") if log.table.width > 1 else b"")
    return whole.hexdigest()
