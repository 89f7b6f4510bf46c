"""`glassworks toy-verb`: says hello."""

from __future__ import annotations

import typer


def toy_verb() -> None:
    """Say hello."""
    typer.echo("hello")


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command()(toy_verb)
