"""Answers as tables on a terminal, whatever the task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from glassworks.cli.output import table

if TYPE_CHECKING:
    from rich.console import Console

    from glassworks.contracts import Presentation, Task


def show_answer(of: str, answer: Presentation, console: Console) -> None:
    """One answer, `of` a model."""
    if not answer.columns:
        show_rows(of, [answer.row], console)
        return
    table(f"{of}: {answer.title}", answer.columns, answer.rows, console)
    for note in answer.notes:
        console.print(note, markup=False)


def show_files(model: str, task: Task, files: Sequence[Mapping[str, Any]], console: Console) -> None:
    """A row a file: its name, and its answer or its `error`."""
    show_rows(model, [file_row(task, each) for each in files], console)


def file_row(task: Task, answered: Mapping[str, Any]) -> Mapping[str, Any]:
    """The columns of one file."""
    if "error" in answered:
        return answered
    answer = {key: value for key, value in answered.items() if key != "file"}
    return {"file": answered["file"], **task.present(answer).row}


def show_rows(title: str, rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Rows under all their columns; a row without one has an empty cell."""
    columns = tuple(dict.fromkeys(key for row in rows for key in row))
    table(title, columns, [tuple(_text(row.get(key, "")) for key in columns) for row in rows], console)


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
