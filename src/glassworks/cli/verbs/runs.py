"""`glassworks runs list`, `show`, `follow`, `cancel`, `finish`, `resume`: work that is queued, under way or done."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from glassworks.catalog import named
from glassworks.cli.following import follow as followed, opened, provide_worker, show_queued
from glassworks.cli.output import AsJson, stdout, table, write_json
from glassworks.contracts import Work

if TYPE_CHECKING:
    from rich.console import Console

    from glassworks.runs import Run

group = typer.Typer(help="Runs: work that is queued, under way or done.", no_args_is_help=True, rich_markup_mode=None)
RunId = Annotated[str, typer.Argument(metavar="RUN", help="Its id, or the beginning of it.")]
_FAILED = 1


@group.command("list")
def list_runs(
    state: Annotated[str | None, typer.Option(help="Only these, such as running or queued,failed.")] = None,
    kind: Annotated[str, typer.Option(help="Only this kind, such as train.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many, the newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List runs, the newest first."""
    if kind:
        named(Work, kind)
    from glassworks.runs.records import states

    runs = opened().list(states(state or ""), kind, limit=limit)
    if as_json:
        write_json({"runs": [run.model_dump(mode="json") for run in runs]})
        return
    if not runs:
        chosen = state or kind
        stdout().print("no such runs" if chosen else "no runs yet; next: glassworks train JOB.toml --detach")
        return
    rows = [(run.id, run.kind, run.about, run.state, _where(run), _time(run.created_at)[5:16], run.who) for run in runs]
    table("runs", ("id", "kind", "of", "state", "at", "asked for (UTC)", "by"), rows, stdout())
    if len(runs) == limit:
        stdout().print(f"the newest {limit}; more: --limit")


@group.command("show")
def show(
    run: RunId,
    log: Annotated[bool, typer.Option("--log", help="All that it wrote, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one run: what was asked for, where it is, what it made or why it failed."""
    runs = opened()
    found = runs.get(run)
    lines = runs.log(found.id) if log else ()
    if as_json:
        write_json({"run": found.model_dump(mode="json"), **({"log": list(lines)} if log else {})})
        return
    _show(found, stdout())
    for line in lines:
        stdout().print(line, markup=False, soft_wrap=True)


@group.command("follow")
def follow(run: RunId, as_json: AsJson = False) -> None:
    """Show what a run does until it ends. Ctrl-C leaves it running."""
    runs = opened()
    ended = followed(runs, runs.get(run))
    if as_json:
        write_json({"run": ended.model_dump(mode="json")})
    else:
        _show(ended, stdout())
    if ended.state != "succeeded":
        raise typer.Exit(_FAILED)


@group.command("cancel")
def cancel(run: RunId, as_json: AsJson = False) -> None:
    """End a run: at once where it waits, else at its next step. What it has trained is kept."""
    ended = opened().cancel(run)
    if as_json:
        write_json({"run": ended.model_dump(mode="json")})
        return
    how = "ends at its next step" if ended.cancelling else f"is {ended.state}"
    stdout().print(f"run {ended.id} {how}; to go on with it: glassworks runs resume {ended.id}")


@group.command("finish")
def finish(run: RunId, as_json: AsJson = False) -> None:
    """Good enough: end the training of a run at its next step, and go on with what it has learned."""
    asked = opened().finish(run)
    if as_json:
        write_json({"run": asked.model_dump(mode="json")})
        return
    stdout().print(f"run {asked.id} ends its training at the next step; next: glassworks runs follow {asked.id}")


@group.command("resume")
def resume(run: RunId, as_json: AsJson = False) -> None:
    """Queue a run again that failed or was cancelled; it goes on where it stopped."""
    queued = opened().resume(run)
    show_queued(queued, started=provide_worker(), as_json=as_json)


def register(program: typer.Typer) -> None:
    """Add the group."""
    program.add_typer(group, name="runs")


def _show(run: Run, console: Console) -> None:
    console.print(f"run {run.id}: {run.kind} of {run.about}: {run.state}", markup=False)
    by = f" by {run.who}" if run.who else ""
    console.print(f"  asked for {_time(run.created_at)} UTC{by}", markup=False)
    if run.started_at is not None:
        last = datetime.now(UTC).timestamp() if run.ended_at is None else run.ended_at
        again = f", begun {run.attempts} times" if run.attempts > 1 else ""
        where = f", at {_where(run)}" if _where(run) else ""
        console.print(f"  {last - run.started_at:.1f} s{again}{where}", markup=False)
    for name, value in run.result.items():
        if isinstance(value, str | int | float):
            console.print(f"  {name}: {value}", markup=False, soft_wrap=True)
    if run.error:
        console.print(f"  error: {run.error.problem}\n  mend: {run.error.mend}", markup=False, soft_wrap=True)
    if run.state in ("failed", "cancelled"):
        console.print(f"  to go on with it: glassworks runs resume {run.id}")


def _where(run: Run) -> str:
    if run.state == "succeeded":
        return ""
    return f"{run.stage} {run.step / run.total:.0%}" if run.total and run.state == "running" else run.stage


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
