"""`glassworks predict`: the answer of a model for an input file, a folder, a video or a camera."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassworks.cli.output import AsJson, LiveProgress, Reference, stdout, table, write_json

if TYPE_CHECKING:
    from glassworks.cli.pictures import PredictOptions
    from glassworks.packaging.opened import OpenedBundle

InputFile = Annotated[
    str,
    typer.Argument(
        metavar="INPUT",
        help="A file as the model takes it, such as a picture; a text may be given itself; - for stdin.",
    ),
]
_PictureInput = Annotated[
    str,
    typer.Argument(
        metavar="INPUT",
        help="A file as the model takes it; a text itself; - for stdin; for pictures also a folder, a video, "
        "camera:0, or an address; for recommendations also a table of users, CSV or Parquet.",
    ),
]


def predict(
    model: Reference,
    value: _PictureInput,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the picture, the folder or the video there.")
    ] = None,
    smoothing: Annotated[
        float, typer.Option(min=0, max=0.99, help="Videos: how much of the frames before stays in each answer.")
    ] = 0.0,
    frames: Annotated[Path | None, typer.Option(help="Videos: a line of JSON for each frame goes there.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many frames or pictures.")] = None,
    allow_host: Annotated[list[str] | None, typer.Option(help="A host that addresses may name.")] = None,
    as_json: AsJson = False,
) -> None:
    """Answer for one input, in this process; for each picture of a folder and each frame of a video."""
    from glassworks.cli.pictures import PredictOptions, local
    from glassworks.registry import Registry
    from glassworks.registry.opening import open_model

    hosts = tuple(allow_host or ())
    options = PredictOptions(output=output, smoothing=smoothing, limit=limit, frames=frames, hosts=hosts)
    opened = open_model(model, Registry.open())
    with local(value, opened, options) as place:
        found = _predicted(opened, place, options)
    if as_json:
        write_json({"model": model, **found})
    else:
        _show(model, found, output)


def _predicted(opened: OpenedBundle, value: str, options: PredictOptions) -> dict[str, Any]:
    """`outputs` of one input, `pictures` of a folder, `table` of a table, or `video`."""
    from glassworks.cli.pictures import is_moving, predict_folder, predict_one, predict_video, read_one

    progress, output = LiveProgress(), options.output
    try:
        if opened.task.pictures and Path(value).is_dir():
            return {"pictures": predict_folder(opened, Path(value), options, progress)}
        if output is not None and opened.task.tables and Path(value).suffix in (".csv", ".parquet"):
            return {"table": dict(opened.task.answer_table(opened.session("predict"), Path(value), output, progress))}
        if is_moving(value, opened, options):
            return {"video": predict_video(opened, value, options, progress)}
    finally:
        progress.close()
    return {"outputs": predict_one(opened, read_one(value, opened), options.output)}


def _show(model: str, found: dict[str, Any], output: Path | None) -> None:
    from glassworks.cli.pictures import shown_rows

    if "pictures" in found:
        table(model, *shown_rows(found["pictures"]), stdout())
    elif "table" in found:
        table(model, *shown_rows([found["table"]]), stdout())
    elif "video" in found:
        clip = found["video"].pop("clip", None)
        table(model, *shown_rows([found["video"]]), stdout())
        if clip:
            _show_labels(f"{model}, the whole clip", clip)
    elif "items" in found["outputs"]:
        _show_items(model, found["outputs"])
    elif "top" in found["outputs"]:
        _show_labels(model, found["outputs"])
    else:
        table(model, *shown_rows([found["outputs"]]), stdout())
    if output:
        stdout().print(f"written: {output}")


def _show_labels(of: str, answer: dict[str, Any]) -> None:
    from glassworks.cli.pictures import labels_told

    title = f"{of}: {labels_told(answer) if 'labels' in answer else answer['label']}"
    rows = [(str(label), f"{probability:.4f}") for label, probability in answer["top"]]
    table(title, ("label", "probability"), rows, stdout())
    if "label_set" in answer and "labels" not in answer:
        kept = ", ".join(map(str, answer["label_set"]))
        stdout().print(f"not ruled out: {kept or 'no label; the input is unlike what was learned from'}", markup=False)


def _show_items(model: str, answer: dict[str, Any]) -> None:
    """Recommendations, each with what speaks most for it."""
    rows = []
    for each in answer["items"]:
        named = [f"{one.get('title') or one['item']} ({one['contribution']:+.3f})" for one in each.get("because", ())]
        rows.append((str(each["item"]), str(each.get("title", "")), f"{each['score']:.4g}", ", ".join(named)))
    title = f"{model}: by {answer['basis']}"
    table(title, ("item", "title", "score", "because you liked"), rows, stdout())
    if answer["unknown_items"]:
        stdout().print(f"not known: {', '.join(map(str, answer['unknown_items']))}")
    if answer["shortage"]:
        stdout().print(f"only {answer['shortage']['found']}: {answer['shortage']['reason']}")


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command()(predict)
