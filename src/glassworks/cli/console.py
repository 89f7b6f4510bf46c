"""The console of all verbs: of what it prints only its own styles reach the terminal as control characters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.segment import Segment

from glassworks.printable import printable

if TYPE_CHECKING:
    from rich.console import ConsoleOptions, RenderableType


class PrintableConsole(Console):
    """Rich keeps escape characters of texts; labels and names come from files that others made."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of something to print, with signs for control characters."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)
