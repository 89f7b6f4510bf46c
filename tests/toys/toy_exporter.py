"""Writes a model's name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from glassworks.contracts import Exporter


class ToyExporter(Exporter):
    """A text file with the name of the model."""

    name: ClassVar[str] = "toy_exporter"

    def export(self, bundle: Path, folder: Path) -> tuple[Path, ...]:
        folder.mkdir(parents=True, exist_ok=True)
        manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
        (folder / "name.txt").write_text(manifest["name"], encoding="utf-8")
        return (folder / "name.txt",)
