"""`glassworks import`: bring a published language model: measured, compressed, packaged and registered."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassworks.cli.following import Detach, detach, job_request
from glassworks.cli.interrupts import receive_interrupts
from glassworks.cli.output import AsJson, LiveProgress, stderr, stdout, write_json
from glassworks.cli.verbs.train import Fresh, Overrides
from glassworks.locations import with_scheme

if TYPE_CHECKING:
    from glassworks.config import Job

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A .gguf file, a folder (Hugging Face's layout or OpenVINO's), package:LIBRARY/FILE or hf:OWNER/NAME.",
    ),
]
Name = Annotated[str | None, typer.Option(help="The model's name in the registry; left out, made of the file's.")]


def bring(
    source: Source,
    name: Name = None,
    overrides: Overrides = None,
    resume: Fresh = True,
    background: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Bring a published language model into the registry: exact, then compressed within the objective."""
    from glassworks.job_files import job_with

    table: dict[str, Any] = {"name": name or _name_of(source), "family": "language_model"}
    table["model"] = {"source": _located(source)}
    job = job_with(table, overrides or (), where="import")
    if background:
        detach("import", job_request(job, resume), as_json)
    else:
        _bring(job, resume, as_json)


def _bring(job: Job, resume: bool, as_json: bool) -> None:
    receive_interrupts()
    from glassworks import flow
    from glassworks.cli.release import show_release, summary_of
    from glassworks.registry import Registry

    progress, console = LiveProgress(), stderr() if as_json else stdout()
    try:
        made = flow.release(job, Registry.open(), progress, fresh=not resume)
    finally:
        progress.close()
    show_release(made, console)
    if as_json:
        write_json(summary_of(made))
        return
    console.print(f"next: glassworks chat {made.version.name}, glassworks serve {made.version.name}")


def _located(source: str) -> str:
    """A path as it is typed, with what kind of place it is; what has a scheme stays as it is."""
    if re.match(r"[a-z]+:", source):
        return source
    path = str(Path(source).expanduser().absolute())
    return with_scheme(path, ("gguf",)) or f"folder:{path}"


def _name_of(source: str) -> str:
    """`SmolLM2-135M-Instruct.Q4_1.gguf` is called `smollm2-135m-instruct.q4_1`."""
    last = re.split(r"[/:]", source.rstrip("/"))[-1].removesuffix(".gguf").lower()
    return re.sub(r"[^a-z0-9._-]+", "-", last).lstrip("._-")[:63] or "model"


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command("import")(bring)
