"""`glassworks up`: the whole flow from one job file, then a running service that is asked a real question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from glassworks.cli.following import Detach, detach, job_request
from glassworks.cli.interrupts import receive_interrupts
from glassworks.cli.output import AsJson, LiveProgress, stderr, stdout, write_json
from glassworks.cli.verbs.train import Fresh, JobFile, Overrides
from glassworks.errors import InputError

if TYPE_CHECKING:
    from glassworks.config import Job


def up(
    job: JobFile,
    overrides: Overrides = None,
    check: Annotated[bool, typer.Option("--check", help="On a free port: ask, answer, stop, exit 0.")] = False,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="HTTP; 0 takes any free port.")] = None,
    background: Detach = False,
    resume: Fresh = True,
    as_json: AsJson = False,
) -> None:
    """Data, train, optimize, package, serve and explain; then serve until Ctrl-C."""
    if check and background:
        raise InputError("--check does not go with --detach: nothing is asked then", "leave one of them out")
    if not background:
        receive_interrupts()  # before the libraries that reading a job loads
    from glassworks.job_files import load_job

    chosen = () if port is None else (f"serving.port={port}",)
    loaded = load_job(job, (*(overrides or ()), *chosen))
    if background:
        _queue(loaded, resume, as_json)
    else:
        _release(loaded, check, resume, as_json)


def _queue(job: Job, resume: bool, as_json: bool) -> None:
    """The release as a run. A service that is running loads what it publishes."""
    from glassworks.registry import Registry
    from glassworks.runs.presence import anybody
    from glassworks.serving.process import options_of

    detach("release", {**job_request(job, resume), "serve": True}, as_json)
    if as_json:
        return
    if anybody(Registry.open().home, "service"):
        stdout().print(f"the service that is running loads '{job.name}' once it is published")
    else:
        command = " ".join(("glassworks serve", job.name, *options_of(job.serving, changed=True)))
        stdout().print(f"no service is running; once it is published: {command}", markup=False, soft_wrap=True)


def _release(job: Job, check: bool, resume: bool, as_json: bool) -> None:
    """Here, and then the service."""
    from glassworks import flow
    from glassworks.cli.question import ask, passing_key
    from glassworks.cli.release import show_example, show_next, show_release, summary
    from glassworks.registry import Registry
    from glassworks.serving.process import require_free, start_service

    registry, progress = Registry.open(), LiveProgress()
    # A check asks itself on any free ports of this machine.
    alone = {"host": "127.0.0.1", "port": 0, "grpc_port": None, "keys": "off", "workers": 0}
    serving = job.serving.model_copy(update=alone) if check else job.serving
    require_free(serving)
    console = stderr() if as_json else stdout()
    try:
        made = flow.release(job, registry, progress, fresh=not resume)
        show_release(made, console)
        progress.start("serve")
        service = start_service(made.version.reference, serving)
    finally:
        progress.close()
    with service.kept():
        progress.finish(service.url)
        with passing_key(service, registry.home) as key:
            answered = ask(service, made, job.explanation.method, registry.home / "explanations", key)
        if as_json:
            write_json(summary(made, service, answered))
        else:
            show_example(answered, console)
            show_next(answered, made, None if check else service, console)
        if not check:
            console.print("\nThe service runs until Ctrl-C.")
            service.wait()


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command()(up)
