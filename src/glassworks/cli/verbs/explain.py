"""`glassworks explain`: why a model answered as it did, and how far that can be trusted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glassworks.cli.output import AsJson, Reference, read_input, stdout, write_json, write_output
from glassworks.cli.verbs.predict import InputFile

if TYPE_CHECKING:
    from glassworks.registry import Registry


def explain(
    model: Reference,
    value: InputFile,
    method: Annotated[str | None, typer.Option(help="One of the model's methods; see 'glassworks show MODEL'.")] = None,
    target: Annotated[
        str | None, typer.Option(help="The label or number of the class; the predicted one if left out.")
    ] = None,
    baseline: Annotated[float | None, typer.Option(help="What counts as 'nothing there'; 0 is black.")] = None,
    budget: Annotated[str | None, typer.Option(help="Longest time to spend, such as 50ms.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the heat map as a PNG.")] = None,
    as_json: AsJson = False,
) -> None:
    """Explain the answer for one input file, in this process."""
    from glassworks import flow
    from glassworks.cli.tables import explanation_json, show_blocks, show_grade
    from glassworks.config import parse_duration
    from glassworks.contracts import Budget
    from glassworks.errors import InputError
    from glassworks.explanation.render import heat_map_png, shaded_blocks
    from glassworks.registry import Registry

    registry = Registry.open()
    try:
        limit = Budget(milliseconds=1e3 * parse_duration(budget) if budget else None)
    except ValueError as error:
        raise InputError(f"--budget is '{budget}': {error}", "write for example --budget 50ms") from None
    explanation, picture = flow.explain(
        model,
        read_input(value),
        registry,
        method=method,
        target=_class(model, target, registry),
        baseline=baseline,
        budget=limit,
        seed=seed,
    )
    record = explanation_json(explanation)
    values = explanation.attribution.values
    if output:
        caption = f"{explanation.label} ({explanation.method})"
        write_output(output, heat_map_png(picture, values, caption))  # type: ignore[arg-type]
    if as_json:
        write_json({"model": model, **record})
        return
    console = stdout()
    console.print(
        f"[bold]{model}: {explanation.label}[/bold], because of (red for, blue against; {explanation.method}):"
    )
    show_blocks(shaded_blocks(values), console)
    show_grade({**record, **record["quality"]}, console)
    if output:
        console.print(f"  - heat map: {output}")


def _class(model: str, target: str | None, registry: Registry) -> int | None:
    """A label, or else a number, as the number of the class. Raises InputError."""
    from glassworks.errors import InputError

    if target is None:
        return None
    labels = registry.resolve(model).bundle.manifest.labels
    if target in labels:
        return labels.index(target)
    if target.isdecimal():
        return int(target)
    raise InputError(
        f"there is no class '{target}'", f"classes: {', '.join(labels[:20])}{' ...' if len(labels) > 20 else ''}"
    )


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command()(explain)
