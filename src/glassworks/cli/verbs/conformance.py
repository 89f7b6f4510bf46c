"""`glassworks conformance`: grade any server of the Open Inference Protocol, or of OpenAI's API."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glassworks.cli.output import AsJson, stdout, write_json

if TYPE_CHECKING:
    from glassworks.conformance.suite import Check
    from glassworks.conformance.target import Target


class Suite(StrEnum):
    """What a server is graded by."""

    OPEN_INFERENCE = "open-inference"
    OPENAI = "openai"


def conformance(
    url: Annotated[str, typer.Argument(help="Where the server is, such as http://127.0.0.1:8080.")],
    grpc: Annotated[str | None, typer.Option(help="HOST:PORT of its gRPC; without it gRPC is not checked.")] = None,
    model: Annotated[str | None, typer.Option(help="The model to ask; without it the first that is ready.")] = None,
    suite: Annotated[Suite, typer.Option(help="What it is graded by.")] = Suite.OPEN_INFERENCE,
    key: Annotated[str | None, typer.Option(help="An access key.", envvar="GLASSWORKS_KEY")] = None,
    report: Annotated[Path | None, typer.Option(help="Write all of it to this JSON file.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write it to this JUnit XML file.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Time for one request: 10; of openai 60.")] = None,
    patience: Annotated[float | None, typer.Option(min=0.1, help="Time for ending slow and silent clients.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check what the protocol asks for, one rule after the other; exit code 1 when one does not hold."""
    from glassworks.conformance import suite as suites

    if suite is Suite.OPENAI:
        target, selected = _openai(url, model, key, seconds)
    else:
        target, selected = _open_inference(url, grpc, model, key, seconds, patience)
    outcomes = list(suites.run(target, selected))
    summary = suites.summary(target, outcomes)
    _write(report, json.dumps(summary, indent=1).encode() + b"\n")
    _write(junit, suites.junit(outcomes))
    if as_json:
        write_json(summary)
    else:
        # Lines are not wrapped, so that names of checks stay whole and can be searched for.
        stdout().print("\n".join(suites.lines(target, outcomes)), markup=False, soft_wrap=True)
    if summary["totals"]["failed"]:
        raise typer.Exit(1)


def _write(path: Path | None, content: bytes) -> None:
    if path is not None:
        path.write_bytes(content)


def _open_inference(
    url: str, grpc: str | None, model: str | None, key: str | None, seconds: float | None, patience: float | None
) -> tuple[Target, list[Check]]:
    from glassworks.conformance import suite
    from glassworks.conformance.target import Target

    suite.reach(target := Target(url=url, grpc=grpc, name=model, key=key, seconds=seconds or 10.0, patience=patience))
    return target, suite.found()


def _openai(url: str, model: str | None, key: str | None, seconds: float | None) -> tuple[Target, list[Check]]:
    from glassworks.conformance import suite
    from glassworks.conformance.openai import checks
    from glassworks.conformance.openai.client import Client

    (client := Client(url=url, name=model, key=key, seconds=seconds or 60.0)).reach()
    return client, suite.found(checks)


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command()(conformance)
