"""Glass: the bundle as one `.glass` file, to move it to another machine."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from glassworks.contracts import Exporter
from glassworks.packaging.archive import pack_bundle
from glassworks.packaging.bundle import read_bundle
from glassworks.packaging.export_folder import claim_folder
from glassworks.packaging.manifest import check_path


class GlassExporter(Exporter):
    """Writes `NAME.glass`, which every verb takes in the place of a model."""

    name: ClassVar[str] = "glass"

    def export(self, bundle: Path, folder: Path) -> tuple[Path, ...]:
        """Write into `folder`: new, empty, or holding the same model's file of before.

        Raises what `read_bundle` raises, InputError for a folder with other content and StorageError.
        """
        opened = read_bundle(bundle)
        target = f"{check_path(opened.manifest.name, str(bundle)).rpartition('/')[2]}.glass"
        claim_folder(folder, own=(target,), mark=target)
        return (pack_bundle(opened, folder / target),)
