"""A table given to `predict`: each row is a question, and comes out with its answer."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.cli.answering import answer_all
from glassworks.cli.answers import show_rows
from glassworks.cli.output import stdout, write_json

if TYPE_CHECKING:
    from glassworks.cli.pictures import PredictOptions

_SHOWN = 20


def table_of(model: str, value: str, output: Path | None) -> str:
    """The source of a table that is asked row by row; empty for another input, and for what the task writes itself."""
    from glassworks.catalog import named
    from glassworks.contracts import Tables, Task
    from glassworks.registry import Registry
    from glassworks.runs.works._tables import source_of

    source = source_of(value)
    if not source:
        return ""
    task = named(Task, Registry.open().resolve(model).bundle.manifest.task)
    own = isinstance(task, Tables) and output is not None and output.suffix == ".parquet"
    return "" if own and not source.startswith("jsonl") else source


def predict_table(model: str, source: str, columns: Sequence[str], options: PredictOptions, *, as_json: bool) -> None:
    """All rows to `options.output`; without one the first rows are shown, or with `as_json` all of them."""
    more: dict[str, Any] = {"columns": list(columns), "limit": options.limit}
    if options.output is not None:
        answer_all("predict", model, source, options.output, False, **more, as_table=True, as_json=as_json)
        return
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "answers.jsonl"
        limit = options.limit or (None if as_json else _SHOWN)
        answer_all("predict", model, source, lines, False, **{**more, "limit": limit}, as_json=None)
        found = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    if as_json:
        write_json({"model": model, "data": source, "rows": found})
        return
    from glassworks.runs.works._tables import flat

    show_rows(f"{model}: {source}", [flat(each) for each in found], stdout())
    if len(found) == limit:
        stdout().print("these are the first rows; all of them: -o answers.csv, .parquet or .jsonl", markup=False)
