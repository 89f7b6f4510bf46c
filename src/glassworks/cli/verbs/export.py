"""`glassworks export`: a model in a form that others can use without Glassworks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glassworks.cli.output import AsJson, Reference, stdout, write_json


def export(
    model: Reference,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    to: Annotated[str, typer.Option("--to", help="The form; 'glassworks catalog' lists them.")] = "onnx",
    as_json: AsJson = False,
) -> None:
    """Write a model for use elsewhere; `--to glass` writes one file to move the bundle."""
    from glassworks.catalog import get
    from glassworks.contracts import Exporter
    from glassworks.registry import Registry

    exporter = get(Exporter, to)
    written = exporter.export(Registry.open().resolve(model).bundle.folder, folder)
    if as_json:
        write_json({"model": model, "to": to, "files": [str(path) for path in written]})
        return
    for path in written:
        stdout().print(str(path))


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command()(export)
