"""What works share that answer for all examples of a data source."""

from __future__ import annotations

import hashlib
import json
import uuid
from abc import abstractmethod
from collections.abc import Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from glassworks.catalog import named
from glassworks.contracts import Generation, Progress, Source, Tables
from glassworks.packaging.answered import Answer, Answering, Written, write_answers
from glassworks.packaging.opened import OpenedBundle
from glassworks.record import Record
from glassworks.registry import Registry
from glassworks.registry.opening import open_model
from glassworks.runs.works._publishing import ModelWork
from glassworks.runs.works._tables import WRITTEN, cells_of, questions, require_form, write_table
from glassworks.storage import require_other

if TYPE_CHECKING:
    from glassworks.contracts import Array
    from glassworks.data.tabular.cells import Cells

_ROWS, _ROWS_OF_TABLES, _ROWS_OF_TEXTS = 32, 1024, 4
_FOLDER = "answers"


class AnsweringRequest(Record):
    """`data` is a source whose examples are all used, or the first `limit`; it needs no labels.

    `columns` are those of a table with the text, or the path of the picture; left out those that the model has learned
    from. `output` is a table (.csv, .tsv, .parquet) or a file for lines of JSON; a relative path counts from
    GLASSWORKS_HOME, and left out there is a new one. With `as_table` lines for a table have its columns too.
    """

    model: str
    data: str
    columns: tuple[str, ...] = ()
    limit: int | None = Field(default=None, ge=1)
    output: str = ""
    as_table: bool = False


class AnsweringWork(ModelWork):
    """Writes a line for each example."""

    request: ClassVar[type[Record]] = AnsweringRequest
    memory_bytes: ClassVar[int] = 2**29

    def settled(self, request: Any) -> Any:
        """With a file of its own. Raises NotFound for a source of no kind, too."""
        named(Source, request.data.partition(":")[0])
        settled = super().settled(request)
        if settled.output:
            return settled
        name = f"{Path(settled.model).name}-{self.name}-{uuid.uuid4().hex[:12]}.jsonl"
        return settled.model_copy(update={"output": f"{_FOLDER}/{name}"})

    def run(self, request: AnsweringRequest, progress: Progress) -> Mapping[str, Any]:
        """Raises what reading and answering raise."""
        registry = Registry.open()
        output = registry.home / request.output
        require_form(output)
        if not Path(request.output).is_absolute():
            output.parent.mkdir(parents=True, exist_ok=True)
        opened = open_model(request.model, registry)
        try:
            require_other(output, request.data.partition(":")[2])
            cells = cells_of(request.data)
            asked = Answering(
                stage=self.name,
                inputs=lambda: islice(questions(opened, request.data, cells, request.columns), request.limit),
                answer=self.answer(opened, request),
                rows=self.rows(opened),
                key=_key(self.name, opened, request),
            )
            as_table = output.suffix.lower() in WRITTEN or (request.as_table and cells is not None)
            write = partial(_write_table, cells) if as_table else write_answers
            written = write(asked, output, progress)
        finally:
            opened.close()
        counts = {"examples": written.examples, "errors": written.errors}
        return {"model": request.model, "data": request.data, "file": str(output), **counts}

    @abstractmethod
    def answer(self, opened: OpenedBundle, request: Any) -> Answer:
        """What makes the lines. Raises Unsupported where the model cannot."""

    def rows(self, opened: OpenedBundle) -> int:
        """Examples of one step."""
        if isinstance(opened.task, Generation):
            return _ROWS_OF_TEXTS
        return _ROWS_OF_TABLES if isinstance(opened.task, Tables) else _ROWS


def presented(opened: OpenedBundle, x: Array) -> list[dict[str, Any]]:
    """The answers for stored examples as tables have them."""
    task = opened.task
    answers = task.answer(opened.predict(x), opened.manifest.labels)
    return [{"answer": dict(task.present(each).row)} for each in answers]


def _write_table(cells: Cells | None, asked: Answering, output: Path, progress: Progress) -> Written:
    """Lines of JSON, then a table of them, which appears when all are there."""
    lines = output.with_name(f"{output.name}.answers")
    written = write_answers(asked, lines, progress)
    write_table(lines, cells, output)
    lines.unlink(missing_ok=True)
    return written


def _key(name: str, opened: OpenedBundle, request: AnsweringRequest) -> str:
    """Of everything that decides the lines, as far as it can be seen without reading the data."""
    path = Path(request.data.partition(":")[2])
    about = path.stat() if path.is_file() else None
    data = [about.st_size, about.st_mtime_ns] if about else []
    decisive = [name, opened.bundle.sha256, request.model_dump(mode="json", exclude={"model", "output"}), data]
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()
