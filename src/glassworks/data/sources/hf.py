"""`hf:OWNER/NAME`: a data set of the Hugging Face hub, or a local folder in its layout (Parquet files)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Source
from glassworks.data.hub import downloaded
from glassworks.data.text.reader import Columns, Row, Rows, TextReader
from glassworks.locations import Naming
from glassworks.sentences import Sentence, sentence

if TYPE_CHECKING:
    from glassworks.data.hub_layout import HubFolder


class HuggingFace(Source, TextReader):
    """A data set of the Hugging Face hub by OWNER/NAME, or a local copy of one, with its own parts and class names."""

    name: ClassVar[str] = "hf"
    naming: ClassVar[Naming] = "path or name"

    def texts(self, what: str, columns: Columns) -> Rows:
        """The rows of all its Parquet files, in the order of their names, in the parts that the data set has."""
        from glassworks.data.hub_layout import HubFolder

        folder = Path(what)
        if not folder.is_dir():
            patterns = ("*.parquet", "README.md", "dataset_info.json")
            folder = downloaded(what, "data set", patterns, local="hf:FOLDER", kind="dataset")
        hub = HubFolder(folder, what)
        read = [_read(hub, file, columns) for file in hub.files]
        rows = [row for each in read for row in each]
        if {row.part for row in rows} == {"train"}:  # which says no more than that there is nothing else
            rows = [row._replace(part="") for row in rows]
        findings = {finding.text: finding for each in read for finding in each.findings}
        return Rows(rows, (*findings.values(), *_of_parts(rows, columns)))


def _read(hub: HubFolder, file: Path, columns: Columns) -> Rows:
    from glassworks.data.assigned import UNLABELED
    from glassworks.data.hub_layout import named_classes, without_labels
    from glassworks.data.tabular.cells import cells_of_table
    from glassworks.data.tabular.reading import scan_parquet
    from glassworks.data.text.tables import rows_of

    cells = cells_of_table(scan_parquet(file, columns.form))
    part = "" if columns.split else hub.part(file)
    if columns.label and without_labels(cells, columns.label):
        part, columns = UNLABELED, columns.alone()
    found = rows_of(named_classes(cells, hub.classes(file)), columns)
    name = file.relative_to(hub.folder).as_posix()
    own = [row._replace(name=f"{name} {row.name}", part=part or row.part) for row in found]
    return Rows(own, found.findings)


def _of_parts(rows: Sequence[Row], columns: Columns) -> tuple[Sentence, ...]:
    """How many rows are in each part that the data set has; nothing where texts alone are asked for."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.part] = counts.get(row.part, 0) + 1
    if columns.split or not columns.label or not any(counts):
        return ()
    named = ", ".join(f"{part or 'none'} {count:,}" for part, count in counts.items())
    return (sentence("finding.own-parts", named=named),)
