"""`glassworks up`: the whole flow from one job file, then a running service that is asked a real question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassworks.cli.interrupts import receive_interrupts
from glassworks.cli.output import AsJson, LiveProgress, metrics_json, stderr, stdout, write_json
from glassworks.cli.verbs.train import Fresh, JobFile, Overrides

if TYPE_CHECKING:
    from rich.console import Console

    from glassworks.cli.question import Answered, Why
    from glassworks.cli.service import Service
    from glassworks.flow import Release


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
    from glassworks.cli.service import require_free, start_service
    from glassworks.config import load_job
    from glassworks.registry import Registry

    loaded, registry, progress = load_job(job, overrides or ()), Registry.open(), LiveProgress()
    # A check asks itself on any free ports of this machine.
    alone = {"host": "127.0.0.1", "port": 0, "grpc_port": None, "keys": "off"}
    serving = loaded.serving.model_copy(update=alone) if check else loaded.serving
    require_free(serving)
    console = stderr() if as_json else stdout()
    try:
        made = flow.release(loaded, registry, progress, fresh=not resume)
        _show(made, console)
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
            write_json(_summary(made, service, answered))
        else:
            _show_answer(answered, console)
            _show_next(answered, made, service if detach or not check else None, console)
        if not (check or detach):
            console.print("\nThe service runs until Ctrl-C.")
            service.wait()


def _show(made: Release, console: Console) -> None:
    from glassworks.cli.output import table
    from glassworks.cli.tables import (
        show_comparison,
        show_data,
        show_report,
        show_test,
        show_training,
        show_warnings,
    )

    show_data(made.dataset, console)
    show_training(made.model, console)
    show_comparison(made.model, console)
    if made.report:
        show_report(made.report, console)
    manifest = made.bundle.manifest
    show_test(manifest, f"package: {made.version.reference}", console)
    rows = [(name.replace("_", " "), f"{value:.4f}", "") for name, value in manifest.fidelity.items()]
    table("explanations, measured", ("float against served", "value", ""), rows, console)
    show_warnings(manifest, stderr())


def _show_answer(answered: Answered, console: Console) -> None:
    from rich.markup import escape

    from glassworks.cli.tables import found_nothing

    because = ", because of" if answered.why and not found_nothing(answered.why.parameters) else ""
    of = f" of '{answered.truth}'" if answered.truth else ""
    console.print(f"\n[bold]The service was sent a test example{escape(of)}.[/bold]")
    console.print(f"It answers [bold]{escape(answered.said)}[/bold]{because}")
    if answered.why:
        _show_why(answered.why, console)
    else:
        console.print(f"  - not explained: {answered.unexplained}", markup=False)


def _show_next(answered: Answered, made: Release, service: Service | None, console: Console) -> None:
    """What to type now; without `service`, which has been stopped or will be, how to start one."""
    name, reference = made.version.name, made.version.reference
    lines = [f"glassworks serve {reference}"]
    if service:
        lines = [
            f"curl -s {service.url}/v2/models/{name}",
            f"curl -s {service.url}/v2/models/{name}/infer -d @{answered.request}",
            f"open {service.url}/docs in a browser: the API, and a form to try it",
        ]
    if answered.why:
        used = answered.why.parameters["method"]
        others = [each for each in made.bundle.manifest.explainers if each != used]
        method = f" --method {others[0]}" if others else ""
        lines.append(f"glassworks explain {reference} {answered.input}{method} -o why{answered.why.drawn.suffix}")
    if service and service.log:
        lines += [f"kill {service.pid}   # ends the service", f"cat {service.log}   # what it says"]
    console.print("\n[bold]Next[/bold]")
    for line in lines:
        console.print(f"  {line}", soft_wrap=True, markup=False)


def _show_why(why: Why, console: Console) -> None:
    from glassworks.cli.tables import show_grade, show_shaded

    show_shaded(why.rows, console)
    console.print(
        f"  red speaks for '{why.label}', blue against it ({why.parameters['method']})", markup=False, soft_wrap=True
    )
    show_grade(why.parameters, console)
    console.print(f"  - drawn: {why.drawn}", markup=False)


def _summary(made: Release, service: Service, answered: Answered) -> dict[str, Any]:
    """One key a stage."""
    from glassworks.cli.tables import data_json, report_json

    model, manifest = made.model, made.bundle.manifest
    log = {"log": str(service.log)} if service.log else {}
    return {
        "data": data_json(made.dataset),
        "train": {
            "run": model.run,
            "seconds": model.seconds,
            "weights_sha256": manifest.lineage.weights_sha256,
            "refitted": manifest.refitted,
            "metrics": metrics_json(model.metrics),
            "resumed": model.resumed,
        },
        "optimize": report_json(made.report) if made.report else None,
        "package": {
            "model": made.version.reference,
            "bundle_sha256": made.version.bundle_sha256,
            "metrics": metrics_json(manifest.metrics),
            "baseline": metrics_json(manifest.baseline),
            "warnings": list(manifest.warnings),
            "fidelity": dict(manifest.fidelity),
        },
        "explain": {**why.parameters, "drawn": str(why.drawn)} if (why := answered.why) else None,
        "serve": {"url": service.url, "grpc": service.grpc, "pid": service.pid, **log},
    }


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command()(up)
