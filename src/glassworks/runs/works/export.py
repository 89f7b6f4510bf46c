"""A model in a form that others can use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from glassworks.catalog import get
from glassworks.contracts import Exporter, Progress
from glassworks.record import Record
from glassworks.registry import Registry
from glassworks.runs.works._publishing import ModelWork


class ExportRequest(Record):
    """`to` is the name of an exporter, `folder` a new or empty folder."""

    model: str
    folder: str
    to: str = "onnx"


class Export(ModelWork):
    """Write a model for use elsewhere."""

    name: ClassVar[str] = "export"
    request: ClassVar[type[Record]] = ExportRequest
    memory_bytes: ClassVar[int] = 2**29

    def settled(self, request: ExportRequest) -> ExportRequest:
        """Raises NotFound, for the exporter too."""
        get(Exporter, request.to)
        settled: ExportRequest = super().settled(request)
        return settled

    def run(self, request: ExportRequest, progress: Progress) -> Mapping[str, Any]:
        """Raises what exporting raises."""
        progress.start("export")
        folder = Registry.open().resolve(request.model).bundle.folder
        files = get(Exporter, request.to).export(folder, Path(request.folder))
        progress.finish(f"{len(files)} files")
        return {"model": request.model, "to": request.to, "files": [str(path) for path in files]}
