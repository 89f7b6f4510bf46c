"""`glassworks import`: bring a model that was trained elsewhere: measured, compressed, packaged and registered."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassworks.cli.following import Detach, detach, job_request
from glassworks.cli.interrupts import receive_interrupts
from glassworks.cli.output import AsJson, LiveProgress, stderr, stdout, write_json
from glassworks.cli.verbs.train import Fresh, Overrides
from glassworks.errors import ConfigError, DataError, Unsupported
from glassworks.locations import with_scheme

if TYPE_CHECKING:
    from glassworks.config import Job
    from glassworks.contracts import Imported

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A .onnx, .pt2 or .gguf file, a folder (Hugging Face's layout, MLflow's or OpenVINO's), "
        "package:LIBRARY/FILE or hf:OWNER/NAME.",
    ),
]
Name = Annotated[str | None, typer.Option(help="The model's name in the registry; left out, made of the file's.")]
TaskName = Annotated[str, typer.Option("--task", help="Classifiers: what the model does, image-classification.")]
Data = Annotated[str, typer.Option("--data", help="Classifiers: labeled examples to measure with: folder:PATH, ...")]
Labels = Annotated[
    Path | None, typer.Option("--labels", help="Classifiers: the classes in the order of the outputs, one a line.")
]
Way = Annotated[
    str,
    typer.Option(
        "--preprocessing",
        help="Classifiers: unit, imagenet, signed, bytes or caffe; left out, what the file says, else found by trying.",
    ),
]
Shape = Annotated[str, typer.Option("--shape", help="Classifiers: height,width,channels where the model has any.")]
_IMAGES = "image-classification"
_LARGEST_LABELS = 64 * 1024**2


def bring(
    source: Source,
    name: Name = None,
    task: TaskName = "",
    data: Data = "",
    labels: Labels = None,
    preprocessing: Way = "",
    shape: Shape = "",
    overrides: Overrides = None,
    resume: Fresh = True,
    background: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Bring a model that was trained elsewhere into the registry: exact, then compressed within the objective.

    Without --data, a classifier is only described: what was found in it, and what is missing.
    """
    from glassworks.job_files import job_with

    given = {"labels": labels, "preprocessing": preprocessing, "shape": shape, "task": task, "data": data}
    path = _classifier(source)
    table = _table(source, path, {key: value for key, value in given.items() if value}, as_json)
    table["name"] = name or _name_of(source)
    job = job_with(table, overrides or (), where="import")
    if background:
        detach("import", job_request(job, resume), as_json)
    else:
        _bring(job, resume, as_json, "chat" if path is None else "predict")


def _table(source: str, path: Path | None, given: dict[str, Any], as_json: bool) -> dict[str, Any]:
    """The job's: of a classifier at `path`, or of a language model. Raises Unsupported for options that say nothing."""
    if path is not None:
        return {"family": "imported", **_classifier_table(path, given, as_json)}
    if given:
        raise Unsupported(
            f"{source} is no classifier that is read, so --{next(iter(given))} says nothing",
            "give a .onnx or .pt2 file, or the folder of a classifier; language models take none of these",
        )
    return {"family": "language_model", "model": {"source": _located(source)}}


def _bring(job: Job, resume: bool, as_json: bool, verb: str) -> None:
    receive_interrupts()
    from glassworks import flow
    from glassworks.cli.release import show_release, summary_of
    from glassworks.registry import Registry

    progress, console = LiveProgress(), stderr() if as_json else stdout()
    try:
        made = flow.release(job, Registry.open(), progress, fresh=not resume)
    finally:
        progress.close()
    show_release(made, console)
    if as_json:
        write_json(summary_of(made))
        return
    console.print(f"next: glassworks {verb} {made.version.name}, glassworks serve {made.version.name}")


def _classifier(source: str) -> Path | None:
    """The path of a model that an importer reads; None for others, such as language models."""
    from glassworks.catalog import importer_of

    path = Path(re.sub(r"^(file|folder):", "", source)).expanduser().absolute()
    return path if importer_of(path) is not None else None


