"""Runs on the terminal: queued in the background, followed, and left without ending them."""

from __future__ import annotations

import getpass
import os
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
from glassworks.errors import Cancelled, ServingError
from glassworks.locations import absolute
from glassworks.machine import modules_path
from glassworks.storage import storage_errors

if TYPE_CHECKING:
    from glassworks.config import Job
    from glassworks.runs import Event, Run, Runs

Detach = Annotated[bool, typer.Option("--detach", help="Queue it as a run and return; 'glassworks runs' shows it.")]
_LOOK_S = 0.3
_PATIENCE_S, _START_S = 3.0, 0.05


def opened() -> Runs:
    """The runs of this machine's registry."""
    from glassworks.registry import Registry
    from glassworks.runs import Runs

    return Runs(Registry.open())


def detach(kind: str, request: Mapping[str, Any], as_json: bool) -> None:
    """Queue a run and say how to follow it; a worker is started unless one is here."""
    runs = opened()
    run = runs.submit(kind, request, who=user())
    show_queued(run, started=provide_worker(), as_json=as_json)


def show_queued(run: Run, *, started: bool, as_json: bool) -> None:
    """That it waits, and how to follow it."""
    if as_json:
        write_json({"run": run.model_dump(mode="json")})
        return
    stdout().print(f"run {run.id} is queued: {run.kind} of {run.about}", markup=False, soft_wrap=True)
    if started:
        stdout().print("no worker was here: one was started, which ends when nothing waits any more")
    stdout().print(f"next: glassworks runs follow {run.id}")


def provide_worker() -> bool:
    """Start a worker in the background unless one of this machine takes runs; whether one was started. It outlives this
    command and its terminal, and says what it does in `worker.log`. Raises ServingError where it ends at once.
    """
    from glassworks.registry import Registry
    from glassworks.runs.presence import anybody

    home = Registry.open().home
    if anybody(home):
        return False
    log = home / "worker.log"
    with storage_errors(log), log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "glassworks", "worker", "--until-empty"],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            cwd=home,
            env={**os.environ, "PYTHONPATH": modules_path(), "GLASSWORKS_HOME": str(home)},
            start_new_session=True,
        )
    while process.poll() is None and not anybody(home):
        time.sleep(_START_S)
    if process.poll():
        said_last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
        raise ServingError(
            f"the worker ended at once: {''.join(said_last)[:200]}", f"see {log}, then: glassworks worker"
        )
    return True


def job_request(job: Job, resume: bool) -> Mapping[str, Any]:
    """What a run of a job has to know."""
    return {"job": job.model_dump(mode="json"), "fresh": not resume}


def located(source: str | None) -> str | None:
    """A source whose relative path counts from here: a worker may be elsewhere."""
    if source is None:
        return None
    return absolute(source, Path(), {name: each.naming for name, each in found(Source).items()})


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
                _say_who_works()
            time.sleep(_LOOK_S)
    except (KeyboardInterrupt, Cancelled):
        shown.close()
        stderr().print(f"run {run.id} goes on; to come back: glassworks runs follow {run.id}")
        stderr().print(f"to end it: glassworks runs cancel {run.id}")
        raise typer.Exit(0) from None
    finally:
        shown.close()


def _say_who_works() -> None:
    from glassworks.registry import Registry
    from glassworks.runs.presence import anybody

    here = anybody(Registry.open().home)
    why = "those of this machine are at others" if here else "none is here: start one with 'glassworks worker'"
    stderr().print(f"it waits for a worker; {why}")


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
