"""Predictions for pictures, folders of them, videos, cameras and addresses, as the command line gives them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.cli.output import read_input, write_output
from glassworks.contracts import Pictures
from glassworks.errors import GlassworksError, InputError
from glassworks.packaging.output_names import output_names

if TYPE_CHECKING:
    from glassworks.contracts import Array, Progress
    from glassworks.packaging.opened import OpenedBundle

_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """What `predict` was asked to do with its input."""

    output: Path | None = None
    smoothing: float = 0.0
    limit: int | None = None
    frames: Path | None = None
    hosts: tuple[str, ...] = ()
    itself: bool = False


@contextlib.contextmanager
def local(value: str, opened: OpenedBundle, options: PredictOptions) -> Iterator[str]:
    """The input where it can be read: an address is fetched first, from a host that the job or the caller names."""
    from glassworks.imaging.fetching import fetched, is_address

    if not (isinstance(opened.task, Pictures) and is_address(value)):
        yield value
        return
    data = opened.manifest.job.get("data")
    named = data.get("hosts") if isinstance(data, dict) else None
    hosts = [*options.hosts, *([str(each) for each in named] if isinstance(named, list) else [])]
    with fetched(value, hosts) as path:
        yield str(path)


def is_moving(value: str, opened: OpenedBundle, options: PredictOptions) -> bool:
    """Whether the input is to be read as a video: by its own name, or because one is to be written."""
    from glassworks.imaging.video import VIDEOS, is_video

    asked = options.frames is not None or (options.output is not None and options.output.suffix.lower() in VIDEOS)
    return isinstance(opened.task, Pictures) and (is_video(value) or asked)


def predict_video(opened: OpenedBundle, value: str, options: PredictOptions, progress: Progress) -> dict[str, Any]:
    """The counts and the whole answer; each frame's answer as a line of JSON in `options.frames`."""
    from glassworks.packaging.video import watch

    with contextlib.ExitStack() as stack:
        on_answer = None
        if options.frames is not None:
            if options.output is not None and options.frames.resolve() == options.output.resolve():
                raise InputError(f"-o and --frames are both {options.frames}", "give each a file of its own")
            try:
                file = stack.enter_context(options.frames.open("w", encoding="utf-8"))
            except OSError as error:
                raise InputError(f"cannot write {options.frames}: {error.strerror}", "give another path") from None

            def on_answer(answer: dict[str, Any]) -> None:
                file.write(json.dumps(answer, ensure_ascii=False) + "\n")

        return watch(
            opened,
            value,
            options.output,
            progress,
            smoothing=options.smoothing,
            limit=options.limit,
            on_answer=on_answer,
        )


def predict_folder(
    opened: OpenedBundle, folder: Path, options: PredictOptions, progress: Progress
) -> list[dict[str, Any]]:
    """One row a picture file, by name; a file that cannot be read has an `error` instead of an answer."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _PICTURES and path.is_file())
    if not files:
        raise InputError(f"{folder} holds no picture file", f"give a folder with {', '.join(sorted(_PICTURES))}")
    names = [path.relative_to(folder) for path in files]
    targets = _targets(files, names, options.output)
    progress.start("pictures", len(files))
    rows: list[dict[str, Any]] = []
    for number, path, name in zip(range(1, (options.limit or len(files)) + 1), files, names, strict=False):
        try:
            if (target := targets.get(name)) is not None:
                target.parent.mkdir(parents=True, exist_ok=True)
            written = {} if target is None else {"output": str(target)}
            rows.append({"file": str(name), **predict_one(opened, path.read_bytes(), target), **written})
        except (GlassworksError, OSError) as error:
            problem = error.problem if isinstance(error, GlassworksError) else str(error)
            rows.append({"file": str(name), "error": problem})
        progress.update(step=number)
    broken = sum("error" in row for row in rows)
    progress.finish(f"{len(rows)} pictures, {broken} cannot be read")
    if broken == len(rows):
        raise InputError(
            f"none of {broken} pictures can be read; {rows[0]['file']}: {rows[0]['error']}", "replace them"
        )
    return rows


def _targets(files: Sequence[Path], names: Sequence[Path], output: Path | None) -> Mapping[Path, Path]:
    """Where the picture of each name is written. Raises InputError for what would overwrite one that is read."""
    if output is None:
        return {}
    found = {name: output / each for name, each in zip(names, output_names(names, ".png"), strict=True)}
    read = {path.resolve() for path in files}
    for target in found.values():
        if target.resolve() in read:
            raise InputError(
                f"{target} is a picture that is read, and would be written over", "give another folder: -o"
            )
    return found


def predict_one(opened: OpenedBundle, value: bytes, output: Path | None) -> dict[str, Any]:
    """The answer for one input; with `output` what is to be seen of it is written there."""
    task = opened.task
    if output is not None and not isinstance(task, Pictures):
        raise InputError(
            f"a model for {task.name} draws nothing to write to {output}", "leave -o out; --json prints the answer"
        )
    example = opened.read(value)
    outputs = opened.predict(example)
    answer = task.answer(outputs, opened.manifest.labels)[0]
    if output is not None and isinstance(task, Pictures):
        from glassworks.imaging.files import read_picture

        first = outputs[opened.manifest.signature.outputs[0].name][0]
        write_output(
            output, _picture(first, lambda: task.show(read_picture(value, 3), outputs, answer), output.suffix.lower())
        )
    return answer


def read_one(value: str, opened: OpenedBundle, *, itself: bool = False) -> bytes:
    """The bytes of one input."""
    return read_input(value, literal=opened.task.literal, itself=itself)


def _picture(first: Array, shown: Callable[[], Array], suffix: str) -> bytes:
    """As a file of that kind: PNG, JPEG, or `.npy` with the numbers of the `first` output themselves."""
    from glassworks.imaging.files import write_jpeg, write_npy, write_png

    if suffix == ".npy":
        return write_npy(first)
    if suffix not in (".png", ".jpg", ".jpeg"):
        raise InputError(f"a picture cannot be written as '{suffix}'", "use .png, .jpg or .npy")
    if suffix == ".png":
        return write_png(first if first.ndim == 3 else shown())
    return write_jpeg(shown())
