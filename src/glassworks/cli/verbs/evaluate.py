"""`glassworks evaluate`: measure a model on its own test split or on other data, and against another version."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from glassworks.cli.evaluations import columns_of, evaluation_json, show_evaluation, show_understood
from glassworks.cli.following import Detach, detach, located, referred
from glassworks.cli.gates import gated
from glassworks.cli.output import AsJson, LiveProgress, Reference, write_json
from glassworks.errors import InputError

_HERE = ("judge", "rubric", "output")
"""What a run in the background does not take."""
_LANGUAGE = "Language models"
Data = Annotated[str | None, typer.Option(help="Another source, such as folder:PATH; all its examples are used.")]
Columns = Annotated[str, typer.Option(help="Columns of --data by their roles: prompt=question,answer=label.")]
Text = Annotated[str, typer.Option(help="Texts in --data: the column that holds the text.")]
Label = Annotated[str, typer.Option(help="Texts in --data: the column that holds the label.")]
Against = Annotated[str, typer.Option(help="Another version: differences on the same examples.")]
Output = Annotated[
    Path | None,
    typer.Option(help="Each example's result in this JSONL file; goes on where it was.", rich_help_panel=_LANGUAGE),
]
Template = Annotated[
    str, typer.Option(help="A row's prompt, columns in braces: 'Q: {question}'.", rich_help_panel=_LANGUAGE)
]
Plain = Annotated[bool, typer.Option("--plain", help="Ask without the chat template.", rich_help_panel=_LANGUAGE)]
Limit = Annotated[int, typer.Option(min=0, help="So many rows, drawn at random.", rich_help_panel=_LANGUAGE)]
MaxTokens = Annotated[int, typer.Option(min=0, help="The longest answer.", rich_help_panel=_LANGUAGE)]
Judge = Annotated[
    str,
    typer.Option(help="A model that grades the answers, or http://ADDRESS/v1#MODEL.", rich_help_panel=_LANGUAGE),
]
Rubric = Annotated[str, typer.Option(help="What the judge grades by.", rich_help_panel=_LANGUAGE)]

GateName = Annotated[
    str, typer.Option(help="Let new versions be held against --data, by this name; without --data, measure there.")
]
Metric = Annotated[str, typer.Option(help="Of --gate: the metric that must not fall; none removes the gate.")]
Tolerance = Annotated[float | None, typer.Option(help="Of --gate: by how much it may; left out, by chance alone.")]


def evaluate(
    model: Reference,
    data: Data = None,
    columns: Columns = "",
    text: Text = "",
    label: Label = "",
    against: Against = "",
    output: Output = None,
    prompt: Template = "",
    plain: Plain = False,
    limit: Limit = 0,
    max_tokens: MaxTokens = 0,
    judge: Judge = "",
    rubric: Rubric = "",
    gate: GateName = "",
    metric: Metric = "",
    tolerance: Tolerance = None,
    background: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Measure a model: metrics with 95 % intervals, and how each class fares; against another version too."""
    asked = {"template": prompt, "plain": plain, "limit": limit, "max_tokens": max_tokens, "judge": judge}
    questions = {key: value for key, value in {**asked, "rubric": rubric, "output": output}.items() if value}
    named = columns_of(columns, text, label, data)
    request = {"data": data, "columns": named, "against": against, "questions": questions, "gate": gate}
    work = _detached if background else gated if gate else _measured
    work(model, {**request, "metric": metric, "tolerance": tolerance}, as_json)


def _measured(model: str, asked: dict[str, Any], as_json: bool) -> None:
    from glassworks import flow
    from glassworks.registry import Registry

    data, questions = asked["data"], asked["questions"]
    progress = LiveProgress()
    if data is not None and not as_json:
        questions["understood"] = show_understood
    try:
        found = flow.evaluate(
            model, Registry.open(), progress, data, asked["columns"], against=asked["against"], **questions
        )
    finally:
        progress.close()
    if as_json:
        write_json({"model": model, "data": data or "test split", **evaluation_json(found)})
        return
    show_evaluation(model, found)


def _detached(model: str, asked: dict[str, Any], as_json: bool) -> None:
    if asked["gate"] and asked["data"]:
        raise InputError("--gate with --data does not go with --detach", "set the gate here; measure on it anywhere")
    asked = {key: value for key, value in asked.items() if key not in ("metric", "tolerance")}
    if here := [key for key in _HERE if key in asked["questions"]]:
        raise InputError(f"--{here[0]} does not go with --detach", "leave --detach out: an interrupted one goes on")
    against = referred(asked["against"]) if asked["against"] else ""
    found = {"model": referred(model), "data": located(asked["data"]), "against": against}
    given = {key: value for key, value in {**asked, **found}.items() if value or key in ("model", "data", "columns")}
    detach("evaluate", given, as_json)


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command()(evaluate)
