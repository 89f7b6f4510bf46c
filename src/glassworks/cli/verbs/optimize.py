"""`glassworks optimize`: search again for what to serve, under an objective."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from glassworks.cli.following import Detach, detach, referred
from glassworks.cli.interrupts import receive_interrupts
from glassworks.cli.output import AsJson, LiveProgress, Reference, stderr, stdout, write_json

_MINIMIZE = (
    "latency_p99, latency_p99@BATCH, @BATCHxCALLERS, size, memory, METRIC_drop; of language models time_per_token."
)
_MAXIMIZE = "Instead of --minimize: throughput, throughput@BATCH, explanation_agreement or a metric such as accuracy."
_WITHIN = "A limit such as 'size <= 30%' or 'accuracy_drop <= 0.5%'; give it again for more."


def optimize(
    model: Reference,
    minimize: Annotated[str | None, typer.Option(help=_MINIMIZE)] = None,
    maximize: Annotated[str | None, typer.Option(help=_MAXIMIZE)] = None,
    within: Annotated[list[str] | None, typer.Option(help=_WITHIN)] = None,
    budget: Annotated[str | None, typer.Option(help="Time for measuring, such as 30s or 5m.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of one call.")] = None,
    certify: Annotated[bool | None, typer.Option(help="Measure it as it is served, for a certificate; usual.")] = None,
    background: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Measure every candidate on this machine and publish the best one; what is left out is as its job says."""
    given: dict[str, Any] = {"minimize": minimize, "maximize": maximize, "within": tuple(within or ()) or None}
    given |= {"budget": budget, "threads": threads, "certify": certify}
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
