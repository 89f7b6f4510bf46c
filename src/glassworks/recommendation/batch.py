"""Recommendations for a whole table of users, in parts: memory does not grow with the table."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.contracts import Progress, Session
from glassworks.data.interactions.ids import cleaned, distinct_ids
from glassworks.data.interactions.reader import scan
from glassworks.errors import InputError, StorageError
from glassworks.recommendation.requests import Request
from glassworks.recommendation.session import INPUT, OUTPUT, RecommendSession

if TYPE_CHECKING:
    import polars

_ROWS = 1024
_ONE_OF = {"user", "history", "similar_to"}
_MEND = "name a column 'user' or 'history'"
_TEXTS = ("user", "similar_to", "seen")
"""Keys whose values may be texts themselves."""
_LISTS = ("history", "allow", "deny")
"""Keys of several ids, which tables of text write as JSON, or with | between them."""
_READ = 16_384
"""Rows of a table that are in memory at once."""


def answer_table(session: Session, source: Path, output: Path, progress: Progress) -> dict[str, int]:
    """Write `output` (Parquet: `row`, `user`, `rank`, `item`, `score`) for each row of `source` (CSV or Parquet).

    Columns are keys of a request, such as `user`, `history`, `k`; empty cells are left out, and so are rows that ask
    for nobody. `row` counts the rows of the source from 0; its other columns are left out, and reported. The file
    appears when it is complete. Raises InputError with the row of the first invalid request.
    """
    import polars

    table, others = _scan(source)
    count = int(table.select(polars.len()).collect().item())
    if output.suffix != ".parquet":
        raise InputError(f"{output.name} is no .parquet file", "name the output for example out.parquet")
    progress.start("recommend", count)
    try:
        with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.") as folder:
            parts = Path(folder)
            counts = _Counts()
            for begin in range(0, count, _ROWS):
                rows = table.slice(begin, _ROWS).collect()
                found = _answered(session, rows, begin, counts)
                found.write_parquet(parts / f"{begin:012}.parquet")
                counts.written += len(found)
                progress.update(step=begin + len(rows))
            polars.scan_parquet(parts / "*.parquet").sink_parquet(parts / "whole")
            (parts / "whole").replace(output)
    except OSError as error:
        raise StorageError(f"cannot write {output}: {error}", "free space, or name another file") from None
    progress.finish(f"{counts.written:,} recommendations for {count:,} rows{counts}{others}")
    return {"rows": count, "recommendations": counts.written}


@dataclass
class _Counts:
    """What is said of a table when it is done."""

    written: int = 0
    unknown: int = 0
    nobody: int = 0

    def __str__(self) -> str:
        said = f"; {self.unknown:,} users are not known" if self.unknown else ""
        return said + (f"; {self.nobody:,} rows name nobody and are left out" if self.nobody else "")


def requests_of(table: polars.LazyFrame, source: str) -> Iterator[tuple[str, str]]:
    """A name and a request in JSON a row: its columns are keys of a request, in a table of texts as JSON.

    Of a table with a column `item`, which is one of interactions, each user is asked for once.
    """
    import polars

    try:
        names = table.collect_schema().names()
        known = [name for name in names if name in Request.model_fields]
        if not _ONE_OF & set(known):
            raise InputError(f"'{source}' has the columns {', '.join(names)[:200]}", _MEND)
        asked = table.select(known)
        if "user" in known and "item" in names:
            asked = table.select("user").drop_nulls().unique(maintain_order=True)
        for begin in itertools.count(0, _READ):
            rows = asked.slice(begin, _READ).collect().to_dicts()
            for number, row in enumerate(rows, begin + 1):
                request = _request(row)
                yield str(request.get("user", f"row {number}")), json.dumps(request, ensure_ascii=False, default=str)
            if len(rows) < _READ:
                return
    except (OSError, polars.exceptions.PolarsError) as error:
        problem = f"'{source}' cannot be read: {str(error).splitlines()[0][:200]}"
        raise InputError(problem, "give CSV or Parquet") from None


def _cell(name: str, value: Any) -> Any:
    """A number or a list may be written as text; what cannot be read is left for the request's check."""
    if not isinstance(value, str) or name in _TEXTS:
        return value
    if name in _LISTS and not value.lstrip().startswith("["):
        return [each.strip() for each in value.split("|")]
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _scan(source: Path) -> tuple[polars.LazyFrame, str]:
    """The columns that are keys of a request, and a note on the others. Of CSV users are whole numbers only where
    all are written so."""
    import polars

    try:
        found = scan(f"{'csv' if source.suffix == '.csv' else 'parquet'}:{source}").frame
        kinds = found.collect_schema()
        keys = {name: name.strip().lower() for name in kinds.names()}
        known = {name: key for name, key in keys.items() if key in Request.model_fields}
        if not _ONE_OF & set(known.values()):
            raise InputError(f"{source} has the columns {', '.join(kinds.names())[:200]}", _MEND)
        ids = {name for name, key in known.items() if key in ("user", "similar_to")}
        found = found.select(
            (cleaned(name, kinds[name]) if name in ids else polars.col(name)).alias(key) for name, key in known.items()
        )
        if "user" in known.values():
            users = distinct_ids(found, "user", str(source)).table.lazy().select(polars.col("raw").alias("user"), "id")
            numbered = found.join(users, on="user", how="left", maintain_order="left")
            found = numbered.with_columns(user="id").drop("id")
    except (OSError, polars.exceptions.PolarsError) as error:
        problem = f"{source} cannot be read: {str(error).splitlines()[0][:200]}"
        raise InputError(problem, "give CSV or Parquet") from None
    others = ", ".join(name for name in keys if name not in known)[:200]
    return found, f"; no keys of a request: {others}" if others else ""


def _answered(session: Session, rows: polars.DataFrame, begin: int, counts: _Counts) -> polars.DataFrame:
    import polars

    asked = {
        begin + number: row
        for number, row in enumerate(rows.to_dicts())
        if any(row.get(key) is not None for key in _ONE_OF)
    }
    counts.nobody += len(rows) - len(asked)
    requests = np.empty(len(asked), object)
    requests[:] = [json.dumps(_request(row)).encode() for row in asked.values()]
    try:
        answers = session.run({INPUT: requests})[OUTPUT].tolist()
    except InputError:
        answers = [_alone(session, request, number) for number, request in zip(asked, requests, strict=True)]
    read = list(map(json.loads, answers))
    counts.unknown += sum("unknown_user" in answer for answer in read)
    found = [
        {"row": number, "user": row.get("user"), "rank": rank, "item": each["item"], "score": each["score"]}
        for (number, row), answer in zip(asked.items(), read, strict=True)
        for rank, each in enumerate(answer["items"], 1)
    ]
    item = polars.Int64 if isinstance(session, RecommendSession) and session.items.ids.whole else polars.String
    kinds = {"row": polars.Int64, "rank": polars.Int32, "item": item, "score": polars.Float32}
    users = {"user": rows.schema.get("user", polars.Null)}
    order = ("row", "user", "rank", "item", "score")
    return polars.DataFrame(found, schema={name: {**kinds, **users}[name] for name in order})


def _request(row: Mapping[str, Any]) -> dict[str, Any]:
    known = {name: _cell(name, value) for name, value in row.items() if value is not None}
    return {"reasons": 0, **known}


def _alone(session: Session, request: bytes, number: int) -> bytes:
    rows = np.empty(1, object)
    rows[0] = request
    try:
        answer: bytes = session.run({INPUT: rows})[OUTPUT][0]
    except InputError as error:
        raise InputError(f"row {number}: {error.problem}", error.mend) from None
    return answer
