"""`glassworks up`: the whole flow from one job file, then a running service that is asked a real question."""

from __future__ import annotations

from typing import Annotated

import typer

from glassworks.cli.interrupts import receive_interrupts
from glassworks.cli.output import AsJson, LiveProgress, stderr, stdout, write_json
from glassworks.cli.verbs.train import Fresh, JobFile, Overrides


def up(
    job: JobFile,
    overrides: Overrides = None,
    check: Annotated[bool, typer.Option("--check", help="On a free port: ask, answer, stop, exit 0.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Leave the service running and return.")] = False,
    resume: Fresh = True,
    as_json: AsJson = False,
) -> None:
    """Data, train, optimize, package, serve and explain; then serve until Ctrl-C."""
    receive_interrupts()
    from glassworks import flow
    from glassworks.cli.question import ask, passing_key
    from glassworks.cli.release import show_example, show_next, show_release, summary
    from glassworks.cli.service import require_free, start_service
    from glassworks.job_files import load_job
    from glassworks.registry import Registry

    loaded, registry, progress = load_job(job, overrides or ()), Registry.open(), LiveProgress()
    # A check asks itself on any free ports of this machine.
    alone = {"host": "127.0.0.1", "port": 0, "grpc_port": None, "keys": "off", "workers": 0}
    serving = loaded.serving.model_copy(update=alone) if check else loaded.serving
    require_free(serving)
    console = stderr() if as_json else stdout()
    try:
        made = flow.release(loaded, registry, progress, fresh=not resume)
        show_release(made, console)
        progress.start("serve")
        log = registry.home / "logs" / f"serve-{made.version.reference}.log" if detach else None
        service = start_service(made.version.reference, serving, log)
    finally:
        progress.close()
    with service.kept(detach):
        progress.finish(service.url)
        with passing_key(service, registry.home) as key:
            answered = ask(service, made, loaded.explanation.method, registry.home / "explanations", key)
        if as_json:
            write_json(summary(made, service, answered))
        else:
            show_example(answered, console)
            show_next(answered, made, service if detach or not check else None, console)
        if not (check or detach):
            console.print("\nThe service runs until Ctrl-C.")
            service.wait()


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command()(up)
