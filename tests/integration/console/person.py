"""Somebody before the console: what they read in their language, and how often they click."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from PIL import Image

from glassworks.families.convnet.synthetic import write_bars

STATIC = Path(__file__).parents[3] / "src" / "glassworks" / "console" / "static"
FILES = "input[type=file]:not([webkitdirectory])"
_DROP = """([element, name, bytes]) => {
    const given = new DataTransfer();
    given.items.add(new File([new Uint8Array(bytes)], name, { type: "application/zip" }));
    element.dispatchEvent(new DragEvent("drop", { dataTransfer: given, bubbles: true, cancelable: true }));
}"""


class Person:
    """Clicks on what catalogs name, in one language."""

    def __init__(self, page: Any, language: str) -> None:
        self.page = page
        self.clicks = 0
        self._texts: dict[str, Any] = {}
        for path in STATIC.rglob(f"{language}.json"):
            self._texts |= json.loads(path.read_text(encoding="utf-8"))

    def reads(self, key: str, **values: object) -> str:
        """A text of the catalogs, of its form for many."""
        text = self._texts[key]
        text = text["other"] if isinstance(text, dict) else text
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", str(value))
        return str(text)

    def click(self, role: str, key: str, within: str = "main") -> None:
        """One click on the first that has this name."""
        self.clicks += 1
        self.page.locator(within).get_by_role(role, name=self.reads(key), exact=True).first.click()

    def drop(self, selector: str, name: str, content: bytes) -> None:
        """Let go of a file over an element, as when it is dragged from a folder."""
        element = self.page.wait_for_selector(selector)
        self.page.evaluate(_DROP, [element, name, list(content)])


def pictures(folder: Path, *, examples: int = 120, seed: int = 0) -> dict[str, list[bytes]]:
    """PNG files of 16 x 16 pixels by class: bars whose direction is the class."""
    import numpy as np

    write_bars(folder / "bars.npz", examples=examples, side=16, seed=seed)
    with np.load(folder / "bars.npz") as found:
        classes: dict[str, list[bytes]] = {}
        for picture, label in zip(found["x"], found["y"], strict=True):
            written = io.BytesIO()
            Image.fromarray(picture).save(written, "PNG")
            classes.setdefault(str(label), []).append(written.getvalue())
    return classes


def zipped(classes: dict[str, list[bytes]]) -> bytes:
    """An archive with a folder for each class."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, files in classes.items():
            for number, content in enumerate(files):
                archive.writestr(f"{name}/{number}.png", content)
    return written.getvalue()
