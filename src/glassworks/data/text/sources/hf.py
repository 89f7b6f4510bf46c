"""`hf:OWNER/NAME`: a data set of the Hugging Face hub, or a local folder in its layout (Parquet files)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from glassworks.catalog import require
from glassworks.data.text.sources import parquet
from glassworks.errors import DataError

if TYPE_CHECKING:
    from glassworks.data.text.sources import Columns

SUMMARY = "a data set of the Hugging Face hub by OWNER/NAME, or a local copy of one"


def read(name: str, columns: Columns) -> Iterator[tuple[str, str, str]]:
    """The rows of all its Parquet files, in the order of their names. Raises DataError."""
    folder = Path(name)
    if not folder.is_dir():
        folder = _downloaded(name)
    files = sorted(folder.rglob("*.parquet"))
    if not files:
        raise DataError(f"{name} holds no Parquet file", "give a data set in Parquet, or convert it to CSV")
    for file in files:
        for row, text, label in parquet.read(str(file), columns):
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
