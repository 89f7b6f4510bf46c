"""`glassworks serve`: answer over HTTP and gRPC until stopped."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from glassworks.cli.output import AsJson, stderr, write_json

if TYPE_CHECKING:
    from glassworks.serving.launch import Running

Models = Annotated[
    list[str] | None,
    typer.Argument(metavar="[MODEL ...]", help="NAME, NAME@VERSION, NAME@ALIAS, or paths of bundles; all without."),
]
Traffic = Annotated[
    list[str] | None,
    typer.Option(help="Split the requests: NAME:champion=90,candidate=10,shadow=candidate. May be repeated."),
]
AllowedHosts = Annotated[
    list[str] | None,
    typer.Option(
        "--allowed-host", "--allowed-hosts", help="A name that it is known by, as behind a proxy. Not needed with keys."
    ),
]

AllowOrigin = Annotated[
    list[str] | None,
    typer.Option(help="A site whose pages may ask: https://app.example.com; * for all. May be repeated."),
]


def serve(
    models: Models = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="HTTP; 0 takes any free port.")] = 8080,
    grpc_port: Annotated[int | None, typer.Option(min=0, max=65_535, help="Without it, the port after --port.")] = None,
    grpc: Annotated[bool, typer.Option("--grpc/--no-grpc", help="Serve gRPC too.")] = True,
    watch: Annotated[bool, typer.Option("--watch", help="Follow new versions and aliases of the registry.")] = False,
    traffic: Traffic = None,
    keys: Annotated[str, typer.Option(help="auto (needed unless on loopback), on or off.")] = "auto",
    allowed_hosts: AllowedHosts = None,
    allow_origin: AllowOrigin = None,
    tls_certificate: Annotated[str, typer.Option(help="Certificate chain, a PEM file: speak HTTPS.")] = "",
    tls_key: Annotated[str, typer.Option(help="Its key, a PEM file.")] = "",
    access_log: Annotated[str, typer.Option(help="File for a JSON line a request; - is stderr.")] = "",
    traces: Annotated[str, typer.Option(help="URL of an OpenTelemetry collector (OTLP over HTTP).")] = "",
    engine: Annotated[str, typer.Option(help="thread, or process (one for each model).")] = "thread",
    explain_in: Annotated[str, typer.Option(help="thread, or process (for a server at full load).")] = "thread",
    max_batch: Annotated[int, typer.Option(min=1, help="Rows computed together.")] = 32,
    max_queue: Annotated[int, typer.Option(min=1, help="Rows that may wait; beyond it callers get 503.")] = 1024,
    max_body_bytes: Annotated[int, typer.Option(min=1024, help="Largest request body.")] = 64 * 2**20,
    max_elements: Annotated[int, typer.Option(min=1, help="Elements of one tensor.")] = 2**28,
    max_dimensions: Annotated[int, typer.Option(min=1, max=64, help="Dimensions of one tensor.")] = 32,
    max_headers: Annotated[int, typer.Option(min=1, help="Headers of one request.")] = 100,
    receive_s: Annotated[float, typer.Option(help="Seconds in which a request must have arrived.")] = 30.0,
    unread_s: Annotated[float, typer.Option(help="Seconds that a streamed answer may go unread.")] = 30.0,
    idle_s: Annotated[float, typer.Option(help="Seconds until an unused connection is closed.")] = 75.0,
    drain_s: Annotated[float, typer.Option(help="Seconds that what is in flight may take at the end.")] = 10.0,
    workers: Annotated[int, typer.Option(min=0, max=64, help="Processes beside it that take runs; 0 is none.")] = 1,
    end_with_stdin: Annotated[bool, typer.Option("--end-with-stdin", hidden=True)] = False,
    as_json: AsJson = False,
) -> None:
    """Serve models over HTTP and gRPC: predictions and explanations. SIGTERM and Ctrl-C end it gracefully."""
    given = {name: value for name, value in locals().items() if name not in ("models", "end_with_stdin", "as_json")}
    from glassworks.cli.interrupts import release_interrupts
    from glassworks.cli.parent import end_with_parent
    from glassworks.config import ServingConfig, validate
    from glassworks.console.pages import ConsolePages
    from glassworks.control.endpoint import further_protocols
    from glassworks.registry import Registry
    from glassworks.serving import launch

    release_interrupts()
    lists = {"traffic": tuple(traffic or ()), "allowed_hosts": tuple(allowed_hosts or ())}
    lists["allow_origin"] = tuple(allow_origin or ())
    config = validate(ServingConfig, {**given, **lists}, where="glassworks serve")
    if end_with_stdin:
        end_with_parent(config.drain_s)

    def ready(running: Running) -> None:
        if as_json:
            write_json({**vars(running), "pid": os.getpid()})
            return
        rpc = f", gRPC on {running.grpc}" if running.grpc else ""
        guard = "; callers need keys: glassworks keys create NAME" if running.keys else ""
        names = ", ".join(running.models) or "no model yet"
        browser = "open it in a browser for the console"
        stderr().print(f"serving {names} on {running.url}{rpc}; {browser}; Ctrl-C ends it{guard}")

    launch.serve(config, Registry.open(), models or (), ready, [*further_protocols(), ConsolePages])


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command()(serve)
