"""`glassworks predict`: the answer of a model for an input file, a folder, a video or a camera."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassworks.cli.answering import Data, answer_all, require_one
from glassworks.cli.following import Detach
from glassworks.cli.output import AsJson, LiveProgress, Reference, stdout, write_json

if TYPE_CHECKING:
    from glassworks.cli.pictures import PredictOptions
    from glassworks.contracts import Task
    from glassworks.packaging.opened import OpenedBundle

InputFile = Annotated[
    str | None,
    typer.Argument(
        metavar="INPUT",
        help="A file as the model takes it, such as a picture; a text may be given itself, behind -- where it begins "
        "with -; - for stdin.",
    ),
]
_PictureInput = Annotated[
    str | None,
    typer.Argument(
        metavar="INPUT",
        help="A file as the model takes it; a text itself ('' is the empty one; one that begins with - stands behind "
        "--, as in: predict MODEL -- '-5 degrees'); - for stdin; for pictures also a folder, a video, "
        "camera:0, or an address; a table of inputs (.csv, .tsv, .parquet, .jsonl), a row each.",
    ),
]


Itself = Annotated[bool, typer.Option("--text", help="INPUT is the text itself, also where a file has its name.")]
_Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", help="Write the picture, the folder, the video or the lines there."),
]
_Smoothing = Annotated[
    float, typer.Option(min=0, max=0.99, help="Videos: how much of the frames before stays in each answer.")
]
_Column = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Tables: the column with the text, or the path of the picture; may be repeated."),
]
_Limit = Annotated[int | None, typer.Option(min=1, help="At most so many frames, pictures or examples.")]


def predict(
    model: Reference,
    value: _PictureInput = None,
    data: Data = None,
    output: _Output = None,
    smoothing: _Smoothing = 0.0,
    frames: Annotated[Path | None, typer.Option(help="Videos: a line of JSON for each frame goes there.")] = None,
    limit: _Limit = None,
    column: _Column = None,
    allow_host: Annotated[list[str] | None, typer.Option(help="A host that addresses may name.")] = None,
    itself: Itself = False,
    background: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Answer for one input, in this process; for each picture of a folder, each frame of a video, each row of a table.

    A table in is a table out: -o answers.csv (.tsv, .parquet, .jsonl) has its columns and the answers.
    With --data for every example of a source: killed and given again with the same -o, it goes on where it was.
    """
    alone = {"--smoothing": smoothing, "--frames": frames, "--allow-host": allow_host, "--text": itself}
    require_one(value, data, background, alone)
    if value is None:
        more = {"limit": limit, "columns": column or []}
        answer_all("predict", model, str(data), output, background, **more, as_json=as_json)
        return
    given = {"output": output, "smoothing": smoothing, "limit": limit, "frames": frames, "itself": itself}
    _predict_one(model, value, column or [], {**given, "hosts": tuple(allow_host or ())}, as_json)


def _predict_one(model: str, value: str, columns: Sequence[str], given: dict[str, Any], as_json: bool) -> None:
    from glassworks.cli.pictures import PredictOptions, local
    from glassworks.cli.question_tables import predict_table, table_of
    from glassworks.registry import Registry
    from glassworks.registry.opening import open_model

    options = PredictOptions(**given)
    if not options.itself and (source := table_of(model, value, options.output)):
        predict_table(model, source, columns, options, as_json=as_json)
        return
    opened = open_model(model, Registry.open())
    with local(value, opened, options) as path:
        found = _predicted(opened, path, options)
    if as_json:
        write_json({"model": model, **found})
    else:
        _show(model, opened.task, found, options.output)


def _predicted(opened: OpenedBundle, value: str, options: PredictOptions) -> dict[str, Any]:
    """`outputs` of one input, `pictures` of a folder, `table` of a table, or `video`."""
    from glassworks.cli.pictures import is_moving, predict_folder, predict_one, predict_video, read_one
    from glassworks.contracts import Pictures, Tables
    from glassworks.storage import require_other

    progress, output, task = LiveProgress(), options.output, opened.task
    try:
        if output and not options.itself and not is_moving(value, opened, options):
            require_other(output, value)
        if options.itself:
            return {"outputs": predict_one(opened, read_one(value, opened, itself=True), output)}
        if isinstance(task, Pictures) and Path(value).is_dir():
            return {"pictures": predict_folder(opened, Path(value), options, progress)}
        if isinstance(task, Tables) and output is not None and Path(value).suffix in (".csv", ".parquet"):
            return {"table": dict(task.answer_table(opened.session("predict"), Path(value), output, progress))}
        if is_moving(value, opened, options):
            return {"video": predict_video(opened, value, options, progress)}
    finally:
        progress.close()
    return {"outputs": predict_one(opened, read_one(value, opened), options.output)}


def _show(model: str, task: Task, found: dict[str, Any], output: Path | None) -> None:
    from glassworks.cli.answers import show_answer, show_files, show_rows

    if "outputs" in found:
        show_answer(model, task.present(found["outputs"]), stdout())
    elif "pictures" in found:
        show_files(model, task, found["pictures"], stdout())
    elif "table" in found:
        show_rows(model, [found["table"]], stdout())
    else:
        clip, notes = found["video"].pop("clip", None), found["video"].pop("notes", ())
        show_rows(model, [found["video"]], stdout())
        for note in notes:
            stdout().print(f"  - {note}", markup=False)
        if clip:
            show_answer(f"{model}, the whole clip", task.present(clip), stdout())
    if output:
        stdout().print(f"written: {output}")


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command()(predict)
