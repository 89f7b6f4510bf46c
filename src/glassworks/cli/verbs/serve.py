"""`glassworks serve`: answer over HTTP until told to stop."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from glassworks.cli.output import AsJson, stderr, write_json


def serve(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL ...", help="NAME, NAME@VERSION, NAME@ALIAS, or paths of bundles.")
    ],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes any free port.")] = 8080,
    max_batch: Annotated[int, typer.Option(min=1, help="Rows computed together.")] = 32,
    max_queue: Annotated[int, typer.Option(min=1, help="Rows that may wait; beyond it callers get 503.")] = 1024,
    max_body_bytes: Annotated[int, typer.Option(min=1024, help="Largest request body.")] = 64 * 2**20,
    as_json: AsJson = False,
) -> None:
    """Serve models over HTTP: predictions and explanations. SIGTERM and Ctrl-C end it gracefully."""
    from glassworks.cli.interrupts import release_interrupts
    from glassworks.registry import Registry
    from glassworks.serving.engine import Engine
    from glassworks.serving.server import serve as run

    release_interrupts()
    registry, engine = Registry.open(), Engine(max_batch, max_queue)
    for reference in models:
        resolved = registry.resolve(reference)
        engine.load(resolved.bundle, resolved.name, str(resolved.version or 1))

    def ready(url: str) -> None:
        if as_json:
            write_json({"url": url, "grpc": None, "pid": os.getpid(), "models": list(engine.names())})
        else:
            stderr().print(f"serving {', '.join(engine.names())} on {url} (API page: {url}/docs); Ctrl-C ends it")

    run(engine, host=host, port=port, max_body_bytes=max_body_bytes, ready=ready)


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command()(serve)
