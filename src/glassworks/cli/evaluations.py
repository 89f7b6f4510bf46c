"""Evaluations on the terminal: how rows were understood, metrics, and differences to another version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glassworks.cli.classes import classes_json, show_classes
from glassworks.cli.output import measured, metrics_json, stderr, stdout, table
from glassworks.errors import InputError

if TYPE_CHECKING:
    from glassworks.contracts import Difference, Evaluation, Understood

_LONGEST = 240


def evaluation_json(found: Evaluation) -> dict[str, Any]:
    """In JSON's types."""
    against = {name: value.model_dump(mode="json") for name, value in found.against.items()}
    measures = {"metrics": metrics_json(found.metrics), "classes": classes_json(found.classes)}
    more = {"against": against} if against else {}
    return {"examples": found.examples, **measures, **more, **({"about": dict(found.about)} if found.about else {})}


def columns_of(columns: str, text: str, label: str, data: str | None) -> dict[str, str]:
    """By their roles. Raises InputError."""
    found = {key: name for key, name in (("text", text), ("label", label)) if name}
    for part in filter(None, columns.split(",")):
        role, separator, name = part.partition("=")
        if not separator:
            raise InputError(f"--columns has '{part[:50]}'", "write ROLE=COLUMN, such as prompt=question,answer=label")
        found[role.strip()] = name.strip()
    if found and data is None:
        raise InputError("--columns, --text and --label are columns of --data", "leave them out, or give --data SOURCE")
    return found


def show_understood(found: Understood) -> None:
    """What the rows are taken for, and how to say otherwise."""
    console = stderr()
    roles = ", ".join(f"{role} = {column}" for role, column in found.columns.items())
    console.print(f"measured: {found.measured}, by the columns {roles}", markup=False)
    for note in found.notes:
        console.print(f"  - {note}", markup=False)
    for row in found.rows:
        name, *values = row.values()
        console.print(f"  {name}: {' -> '.join(map(repr, values))}"[:_LONGEST], markup=False, soft_wrap=True)
    console.print("otherwise: --columns ROLE=COLUMN,... (text, messages, prompt, choices, answer)", markup=False)


def show_evaluation(model: str, found: Evaluation) -> None:
    """Metrics, classes and differences as tables, and what else should be known."""
    console = stdout()
    rows = [(name, measured(value)) for name, value in found.metrics.items()]
    table(f"{model} on {found.examples:,} examples", ("metric", "value [95 %]"), rows, console)
    show_classes(found.classes, console)
    if found.against:
        header = ("metric", "difference [95 %]", "examples", "better", "worse", "p")
        lines = [(name, *_difference(value)) for name, value in found.against.items()]
        table("against the other version", header, lines, console)
    notes = list(found.about.get("notes", ()))
    if rate := found.about.get("tokens_per_second"):
        notes.append(f"{rate:,.0f} tokens a second")
    if orders := found.about.get("preference"):
        counts = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in orders.items())
        notes.append(f"answers in both orders: {counts}")
    for note in notes:
        console.print(f"  - {note}", markup=False, soft_wrap=True)


def _difference(value: Difference) -> tuple[str, ...]:
    low, high = value.interval
    counts = ("not paired", "", "")
    if value.better is not None and value.p_value is not None:
        counts = (f"{value.better:,}", f"{value.worse:,}", f"{value.p_value:.3g}")
    return f"{value.value:+.4f} [{low:+.4f}, {high:+.4f}]", f"{value.examples:,}", *counts
