"""A small folder of texts, for tests."""

from __future__ import annotations

from pathlib import Path

from glassworks.catalog import get
from glassworks.config import Job
from glassworks.contracts import Family

_TEXTS = {
    "ships.md": "# Ships\n\nThe harbor of Oru freezes in March. Pilots then wait for the ice to break.\n\n"
    "A ferry leaves every second hour. Tickets are sold on board, and children pay nothing.\n",
    "gardens.txt": "Pear trees like deep soil.\r\nThey are pruned in winter, before the sap rises.\r\n\r\n"
    "Roses need sun. A wall to the south keeps them warm at night.",
    "inner/茶.txt": "绿茶用八十度的水冲泡，三分钟以后就可以喝。红茶要用开水。\n\n普洱茶可以存放很多年，越放越香。",
    "page.html": "<html><head><title>Clocks</title><style>p {}</style></head><body><h1>Clocks</h1>"
    "<p>A tower clock is wound once a week &amp; oiled once a year.</p></body></html>",
    "facts.jsonl": '{"text": "Copper melts at 1085 degrees."}\n{"text": "Tin melts at 232 degrees."}\n',
}


def write_folder(folder: Path, *, seed: int) -> None:
    """Files of every kind that is read; `seed` adds a line that differs."""
    for name, text in _TEXTS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())
    (folder / "notes.txt").write_text(f"Note number {seed} says that the key hangs behind the door.", encoding="utf-8")


def encoder_job(folder: Path) -> Job:
    """The tiny job of a small encoder, under the name `tiny-encoder`."""
    return get(Family, "text_encoder").tiny(folder / "encoder").model_copy(update={"name": "tiny-encoder"})
