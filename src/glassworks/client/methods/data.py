"""The operations of the control API on data.

Written by docs/generate_client.py: change the routes, then `make docs`.
"""

from __future__ import annotations

from typing import Literal

from glassworks.client.transport import Transport, segment
from glassworks.control.paging import Page
from glassworks.control.resources.data import DataDetails, DataItem, ShownExample
from glassworks.control.resources.uploads import Arrived, Begun
from glassworks.runs.records import Run


class DataMethods(Transport):
    """One method for each operation."""

    def abandon_upload(self, upload: str) -> None:
        """Forget what has arrived."""
        self.fetch("DELETE", f"/uploads/{segment(upload)}")

    def begin_upload(
        self,
        *,
        name: str,
        size_bytes: int,
        kind: Literal["pictures", "texts", "interactions"] | None = None,
        sha256: str = "",
    ) -> Begun:
        """Begin to send a file: a zip of class folders of pictures, a table (CSV, TSV, Parquet, JSON ..."""
        return self.ask(
            "POST", "/uploads", Begun, body={"name": name, "size_bytes": size_bytes, "kind": kind, "sha256": sha256}
        )

    def check_data(self, item: str) -> Run:
        """Queue a run whose result says what is wrong: copies, contradictions, labels that look wrong, leaks."""
        return self.ask("POST", f"/data/{segment(item)}/check", Run)

    def complete_upload(self, upload: str) -> DataItem:
        """What was sent becomes data; the same content is the same data, whoever sends it."""
        return self.ask("POST", f"/uploads/{segment(upload)}/complete", DataItem)

    def delete_data(self, item: str, *, force: bool = False) -> None:
        """Take away what was uploaded, unless a run that has not ended uses it. Models that were made of ..."""
        self.fetch("DELETE", f"/data/{segment(item)}", query={"force": force})

    def get_data(self, item: str) -> DataDetails:
        """Classes, columns, and a first job; what is not clear is among the problems."""
        return self.ask("GET", f"/data/{segment(item)}", DataDetails)

    def get_picture(self, item: str, index: int) -> bytes:
        """A picture, small. It never changes."""
        return self.fetch("GET", f"/data/{segment(item)}/pictures/{segment(index)}")

    def get_upload(self, upload: str) -> Arrived:
        """How much of a file has arrived: where to go on after a broken connection."""
        return self.ask("GET", f"/uploads/{segment(upload)}", Arrived)

    def list_data(self, *, limit: int = 50, after: str = "") -> Page[DataItem]:
        """What was uploaded, the newest first, then the samples."""
        return self.ask("GET", "/data", Page[DataItem], query={"limit": limit, "after": after})

    def list_examples(self, item: str, *, of: str = "", limit: int = 50, after: str = "") -> Page[ShownExample]:
        """Examples in their order."""
        return self.ask(
            "GET",
            f"/data/{segment(item)}/examples",
            Page[ShownExample],
            query={"class": of, "limit": limit, "after": after},
        )

    def send_part(self, upload: str, content: bytes, *, offset: int) -> Arrived:
        """Send a part. To send one again is harmless."""
        return self.ask("PUT", f"/uploads/{segment(upload)}", Arrived, query={"offset": offset}, content=content)
