"""`glassworks train`: train, package and publish; served in fp32 until it is optimized."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassworks.cli.classes import classes_json
from glassworks.cli.following import Detach, detach, job_request
from glassworks.cli.interrupts import receive_interrupts
from glassworks.cli.output import AsJson, LiveProgress, measured, metrics_json, stderr, stdout, table, write_json

if TYPE_CHECKING:
    from glassworks.config import Job
    from glassworks.flow import Release

JobFile = Annotated[Path, typer.Argument(metavar="JOB.toml", help="The job file.")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the job file.")
]
Fresh = Annotated[bool, typer.Option("--resume/--fresh", help="Go on with an interrupted run, or forget it.")]


def train(
    job: JobFile,
    overrides: Overrides = None,
    resume: Fresh = True,
    background: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Train the model of a job file. An interrupted run goes on by itself."""
    if not background:
        receive_interrupts()  # before the libraries that reading a job loads
    from glassworks.job_files import load_job

    loaded = load_job(job, overrides or ())
    if background:
        detach("train", job_request(loaded, resume), as_json)
    else:
        _train(loaded, resume, as_json)


def _train(job: Job, resume: bool, as_json: bool) -> None:
    from glassworks import flow
    from glassworks.cli.tables import show_comparison, show_test, show_warnings, warnings_of
    from glassworks.registry import Registry

    progress = LiveProgress()
    try:
        made = flow.train(job, Registry.open(), progress, fresh=not resume)
    finally:
        progress.close()
    show_warnings(warnings_of(made), stderr())
    if as_json:
        write_json(_summary(made))
        return
    rows = [(name, measured(value), str(value.examples)) for name, value in made.model.metrics.items()]
    table("validation", ("metric", "value [95 %]", "examples"), rows, stdout())
    show_comparison(made, stdout())
    show_test(made.bundle.manifest, "test", stdout())
    stdout().print(f"published {made.version.reference}; next: glassworks optimize {made.version.reference}")


def _summary(made: Release) -> dict[str, Any]:
    from glassworks.cli.tables import warnings_of

    model, manifest = made.model, made.bundle.manifest
    return {
        "run": model.run,
        "seconds": model.seconds,
        "weights_sha256": manifest.lineage.weights_sha256,
        "refitted": manifest.refitted,
        "metrics": metrics_json(model.metrics),
        "resumed": model.resumed,
        "model": made.version.reference,
        "bundle_sha256": made.version.bundle_sha256,
        "test": metrics_json(manifest.metrics),
        "classes": classes_json(manifest.classes),
        "baseline": metrics_json(manifest.baseline),
        "warnings": list(warnings_of(made)),
        "comparison": {name: metrics_json(found) for name, found in manifest.comparison.items()},
    }


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command()(train)
