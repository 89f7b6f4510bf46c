"""`glassworks data list` and `data check`: what there is to learn from, and what is wrong with it."""

from __future__ import annotations

from typing import Annotated

import typer

from glassworks.cli.output import AsJson, stdout, table, write_json

group = typer.Typer(
    help="Sources of data: list the samples, check a source.", no_args_is_help=True, rich_markup_mode=None
)


@group.command("list")
def list_samples(as_json: AsJson = False) -> None:
    """List the samples that ship in packages, and the kinds of sources."""
    from glassworks.data.sources import samples, schemes

    if as_json:
        write_json({"samples": dict(samples()), "schemes": dict(schemes())})
        return
    table("samples", ("source", "what it is"), [(f"sample:{k}", v) for k, v in samples().items()], stdout())
    table("kinds of sources", ("source", "what it is"), [(f"{k}:...", v) for k, v in schemes().items()], stdout())


@group.command("check")
def check(
    source: Annotated[str, typer.Argument(help="Such as sample:mnist-5k, folder:PATH or npz:PATH.")],
    as_json: AsJson = False,
) -> None:
    """Report duplicates, contradictory labels, imbalance, unreadable files, tiny classes and sizes."""
    from glassworks.data.checks import check_pictures
    from glassworks.data.sources import read_source

    report = check_pictures(read_source(source))
    if as_json:
        write_json(report.model_dump(mode="json"))
        return
    console = stdout()
    table(source, ("class", "examples"), [(k, f"{v:,}") for k, v in report.class_counts.items()], console)
    console.print(f"{report.examples:,} examples, {report.distinct:,} distinct")
    for finding in report.findings:
        console.print(f"  - {finding}")


def register(program: typer.Typer) -> None:
    """Add the group."""
    program.add_typer(group, name="data")
