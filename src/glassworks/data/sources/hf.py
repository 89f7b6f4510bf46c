"""`hf:OWNER/NAME`: a data set of the Hugging Face hub, or a local folder in its layout (Parquet files)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from glassworks.catalog import require
from glassworks.contracts import Source
from glassworks.data.text.reader import Columns, Row, TextReader
from glassworks.errors import DataError
from glassworks.locations import Naming


class HuggingFace(Source, TextReader):
    """A data set of the Hugging Face hub by OWNER/NAME, or a local copy of one."""

    name: ClassVar[str] = "hf"
    naming: ClassVar[Naming] = "path or name"

    def texts(self, what: str, columns: Columns) -> Iterator[Row]:
        """The rows of all its Parquet files, in the order of their names."""
        from glassworks.data.text.tables import parquet_rows

        folder = Path(what)
        if not folder.is_dir():
            folder = _downloaded(what)
        files = sorted(folder.rglob("*.parquet"))
        if not files:
            raise DataError(f"{what} holds no Parquet file", "give a data set in Parquet, or convert it to CSV")
        for file in files:
            for row, text, label in parquet_rows(str(file), columns):
                yield f"{file.name} {row}", text, label


def _downloaded(name: str) -> Path:
    require(("huggingface_hub",), "loading from the hub", extra="text")
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        found = huggingface_hub.snapshot_download(name, repo_type="dataset", allow_patterns=["*.parquet"])
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError, ValueError) as error:
        reason = str(error).split("\n")[0][:200]
        raise DataError(
            f"the data set '{name}' cannot be loaded from the hub: {reason}",
            "check name and network, or give a local copy: hf:FOLDER",
        ) from None
    return Path(found)