def _classifier_table(path: Path, given: dict[str, Any], as_json: bool) -> dict[str, Any]:
    """Tables of the job. Raises ConfigError without data, after telling what was found in the model."""
    if given.get("task", _IMAGES) != _IMAGES:
        raise Unsupported(
            f"a model for '{given['task']}' is not imported from a file",
            f"tasks: {_IMAGES}; texts: see transformer_text",
        )
    kind = "folder" if path.is_dir() else "file"
    model: dict[str, Any] = {"source": f"{kind}:{path}"}
    if "labels" in given:
        model["labels"] = _lines(given["labels"])
    if "preprocessing" in given:
        model["preprocessing"] = given["preprocessing"]
    if "shape" in given:
        model["shape"] = _sides(given["shape"])
    if "data" not in given:
        _describe(path, as_json)
        raise ConfigError("labeled examples to measure with are missing", "give them: --data folder:PICTURES")
    return {"model": model, "data": {"source": given["data"]}}


def _describe(path: Path, as_json: bool) -> None:
    """What the model's file says of it, and what it does not say."""
    from glassworks.catalog import importer_of

    importer = importer_of(path)
    if importer is None:
        return
    description = _description(importer.read(path))
    if as_json:
        write_json(description)
        return
    console = stdout()
    for key, value in description.items():
        console.print(f"{key}: {value}", markup=False, highlight=False)


def _description(found: Imported) -> dict[str, Any]:
    (taken,) = found.graph.graph.input
    dims = [dim.dim_value or "any" for dim in taken.type.tensor_type.shape.dim]
    shown = ", ".join(found.labels[:10]) + (" ..." if len(found.labels) > 10 else "")
    outputs = {True: "scores", False: "probabilities", None: "found by its answers"}
    return {
        "form": found.form,
        "task": found.task or f"not said; {_IMAGES} is taken",
        "input": f"{taken.name} {dims}",
        "labels": f"{len(found.labels)}: {shown}" if found.labels else "not said: --labels FILE",
        "preprocessing": dict(found.preprocessing) or "not said: --preprocessing NAME, or found on --data",
        "outputs": outputs[found.scores],
        "notes": "; ".join(found.notes) or "none",
    }


def _lines(path: Path) -> list[str]:
    """Names of classes, one a line. Raises DataError."""
    try:
        if path.stat().st_size > _LARGEST_LABELS:
            raise DataError(f"{path} is too large for names of classes", "give a text file with a name a line")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the labels in {path} cannot be read: {error}", "give a text file in UTF-8") from None
    found = [line.strip() for line in text.splitlines() if line.strip()]
    if not found:
        raise DataError(f"{path} holds no names", "write the classes, one a line, in the order of the outputs")
    return found


def _sides(text: str) -> list[int]:
    """`224,224,3`. Raises ConfigError."""
    parts = re.split(r"[,x]", text)
    if len(parts) != 3 or not all(part.strip().isdecimal() for part in parts):
        raise ConfigError(f"--shape is '{text}'", "write height, width and channels: --shape 224,224,3")
    return [int(part) for part in parts]


def _located(source: str) -> str:
    """A path as it is typed, with what kind of place it is; what has a scheme stays as it is."""
    if re.match(r"[a-z]+:", source):
        return source
    path = str(Path(source).expanduser().absolute())
    return with_scheme(path, ("gguf",)) or f"folder:{path}"


def _name_of(source: str) -> str:
    """`SmolLM2-135M-Instruct.Q4_1.gguf` is called `smollm2-135m-instruct.q4_1`."""
    last = re.sub(r"\.(gguf|onnx|pt2)$", "", re.split(r"[/:]", source.rstrip("/"))[-1].lower())
    return re.sub(r"[^a-z0-9._-]+", "-", last).lstrip("._-")[:63] or "model"


def register(program: typer.Typer) -> None:
    """Add the command."""
    program.command("import")(bring)
