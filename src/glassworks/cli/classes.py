"""How each class of a model fares, as a table on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from glassworks.cli.output import measured, table

if TYPE_CHECKING:
    from rich.console import Console

    from glassworks.contracts import ClassMeasurement, Measurement

_SHOWN, _OTHERS = 20, 3


def show_classes(classes: Sequence[ClassMeasurement], console: Console) -> None:
    """A row a class; of many those with the least recall, and first the ones that nothing can be said of."""
    if not classes:
        return
    rows = list(classes)
    if len(rows) > _SHOWN:
        rows = sorted(rows, key=lambda each: each.recall.value if each.recall else -1.0)[:_SHOWN]
    title = "each class" if len(rows) == len(classes) else f"the {_SHOWN} worst of {len(classes):,} classes"
    head = ("class", "examples", "recall", "precision", "taken for")
    lines = [(each.label, f"{each.examples:,}", *shares(each), _others(each.mistaken)) for each in rows]
    table(title, head, lines, console)


def shares(one: ClassMeasurement) -> tuple[str, str]:
    """Recall and precision, or why there is none."""
    return _share(one.recall, "no example"), _share(one.precision, "never predicted")


def classes_json(classes: Sequence[ClassMeasurement]) -> list[dict[str, Any]]:
    """Each with its shares and intervals."""
    return [each.model_dump(mode="json") for each in classes]


def _share(value: Measurement | None, otherwise: str) -> str:
    return measured(value) if value else otherwise


def _others(mistaken: Mapping[str, int]) -> str:
    more = " ..." if len(mistaken) > _OTHERS else ""
    return ", ".join(f"{label} {count:,}" for label, count in list(mistaken.items())[:_OTHERS]) + more
