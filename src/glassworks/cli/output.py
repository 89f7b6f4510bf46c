"""What the verbs share: progress and tables on stderr, results on stdout, the registry of this machine."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassworks.cli.interrupts import interrupted
from glassworks.contracts import Measurement, Progress
from glassworks.errors import InputError
from glassworks.printable import printable

if TYPE_CHECKING:
    from rich.console import Console

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Reference = Annotated[str, typer.Argument(help="NAME, NAME@VERSION, NAME@ALIAS, or the path of a bundle.")]
_SUFFIXES = (".txt", ".md", ".csv", ".tsv", ".json", ".jsonl", ".html", ".pdf")
_LARGEST_INPUT = 256 * 2**20
_GAP = 3
"""Columns of the terminal between two of a table."""
_CONTROLS = re.compile("[\x7f-\x9f]")


def stderr() -> Console:
    """The console for progress and hints."""
    from glassworks.cli.console import PrintableConsole

    return PrintableConsole(stderr=True, highlight=False)


def stdout() -> Console:
    """The console for results."""
    from glassworks.cli.console import PrintableConsole

    return PrintableConsole(highlight=False)


def write_json(value: Mapping[str, Any]) -> None:
    """One object, keys in their stable order, on stdout."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    # JSON does not escape the C1 control characters, which terminals obey too.
    sys.stdout.write(_CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n")
    sys.stdout.flush()


def table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]], console: Console) -> None:
    """Print one table; cells are shown as they are: labels and names may hold brackets."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    lines = [tuple(row) for row in rows]
    sheet = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column, width in enumerate(_widths(header, lines, console.width)):
        sheet.add_column(header[column], justify="right" if column else "left", overflow="fold", max_width=width)
    for line in lines:
        sheet.add_row(*map(Text, line))
    console.print(Text(title, style="bold"))
    console.print(sheet)
    console.print()


def _widths(header: Sequence[str], lines: Sequence[Sequence[str]], width: int) -> list[int | None]:
    """Of the columns at most: where all are too wide, titles are broken before names."""
    from rich.cells import cell_len

    columns = [
        [max(map(cell_len, each), default=0) for each in (cells, [title], title.split())]
        for title, *cells in zip(header, *lines, strict=True)
    ]
    if sum(max(sizes) + _GAP for sizes in columns) - _GAP <= width:
        return [None] * len(columns)
    return [None, *(max(cells, word) for cells, _, word in columns[1:])]


def measured(value: Measurement) -> str:
    """A metric with its interval, and over how many classes it is where some have no example."""
    low, high = value.interval
    partly = f" over {value.classes[0]:,} of {value.classes[1]:,} classes" if value.classes else ""
    return f"{value.value:.4f} [{low:.4f}, {high:.4f}]{partly}"


def metrics_json(metrics: Mapping[str, Measurement]) -> dict[str, Any]:
    """Metrics by their names."""
    return {name: value.model_dump(mode="json") for name, value in metrics.items()}


def read_input(value: str, *, literal: bool = False, itself: bool = False) -> bytes:
    """The bytes of an input file; `-` is stdin. Raises InputError.

    Where a `literal` may be given itself, what names no file is one, a folder's name too; with `itself` always.
    """
    if itself and not literal:
        raise InputError("--text is for models that read text", "give the path of a file")
    if itself or (literal and not value):
        return value.encode("utf-8", "replace")
    if value == "-":
        return _read_stdin()
    try:
        content = Path(value).read_bytes()
    except (OSError, ValueError) as error:
        return _literal(value, error, literal=literal)
    if literal and not _looks_like_a_path(value):
        stderr().print(f"{value} is a file, which is read; --text takes the text itself", markup=False)
    return content


def _read_stdin() -> bytes:
    content = sys.stdin.buffer.read(_LARGEST_INPUT + 1)
    if len(content) > _LARGEST_INPUT:
        raise InputError(f"the input has more than {_LARGEST_INPUT:,} bytes", "give less of it at a time")
    return content


def _literal(value: str, error: OSError | ValueError, *, literal: bool) -> bytes:
    """What names no file that can be read, as a text of its own where it may be one."""
    folder, path = isinstance(error, IsADirectoryError), _looks_like_a_path(value)
    if literal and not (folder and path):
        if folder or path:
            what = f"{value} is a folder" if folder else f"there is no file {value}"
            stderr().print(f"{what}: it is taken as the text itself", markup=False)
        return value.encode("utf-8", "replace")
    if isinstance(error, ValueError):
        raise InputError("the path of the input holds a zero byte", "give the path of a readable file") from None
    mend = "give the path of a readable file, or - for stdin" + ("; --text takes it as a text" if literal else "")
    raise InputError(f"cannot read the input {value}: {error.strerror}", mend) from None


def _looks_like_a_path(text: str) -> bool:
    """One word with a folder or a usual suffix."""
    return text in (".", "..") or (len(text.split()) == 1 and ("/" in text or Path(text).suffix.lower() in _SUFFIXES))


def write_output(path: Path, content: bytes) -> None:
    """Write a result file, all or nothing."""
    from glassworks.storage import write_atomically

    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent}", "make it first, or give another path")
    write_atomically(path, content)


class LiveProgress(Progress):
    """One line that renews itself on a terminal; a line a stage elsewhere. Any interrupt cancels, one lost too."""

    def __init__(self) -> None:
        self._console = stderr()
        self._status: Any = None
        self._stage, self._begun = "", 0.0
        self._total: int | None = None
        self._values: dict[str, float | str] = {}

    @property
    def cancelled(self) -> bool:
        return super().cancelled or interrupted()

    def start(self, stage: str, total: int | None = None) -> None:
        super().start(stage, total)
        self._stop()
        self._stage, self._total, self._begun, self._values = stage, total, time.monotonic(), {}
        if self._console.is_terminal:
            self._status = self._console.status(stage)
            self._status.start()

    def update(self, **values: float | str) -> None:
        super().update(**values)
        self._values.update(values)
        if self._status:
            self._status.update(self._line())

    def finish(self, message: str = "") -> None:
        self.ended(message, time.monotonic() - self._begun)

    def ended(self, message: str, seconds: float) -> None:
        """The stage ended after so long."""
        self._stop()
        self._console.print(f"{self._stage:<10} {message} ({seconds:.1f} s)", markup=False)

    def close(self) -> None:
        """Give the terminal back."""
        self._stop()

    def _stop(self) -> None:
        if self._status:
            self._status.stop()
            self._status = None

    def _line(self) -> str:
        parts = [self._stage]
        if self._total and "step" in self._values:
            parts.append(f"{float(self._values['step']) / self._total:4.0%}")
        for name, form in _FORMS.items():
            if name in self._values:
                parts.append(form.format(self._values[name]))
        parts += [
            printable(str(self._values[name]))[:_SHOWN] for name in ("candidate", "answer") if name in self._values
        ]
        return "  ".join(parts)


_SHOWN = 60
_FORMS = {
    "loss": "loss {:.4f}",
    "accuracy": "accuracy {:.4f}",
    "examples_per_s": "{:,.0f} examples/s",
    "left_s": "{:.0f} s left",
}
