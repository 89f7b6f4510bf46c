"""`glassworks inspect`: structure and parameters of a model, layer by layer."""

from __future__ import annotations

from typing import Annotated

import typer

from glassworks.cli.output import AsJson, Reference, stdout, table, write_json


def inspect(
    model: Reference,
    role: Annotated[str, typer.Option(help="Which graph: predict, reference, gradient or cam.")] = "predict",
    as_json: AsJson = False,
) -> None:
    """Show the layers of the graph that is served, with their parameters."""
    from glassworks.explanation.inspect import inspect_artifact
    from glassworks.registry import Registry

    bundle = Registry.open().resolve(model).bundle
    layers = inspect_artifact(bundle.artifact(role))
    parameters, size = sum(layer.parameters for layer in layers), sum(layer.size_bytes for layer in layers)
    if as_json:
        rows = [layer.model_dump(mode="json") for layer in layers]
        write_json({"model": model, "role": role, "layers": rows, "parameters": parameters, "size_bytes": size})
        return
    lines = (
        (
            layer.operator,
            " x ".join(map(str, layer.shape)),
            f"{layer.parameters:,}" if layer.parameters else "",
            f"{layer.size_bytes / 1000:.1f} kB" if layer.size_bytes else "",
        )
        for layer in layers
    )
    table(f"{model} ({role})", ("operator", "output", "parameters", "size"), lines, stdout())
    stdout().print(f"{parameters:,} parameters, {size / 1000:.1f} kB")


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command()(inspect)
