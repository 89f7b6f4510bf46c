"""Folders that MLflow saved, by the one of their flavors that is read here."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from glassworks.contracts import Imported, Importer
from glassworks.errors import DataError, Unsupported
from glassworks.packaging.importers._graphs import imported, load_graph
from glassworks.packaging.importers._places import inside, require_file, require_folder

_FILE, _LARGEST = "MLmodel", 1024**2
_SAVE = "save it with mlflow.onnx.save_model, from ONNX that its framework exports"


class MlflowFolder(Importer):
    """A folder of MLflow whose model is ONNX."""

    name: ClassVar[str] = "mlflow"
    needs: ClassVar[tuple[str, ...]] = ("onnx",)

    def reads(self, path: Path) -> bool:
        return path.is_dir() and (path / _FILE).is_file()

    def read(self, path: Path) -> Imported:
        require_folder(path)
        require_file(path / _FILE, _LARGEST)
        try:
            flavors = _flavors((path / _FILE).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path / _FILE} cannot be read: {error}", _SAVE) from None
        if "onnx" not in flavors:
            names = ", ".join(sorted(flavors)) or "none"
            raise Unsupported(
                f"{path} has the flavors {names}, which are read by pickle or with their whole framework", _SAVE
            )
        name = flavors["onnx"].get("data", "")
        if not name:
            raise DataError(f"{path / _FILE} does not say where its ONNX file is", _SAVE)
        file = inside(path, name)
        return replace(imported(load_graph(file), "onnx", file), form=self.name)


def _flavors(text: str) -> dict[str, dict[str, str]]:
    """The plain values of each flavor: two levels of YAML's block style, which is all that MLflow writes there."""
    found: dict[str, dict[str, str]] = {}
    there, flavor = False, ""
    for line in text.splitlines():
        indent, body = len(line) - len(line.lstrip(" ")), line.strip()
        if not indent and body:
            there = body == "flavors:"
            continue
        matched = re.fullmatch(r"([A-Za-z0-9_]+):\s*(.*)", body)
        if not there or matched is None:
            continue
        key, value = matched[1], matched[2].strip("'\"")
        if indent == 2 and not value:
            flavor = key
            found[flavor] = {}
        elif indent == 4 and flavor:
            found[flavor][key] = value
    return found
