"""`texts:PATH`: the texts in a folder and below it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from glassworks.contracts import Source
from glassworks.data.text.reader import Columns, Rows, TextReader
from glassworks.errors import DataError


class TextsOfFolder(Source, TextReader):
    """Files of text (txt, md, rst, html), each one text, and the rows of tables (csv, tsv, jsonl), in a folder."""

    name: ClassVar[str] = "texts"

    def texts(self, what: str, columns: Columns) -> Rows:
        from glassworks.data.text.folders import TextFolder

        folder = Path(what).expanduser()
        if folder.is_file():
            raise DataError(
                f"{folder} is a file, not a folder", "give the folder that it lies in, or csv: and jsonl: for a table"
            )
        return TextFolder(folder, columns).rows()
