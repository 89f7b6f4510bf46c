"""`glassworks evaluate`: measure a model on its own test split or on other data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from glassworks.cli.classes import classes_json, show_classes
from glassworks.cli.following import Detach, detach, located, referred
from glassworks.cli.output import AsJson, LiveProgress, Reference, measured, metrics_json, stdout, table, write_json
from glassworks.errors import InputError

if TYPE_CHECKING:
    from glassworks.packaging.parts import Evaluation


def evaluate(
    model: Reference,
    data: Annotated[
        str | None, typer.Option(help="Another source, such as folder:PATH; all its examples are used.")
    ] = None,
    text: Annotated[str, typer.Option(help="Texts in --data: the column that holds the text.")] = "",
    label: Annotated[str, typer.Option(help="Texts in --data: the column that holds the label.")] = "",
    background: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Measure a model: metrics with 95 % intervals, and how each class fares."""
    columns = {key: name for key, name in (("text", text), ("label", label)) if name}
    if columns and data is None:
        raise InputError("--text and --label are columns of --data", "leave them out, or give --data SOURCE")
    if background:
        detach("evaluate", {"model": referred(model), "data": located(data), "columns": columns}, as_json)
        return
    from glassworks import flow
    from glassworks.registry import Registry

    progress = LiveProgress()
    try:
        found = flow.evaluate(model, Registry.open(), progress, data, columns)
    finally:
        progress.close()
    if as_json:
        measures = {"metrics": metrics_json(found.metrics), "classes": classes_json(found.classes)}
        write_json({"model": model, "data": data or "test split", "examples": found.examples, **measures})
        return
    _show(model, found)


def _show(model: str, found: Evaluation) -> None:
    rows = [(name, measured(value)) for name, value in found.metrics.items()]
    table(f"{model} on {found.examples:,} examples", ("metric", "value [95 %]"), rows, stdout())
    show_classes(found.classes, stdout())


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command()(evaluate)
