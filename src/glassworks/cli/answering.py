"""Answers and explanations for a whole data source, here or as a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from glassworks.cli.following import detach, located, referred
from glassworks.cli.interrupts import receive_interrupts
from glassworks.cli.output import LiveProgress, stdout, write_json
from glassworks.errors import InputError

Data = Annotated[
    str | None,
    typer.Option(
        help="Instead of INPUT, all of a source, such as folder:PATH or csv:PATH; it needs no labels. A line of JSON "
        "for each goes to -o."
    ),
]


def require_one(value: str | None, data: str | None, background: bool, left_out: Mapping[str, object]) -> None:
    """Raise InputError unless either an input or a source is given, and nothing that does not go with a source."""
    if (value is None) == (data is None):
        raise InputError("give one input, or a source of them", "MODEL INPUT, or MODEL --data SOURCE")
    if data is None and background:
        raise InputError("--detach is for sources of data", "leave it out, or give --data SOURCE")
    for option, given in left_out.items():
        if data is not None and given:
            raise InputError(f"{option} does not go with --data", "leave it out, or give one INPUT")


def answer_all(kind: str, model: str, data: str, output: Path | None, background: bool, **more: Any) -> None:
    """As a run in the background, else here. `as_json` is among `more`, None to print nothing; the rest are keys of the
    request."""
    as_json = more.pop("as_json")
    path = "" if output is None else str(output.expanduser().absolute())
    request = {"model": referred(model), "data": located(data), "output": path, **more}
    if background:
        detach(kind, request, bool(as_json))
        return
    receive_interrupts()
    from glassworks.catalog import get
    from glassworks.config import validate
    from glassworks.contracts import Work

    work, progress = get(Work, kind), LiveProgress()
    settled = work.settled(validate(work.request, request, where=kind))
    try:
        result = work.run(settled, progress)
    finally:
        progress.close()
    if as_json:
        write_json(result)
    elif as_json is not None:
        stdout().print(f"written: {result['file']}", markup=False, soft_wrap=True)
