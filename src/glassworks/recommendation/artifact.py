"""The files of a recommender: an index in JSON, with memory-mapped arrays and Parquet tables beside it.

    predict.json      {"format": 1, "scorer": name, "parameters": {...}, "arrays": {name: file}, "tables": {name: file},
                       "columns": {"categories": [...], "numbers": [...], "texts": [...], "title": name}}
    items.parquet     a row an item, in the order that all arrays count in: `id`, `popularity`, the item table's columns
    users.parquet     a row a known user, in the order of the histories' rows: `id`
    people.parquet    a row a described user, where there is a table of users: `id`, and its columns

The arrays `histories.indptr`, `histories.indices`, `histories.weights` and, where there are times, `histories.times`
are the histories of known users as sparse rows: every item that a user met, with what it counts, 0 where it was met but
not liked. Those of the scorer begin with `scorer.`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Artifact
from glassworks.data.interactions.collection import Interactions, sparse_rows
from glassworks.errors import BundleError
from glassworks.recommendation.nearest import FILE as NEAREST, write_nearest
from glassworks.recommendation.profiles import Profiles
from glassworks.recommendation.scoring import Arrays, Scorer, Sparse, scorers


@runtime_checkable
class OpenedArrays(Protocol):
    """What the runtime of arrays opens: the index, and its arrays by name, mapped into memory."""

    index: Mapping[str, Any]
    arrays: Arrays


INDEX, ITEMS, USERS, PEOPLE = "predict.json", "items.parquet", "users.parquet", "people.parquet"
FORMAT = 1
_SCORER, _HISTORIES = "scorer.", "histories."


def write_arrays(
    scorer: Scorer, log: Interactions, folder: Path, popularity: NDArray[np.float32] | None = None
) -> Artifact:
    """Write the scorer and the histories of all users of the log into `folder`.

    `popularity` (I) is that of what was learned from, where that is not the whole log.
    """
    profiles = Profiles.fit(log)
    arrays = {**{_SCORER + name: values for name, values in scorer.arrays().items()}, **_histories(log)}
    arrays |= profiles.arrays() if profiles else {}
    files = {name: f"{name}.npy" for name in arrays}
    for name, values in arrays.items():
        np.save(folder / files[name], np.ascontiguousarray(values), allow_pickle=False)
    _write_tables(log, log.popularity() if popularity is None else popularity, folder)
    nearest = write_nearest(scorer, _liked(log), folder)
    index: dict[str, Any] = {
        "format": FORMAT,
        "scorer": scorer.name,
        "parameters": dict(scorer.parameters),
        "arrays": files,
        "tables": {"items": ITEMS, "users": USERS, **({"people": PEOPLE} if profiles else {})},
        "columns": asdict(log.columns),
        **({"nearest": nearest} if nearest else {}),
        **({"profiles": profiles.parameters} if profiles else {}),
    }
    (folder / INDEX).write_text(json.dumps(index, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    graph = (NEAREST,) if nearest and nearest["used"] else ()
    beside = (*files.values(), *index["tables"].values(), *graph)
    return Artifact(role="predict", format="arrays", file=INDEX, beside=beside, made_by="export")


def scorer_of(index: Mapping[str, Any], arrays: Arrays) -> Scorer:
    """The scorer of an index file and its opened arrays. Raises BundleError for one that this version does not know."""
    known = scorers()
    if index.get("format") != FORMAT or index.get("scorer") not in known:
        raise BundleError(
            f"the index names the scorer '{index.get('scorer')}' in format {index.get('format')}",
            f"known here: format {FORMAT}, scorers {', '.join(known)}; use the version that wrote it",
        )
    own = {name.removeprefix(_SCORER): values for name, values in arrays.items() if name.startswith(_SCORER)}
    return known[index["scorer"]].from_arrays(own, index["parameters"])


def _liked(log: Interactions) -> Sparse:
    return sparse_rows(log.user[log.liked], log.item[log.liked], log.values()[log.liked], log.shape)


def _histories(log: Interactions) -> dict[str, NDArray[Any]]:
    """Of a pair that stands twice, the last interaction counts."""
    rows = log.met()
    found = {"indptr": rows.indptr, "indices": rows.indices, "weights": rows.data}
    if log.time is not None:
        found["times"] = sparse_rows(log.user, log.item, log.time, log.shape).data
    return {_HISTORIES + name: values for name, values in found.items()}


def _write_tables(log: Interactions, popularity: NDArray[np.float32], folder: Path) -> None:
    import polars

    log.table.with_columns(polars.Series("popularity", popularity)).write_parquet(folder / ITEMS)
    polars.DataFrame({"id": log.users}).write_parquet(folder / USERS)
    if log.people is not None and not log.people.is_empty():
        log.people.sort("id").write_parquet(folder / PEOPLE)
