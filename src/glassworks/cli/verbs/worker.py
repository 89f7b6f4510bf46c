"""`glassworks worker`: takes runs from the queue."""

from __future__ import annotations

import os
import signal
from typing import Annotated

import typer

from glassworks.cli.output import stderr

_NICE = 10


def worker(
    until_empty: Annotated[bool, typer.Option("--until-empty", help="End when nothing waits any more.")] = False,
    end_with_stdin: Annotated[bool, typer.Option("--end-with-stdin", hidden=True)] = False,
) -> None:
    """Take runs from the queue, one at a time, each in a process of its own, behind whatever serves on this machine.

    Several workers, on several machines with one database and one store, share the queue. Ctrl-C lets the run stop at
    its next step; another worker goes on with it.
    """
    from glassworks.cli.parent import end_with_parent
    from glassworks.registry import Registry
    from glassworks.runs.worker import STOP_S, Worker

    os.nice(_NICE)
    console = stderr()
    working = Worker(Registry.open(), lambda line: console.print(line, markup=False))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: working.stop())
    if end_with_stdin:
        end_with_parent(STOP_S)
    working.work(until_empty=until_empty)


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command()(worker)
