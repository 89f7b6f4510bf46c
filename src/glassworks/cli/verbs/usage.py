"""`glassworks usage`: what was used, by day, key, model and verb."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glassworks.cli.verbs.keys import usage

if TYPE_CHECKING:
    import typer


def register(program: typer.Typer) -> None:
    """Add the verb: `glassworks keys usage` by a shorter name."""
    program.command("usage")(usage)
