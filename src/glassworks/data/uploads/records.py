"""What is known of an upload, and of the data that become of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from glassworks.record import Record

Kind: TypeAlias = Literal["pictures", "texts", "interactions"]
Form: TypeAlias = Literal["folder", "csv", "tsv", "parquet", "jsonl", "text"]
"""How the content is kept: `folder` holds pictures, `text` has a text a line."""


class Item(Record):
    """Data that were uploaded. `id` is the beginning of the SHA-256 of the file that was sent, and is its name."""

    id: str
    name: str
    kind: Kind | None
    """None where a table could be read as texts and as interactions."""
    form: Form
    sha256: str
    size_bytes: int
    """Of the file that was sent."""
    examples: int | None
    created_at: str
    notes: tuple[str, ...] = ()
    """What was done to it, or left out, in sentences for people."""

    @property
    def source(self) -> str:
        """How a job names it."""
        return f"uploaded:{self.id}"


class Upload(Record):
    """An upload that has begun; it is forgotten when nothing arrives for a day."""

    id: str
    name: str
    size_bytes: int
    kind: Kind | None = None
    sha256: str = ""
    item: str = ""
    """Once it is complete, what became of it."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What may be sent, and what it may grow to. All is counted, nothing is believed from a header."""

    upload_bytes: int = 2 * 2**30
    uploads: int = 32
    """Under way at a time."""
    kept_s: float = 24 * 3600
    margin_bytes: int = 256 * 2**20
    """Of the disk, what stays free."""
    unpacked_bytes: int = 8 * 2**30
    files: int = 100_000
    directory_bytes: int = 16 * 2**20
    """Of an archive's list of files, which is read as a whole."""
    ratio: int = 200
    """Bytes out for a byte in; small files may exceed it by `slack_bytes`."""
    slack_bytes: int = 2**20
    depth: int = 12
    name_bytes: int = 200
