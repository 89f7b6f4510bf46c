"""A stored file and a batch, as they are kept and as OpenAI's clients read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from glassworks.record import Record

Status = Literal["validating", "in_progress", "finalizing", "completed", "failed", "cancelling", "cancelled", "expired"]
ACTIVE: tuple[Status, ...] = ("validating", "in_progress", "finalizing", "cancelling")
ENDPOINTS = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses")
"""Whose requests a batch may hold."""


class StoredFile(Record):
    """A file of an `owner` (a key's id). `filename` is what its client calls it, and nothing else; times are seconds
    since 1970."""

    id: str
    owner: str
    filename: str
    purpose: str
    size_bytes: int
    sha256: str
    created_at: int
    expires_at: int | None = None

    def public(self) -> dict[str, Any]:
        """As OpenAI's clients read it."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": self.size_bytes,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "filename": self.filename,
            "purpose": self.purpose,
            "status": "processed",
            "status_details": None,
        }


class LineError(Record):
    """What is wrong with one line of the input, counted from 1; None: with all of it."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


class Batch(Record):
    """Requests of one file, the answers to which become others. Times are seconds since 1970."""

    id: str
    owner: str
    endpoint: str
    input_file_id: str
    completion_window: str
    status: Status
    created_at: int
    expires_at: int
    metadata: dict[str, str] | None = None
    output_expires_s: int | None = None
    in_progress_at: int | None = None
    finalizing_at: int | None = None
    completed_at: int | None = None
    failed_at: int | None = None
    expired_at: int | None = None
    cancelling_at: int | None = None
    cancelled_at: int | None = None
    total: int = 0
    completed: int = 0
    failed: int = 0
    output_file_id: str | None = None
    error_file_id: str | None = None
    errors: tuple[LineError, ...] = ()

    def turned(self, status: Status, now: int, **more: object) -> Batch:
        """The same in another state, which begins now."""
        return self.model_copy(update={"status": status, f"{status}_at": now, **more})

    def public(self) -> Mapping[str, Any]:
        """As OpenAI's clients read it."""
        found = self.model_dump(exclude={"owner", "total", "completed", "failed", "errors", "output_expires_s"})
        errors = {"object": "list", "data": [each.model_dump() for each in self.errors]} if self.errors else None
        counts = {"total": self.total, "completed": self.completed, "failed": self.failed}
        return {**found, "object": "batch", "errors": errors, "request_counts": counts}
