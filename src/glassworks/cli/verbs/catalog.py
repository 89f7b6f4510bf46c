"""`glassworks catalog`: everything that this installation can do."""

from __future__ import annotations

import typer

from glassworks.cli.output import AsJson, stdout, table, write_json


def catalog(as_json: AsJson = False) -> None:
    """List families, tasks, passes, runtimes, sources and everything else that can be added."""
    from glassworks.catalog import contract_of, kinds, summaries

    listing = {kind: dict(summaries(contract_of(kind))) for kind in kinds()}
    if as_json:
        write_json(listing)
        return
    for kind, entries in listing.items():
        table(kind, ("name", "what it is"), list(entries.items()), stdout())


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command()(catalog)
