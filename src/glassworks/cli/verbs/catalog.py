"""`glassworks catalog`: everything that this installation can do."""

from __future__ import annotations

import typer

from glassworks.cli.output import AsJson, stdout, table, write_json


def catalog(as_json: AsJson = False) -> None:
    """List families, tasks, passes, runtimes, explainers and exporters."""
    import inspect

    from glassworks.catalog import contract_of, found, kinds

    listing = {
        kind: {
            name: (inspect.getdoc(type(each)) or "").split("\n")[0] for name, each in found(contract_of(kind)).items()
        }
        for kind in kinds()
    }
    if as_json:
        write_json(listing)
        return
    for kind, entries in listing.items():
        table(kind, ("name", "what it is"), list(entries.items()), stdout())


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command()(catalog)
