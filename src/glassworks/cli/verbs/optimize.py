"""`glassworks optimize`: search again for what to serve, under an objective."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from glassworks.cli.following import Detach, detach, referred
from glassworks.cli.interrupts import receive_interrupts
from glassworks.cli.output import AsJson, LiveProgress, Reference, stderr, stdout, write_json

_MINIMIZE = "latency_p50, latency_p99 (with @BATCH) or size; of language models time_per_token, first_token_p99 too."


def optimize(
    model: Reference,
    minimize: Annotated[str | None, typer.Option(help=_MINIMIZE)] = None,
    within: Annotated[list[str] | None, typer.Option(help="A constraint; give it again for more.")] = None,
    budget: Annotated[str | None, typer.Option(help="Time for measuring, such as 30s or 5m.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of one call.")] = None,
    background: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Measure every candidate on this machine and publish the best one; what is left out is as its job says."""
    given = {"minimize": minimize, "within": tuple(within or ()) or None, "budget": budget, "threads": threads}
    objective = {key: value for key, value in given.items() if value is not None}
    if background:
        detach("optimize", {"model": referred(model), "objective": objective}, as_json)
    else:
        _optimize(model, objective, as_json)


def _optimize(model: str, objective: Mapping[str, Any], as_json: bool) -> None:
    receive_interrupts()
    from glassworks import flow
    from glassworks.cli.tables import report_json, show_report, show_warnings
    from glassworks.registry import Registry

    registry, progress = Registry.open(), LiveProgress()
    try:
        report, version = flow.optimize(model, objective, registry, progress)
    finally:
        progress.close()
    manifest = registry.resolve(version.reference).bundle.manifest
    show_warnings(manifest.warnings, stderr())
    if as_json:
        made = {"model": version.reference, "bundle_sha256": version.bundle_sha256}
        write_json({**report_json(report), **made, "warnings": list(manifest.warnings)})
        return
    show_report(report, stdout())
    stdout().print(f"published {version.reference}; next: glassworks alias {version.reference} champion")


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command()(optimize)
