"""`glassworks predict`: the answer of a model for one input file."""

from __future__ import annotations

from typing import Annotated

import typer

from glassworks.cli.output import AsJson, Reference, read_input, stdout, table, write_json

InputFile = Annotated[
    str,
    typer.Argument(
        metavar="INPUT",
        help="A file as the model takes it, such as a picture; a text may be given itself; - for stdin.",
    ),
]


def predict(model: Reference, value: InputFile, as_json: AsJson = False) -> None:
    """Answer for one input file, in this process."""
    from glassworks import flow
    from glassworks.registry import Registry

    answer = flow.predict(model, lambda literal: read_input(value, literal=literal), Registry.open())[0]
    if as_json:
        write_json({"model": model, "outputs": answer})
        return
    rows = [(str(label), f"{probability:.4f}") for label, probability in answer["top"]]
    table(f"{model}: {answer['label']}", ("label", "probability"), rows, stdout())


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command()(predict)
