"""`glassworks conformance`: grade any server of the Open Inference Protocol."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from glassworks.cli.output import AsJson, stdout, write_json


def conformance(
    url: Annotated[str, typer.Argument(help="Where the server is, such as http://127.0.0.1:8080.")],
    grpc: Annotated[str | None, typer.Option(help="HOST:PORT of its gRPC; without it gRPC is not checked.")] = None,
    model: Annotated[str | None, typer.Option(help="The model to ask; without it the first that is ready.")] = None,
    key: Annotated[str | None, typer.Option(help="An access key.", envvar="GLASSWORKS_KEY")] = None,
    report: Annotated[Path | None, typer.Option(help="Write all of it to this JSON file.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write it to this JUnit XML file.")] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="Time for one request.")] = 10.0,
    patience: Annotated[float | None, typer.Option(min=0.1, help="Time for ending slow and silent clients.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check what the protocol asks for, one rule after the other; exit code 1 when one does not hold."""
    from glassworks.conformance import suite
    from glassworks.conformance.target import Target

    suite.reach(target := Target(url=url, grpc=grpc, name=model, key=key, seconds=seconds, patience=patience))
    outcomes = list(suite.run(target))
    summary = suite.summary(target, outcomes)
    if report is not None:
        report.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    if junit is not None:
        junit.write_bytes(suite.junit(outcomes))
    if as_json:
        write_json(summary)
    else:
        # Lines are not wrapped, so that names of checks stay whole and can be searched for.
        stdout().print("\n".join(suite.lines(target, outcomes)), markup=False, soft_wrap=True)
    if summary["totals"]["failed"]:
        raise typer.Exit(1)


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command()(conformance)
