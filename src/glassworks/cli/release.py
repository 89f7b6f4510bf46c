"""A release as `up` prints it: its stages, an example with its explanation, and what to try next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glassworks.catalog import get
from glassworks.cli.classes import classes_json
from glassworks.cli.output import metrics_json, stderr, table
from glassworks.cli.tables import (
    data_json,
    found_nothing,
    report_json,
    show_comparison,
    show_data,
    show_grade,
    show_report,
    show_shaded,
    show_test,
    show_training,
    show_warnings,
    warnings_of,
)
from glassworks.contracts import Generation, Task

if TYPE_CHECKING:
    from rich.console import Console

    from glassworks.cli.question import Answered, Why
    from glassworks.flow import Release
    from glassworks.serving.process import Service


def show_release(made: Release, console: Console) -> None:
    """Stage by stage."""
    show_data(made.dataset, console)
    show_training(made.model, console)
    show_comparison(made, console)
    if made.report:
        show_report(made.report, console)
    manifest = made.bundle.manifest
    show_test(manifest, f"package: {made.version.reference}", console)
    rows = [(name.replace("_", " "), f"{value:.4f}", "") for name, value in manifest.fidelity.items()]
    title = "explanations, measured" if manifest.explainers else "answers, measured"
    table(title, ("float against served", "value", ""), rows, console)
    show_warnings(warnings_of(made), stderr())


def show_example(answered: Answered, console: Console) -> None:
    """What the service answered to a test example, and why."""
    from rich.markup import escape

    because = ", because of" if answered.why and not found_nothing(answered.why.parameters) else ""
    of = f" of '{answered.truth}'" if answered.truth else ""
    console.print(f"\n[bold]The service was sent a test example{escape(of)}.[/bold]")
    console.print(f"It answers [bold]{escape(answered.said)}[/bold]{because}")
    if answered.why:
        _show_why(answered.why, console)
    else:
        console.print(f"  - not explained: {answered.unexplained}", markup=False)


def show_next(answered: Answered, made: Release, service: Service | None, console: Console) -> None:
    """Commands to try next; without a running `service`, how to start one."""
    name, reference = made.version.name, made.version.reference
    lines = [f"glassworks serve {reference}"]
    if service:
        lines = [
            f"curl -s {service.url}/v2/models/{name}",
            f"curl -s {service.url}/v2/models/{name}/infer -d @{answered.request}",
            f"open {service.url} in a browser: the console, to try it, see why, and everything else",
        ]
    if isinstance(get(Task, made.bundle.manifest.task), Generation):
        lines += _talking(name, service)
    if answered.why:
        used = answered.why.parameters["method"]
        others = [each for each in made.bundle.manifest.explainers if each != used]
        method = f" --method {others[0]}" if others else ""
        lines.append(f"glassworks explain {reference} {answered.input}{method} -o why{answered.why.drawn.suffix}")
    console.print("\n[bold]Next[/bold]")
    for line in lines:
        console.print(f"  {line}", soft_wrap=True, markup=False)


def _talking(name: str, service: Service | None) -> list[str]:
    """How to talk with a language model."""
    asked = f'{{"model": "{name}", "messages": [{{"role": "user", "content": "Hello"}}]}}'
    return [
        f"glassworks chat {name}",
        *([f"curl -s {service.url}/v1/chat/completions -d '{asked}'"] if service else []),
    ]


def _show_why(why: Why, console: Console) -> None:
    show_shaded(why.rows, console)
    console.print(
        f"  red speaks for '{why.label}', blue against it ({why.parameters['method']})", markup=False, soft_wrap=True
    )
    show_grade(why.parameters, console)
    console.print(f"  - drawn: {why.drawn}", markup=False)


def summary(made: Release, service: Service, answered: Answered) -> dict[str, Any]:
    """One key a stage."""
    return {
        **summary_of(made),
        "explain": {**why.parameters, "drawn": str(why.drawn)} if (why := answered.why) else None,
        "serve": {"url": service.url, "grpc": service.grpc, "pid": service.pid},
    }


def summary_of(made: Release) -> dict[str, Any]:
    """The same of the stages before serving."""
    model, manifest = made.model, made.bundle.manifest
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
            "classes": classes_json(manifest.classes),
            "baseline": metrics_json(manifest.baseline),
            "comparison": {name: metrics_json(found) for name, found in manifest.comparison.items()},
            "warnings": list(warnings_of(made)),
            "fidelity": dict(manifest.fidelity),
        },
    }
