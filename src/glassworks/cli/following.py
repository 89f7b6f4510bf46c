"""Runs on the terminal: queued in the background, followed, and left without ending them."""

from __future__ import annotations

import getpass
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassworks.catalog import found
from glassworks.cli.output import LiveProgress, stderr, stdout, write_json
from glassworks.contracts import Source
from glassworks.errors import Cancelled
from glassworks.locations import absolute

if TYPE_CHECKING:
    from glassworks.config import Job
    from glassworks.runs import Event, Run, Runs

Detach = Annotated[bool, typer.Option("--detach", help="Queue it as a run and return; 'glassworks runs' shows it.")]
_LOOK_S = 0.3
_PATIENCE_S = 3.0


def opened() -> Runs:
    """The runs of this machine's registry."""
    from glassworks.registry import Registry
    from glassworks.runs import Runs

    return Runs(Registry.open())


def detach(kind: str, request: Mapping[str, Any], as_json: bool) -> None:
    """Queue a run and say how to follow it; a worker is started unless one lives."""
    runs = opened()
    run = runs.submit(kind, request, who=user())
    started = not runs.workers()
    if started:
        _start_worker()
    if as_json:
        write_json({"run": run.model_dump(mode="json")})
        return
    console = stdout()
    console.print(f"run {run.id} is queued: {run.kind} of {run.about}", markup=False)
    if started:
        console.print("no worker was there: one was started, which ends when nothing waits any more")
    console.print(f"next: glassworks runs follow {run.id}")


def job_request(job: Job, resume: bool) -> Mapping[str, Any]:
    """What a run of a job has to know."""
    return {"job": job.model_dump(mode="json"), "fresh": not resume}


def located(source: str | None) -> str | None:
    """A source whose relative path counts from here: a worker may be elsewhere."""
    return (
        None
        if source is None
        else absolute(source, Path(), {name: each.naming for name, each in found(Source).items()})
    )


def referred(model: str) -> str:
    """The same of a reference that is a bundle's path."""
    path = Path(model).expanduser()
    return str(path.absolute()) if "/" in model or path.suffix == ".glass" else model


def user() -> str:
    """Who asks, as the system calls them."""
    try:
        return getpass.getuser()[:100]
    except (KeyError, OSError):
        return ""


def follow(runs: Runs, run: Run) -> Run:
    """Show what a run does until it ends. Ctrl-C leaves it running, and the program."""
    shown = LiveProgress()
    number, begun, warned, stage_at = 0, time.monotonic(), False, run.created_at
    try:
        while True:
            run = runs.get(run.id)
            while events := runs.events(run.id, number):
                for event in events:
                    _show(event, shown, stage_at)
                    stage_at = event.at if event.kind == "stage" else stage_at
                number = events[-1].number
            if run.state in ("succeeded", "failed", "cancelled"):
                return run
            if not warned and run.state != "running" and time.monotonic() - begun > _PATIENCE_S:
                warned = True
                _say_who_works(runs)
            time.sleep(_LOOK_S)
    except (KeyboardInterrupt, Cancelled):
        shown.close()
        stderr().print(f"run {run.id} goes on; to come back: glassworks runs follow {run.id}")
        stderr().print(f"to end it: glassworks runs cancel {run.id}")
        raise typer.Exit(0) from None
    finally:
        shown.close()


def _say_who_works(runs: Runs) -> None:
    there = runs.workers()
    why = f"{there} at work on others" if there else "none is there: start one with 'glassworks worker'"
    stderr().print(f"it waits for a worker; {why}", markup=False)


def _show(event: Event, shown: LiveProgress, stage_at: float) -> None:
    data = event.data
    match event.kind:
        case "stage":
            shown.start(data["stage"], data.get("total"))
        case "values":
            shown.update(**{name: value for name, value in data.items() if name != "stage"})
        case "done":
            shown.ended(data["message"], event.at - stage_at)
        case "state" if data.get("because"):
            stderr().print(f"{data['state']}: {data['because']}", markup=False)


def _start_worker() -> None:
    """In a session of its own: it outlives this command and its terminal."""
    subprocess.Popen(
        [sys.executable, "-m", "glassworks", "worker", "--until-empty"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
