"""ONNX files, by PyTorch, Keras 3, skl2onnx, onnxmltools, PaddlePaddle and others."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from glassworks.contracts import Imported, Importer
from glassworks.packaging.importers._graphs import imported, load_graph


class OnnxFile(Importer):
    """An ONNX file, with data beside it or without."""

    name: ClassVar[str] = "onnx"
    needs: ClassVar[tuple[str, ...]] = ("onnx",)

    def reads(self, path: Path) -> bool:
        return path.suffix.lower() == ".onnx"

    def read(self, path: Path) -> Imported:
        return imported(load_graph(path), self.name, path)
