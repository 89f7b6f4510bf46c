"""How many files a reader opens to follow a training: `python -m benchmarks.walk [FAMILY]`.

Traces one tiny training of a family from `Family.train` on, and lists the source files of its parts in the order in
which they are first entered, and how often the walk returns to a file that was read before.
"""

from __future__ import annotations

import inspect
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import CodeType, FrameType

import glassworks
from glassworks.catalog import get
from glassworks.contracts import Family
from glassworks.progress import Silent

PARTS = ("families", "training", "text", "data")
_SOURCE = Path(glassworks.__file__).parent


@dataclass(frozen=True)
class Walk:
    """`files` in the order of their first entry. A function counts once, when it is first entered: `returns` says how
    often the next new function is in a file that was left before."""

    files: tuple[str, ...]
    returns: int


def walk(action: Callable[[], object], parts: tuple[str, ...] = PARTS) -> Walk:
    """What `action` enters in `parts` of the package."""
    entered: dict[CodeType, str] = {}

    def enter(frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        new = event == "call" and code not in entered and _is_function(code)
        if new and _part(code) in parts and _caller(frame) in (*parts, ""):
            entered[code] = Path(code.co_filename).relative_to(_SOURCE).as_posix()

    sys.setprofile(enter)
    try:
        action()
    finally:
        sys.setprofile(None)
    visits = [file for file, _ in groupby(entered.values())]
    files = tuple(dict.fromkeys(visits))
    return Walk(files=files, returns=len(visits) - len(files))


def _is_function(code: CodeType) -> bool:
    """The bodies of modules and classes run when a module is imported: nobody follows them there."""
    return bool(code.co_flags & inspect.CO_NEWLOCALS)


def _part(code: CodeType) -> str:
    """The part of the package that it is in, "" where it is in none."""
    path = Path(code.co_filename)
    return path.relative_to(_SOURCE).parts[0] if path.is_relative_to(_SOURCE) else ""


def _caller(frame: FrameType) -> str:
    """The part that calls: what others do behind a contract, such as a task that measures, is not followed."""
    before = frame.f_back
    while before is not None and not _part(before.f_code):
        before = before.f_back
    return _part(before.f_code) if before else ""


def training_of(name: str) -> Walk:
    """The walk of a family's tiny training; its data are prepared before."""
    family = get(Family, name)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        run.mkdir()
        job = family.tiny(Path(folder))
        dataset = family.prepare(job)
        return walk(lambda: family.train(dataset, job, run, Silent()))


def main() -> None:
    """Print it."""
    found = training_of(sys.argv[1] if len(sys.argv) > 1 else "recurrent_text")
    lines = [f"{number:3}. {file}" for number, file in enumerate(found.files, 1)]
    print("\n".join([*lines, f"{len(found.files)} files, {found.returns} returns"]))


if __name__ == "__main__":
    main()
