"""`glassworks worker`: takes runs from the queue."""

from __future__ import annotations

import os
import signal
from typing import Annotated

import typer

from glassworks.cli.output import stderr

_NICE = 10
_SCORE = 300
"""Of a worker: where memory runs out, it ends before a service, and after its run."""


def worker(
    until_empty: Annotated[bool, typer.Option("--until-empty", help="End when nothing waits any more.")] = False,
    end_with_stdin: Annotated[bool, typer.Option("--end-with-stdin", hidden=True)] = False,
    beside_service: Annotated[bool, typer.Option("--beside-service", hidden=True)] = False,
    stop_s: Annotated[float, typer.Option(hidden=True)] = 30.0,
) -> None:
    """Take runs from the queue, one at a time, each in a process of its own, behind whatever serves on this machine.

    Several workers, on several machines with one database and one store, share the queue. Ctrl-C lets the run stop at
    its next step; another worker goes on with it.
    """
    from glassworks.cli.parent import end_with_parent
    from glassworks.machine import give_way_in_memory, leave_a_processor
    from glassworks.registry import Registry
    from glassworks.runs.worker import Worker

    os.nice(_NICE)
    give_way_in_memory(_SCORE)
    if beside_service:
        leave_a_processor()
    console = stderr()
    working = Worker(Registry.open(), lambda line: console.print(line, markup=False), stop_s)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: working.stop())
    if end_with_stdin:
        end_with_parent(stop_s)
    working.work(until_empty=until_empty)


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command()(worker)
