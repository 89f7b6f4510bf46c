"""Files that become data, sent in parts: a connection that breaks costs one part at most."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from glassworks.control.access import Controlled, Operator
from glassworks.control.problems import Problem
from glassworks.control.resources.data import DataItem, item_of
from glassworks.control.state import Control
from glassworks.data.uploads.receiving import PART_BYTES, Uploads, WrongOffset
from glassworks.data.uploads.records import Kind
from glassworks.data.uploads.store import DataStore
from glassworks.errors import InputError, Overloaded
from glassworks.serving.failures import problem

router = APIRouter(prefix="/uploads", tags=["data"])
_AT_ONCE = 4
"""A large file takes minutes of one of the few threads that all resources share."""
_taking_in = threading.BoundedSemaphore(_AT_ONCE)
_BYTES: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class NewUpload(BaseModel):
    """A file that will be sent: its name and size, what it holds, and its SHA-256 where it is known."""

    name: str = Field(min_length=1, max_length=1000, examples=["pets.zip"])
    size_bytes: int = Field(ge=0, lt=2**63)
    kind: Kind | None = None
    sha256: str = Field(default="", max_length=64)


class Begun(BaseModel):
    """Where to send parts, from which offset on, and how large they may be; forgotten then unless parts arrive."""

    id: str
    offset: int
    part_bytes: int
    expires_at: datetime


class Arrived(BaseModel):
    """How much has arrived: the offset of the next part."""

    id: str
    offset: int
    size_bytes: int


class Misplaced(Problem):
    """A part that does not follow what has arrived; `offset` is where to go on."""

    offset: int


_MISPLACED: dict[int | str, dict[str, Any]] = {409: {"model": Misplaced, "description": "Go on at another offset."}}


async def _part(request: Request) -> bytes:
    """Of a body that is too large, no more is taken than shows that."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > PART_BYTES:
            raise InputError(
                f"the part has more than {PART_BYTES:,} bytes", f"send parts of at most {PART_BYTES:,} bytes"
            )
    return bytes(content)


@router.post("", status_code=201)
def begin_upload(control: Controlled, caller: Operator, given: NewUpload) -> Begun:
    """Begin to send a file: a zip of class folders of pictures, a table (CSV, TSV, Parquet, JSON lines), or a text."""
    uploads = _uploads(control)
    upload = uploads.begin(given.name, given.size_bytes, given.kind, given.sha256)
    expires = datetime.fromtimestamp(uploads.expires_at(upload.id), UTC)
    return Begun(id=upload.id, offset=0, part_bytes=PART_BYTES, expires_at=expires)


@router.get("/{upload}")
def get_upload(control: Controlled, caller: Operator, upload: str) -> Arrived:
    """How much of a file has arrived: where to go on after a broken connection."""
    about, offset = _uploads(control).find(upload)
    return Arrived(id=about.id, offset=offset, size_bytes=about.size_bytes)


@router.put("/{upload}", response_model=Arrived, responses=_MISPLACED, openapi_extra=_BYTES)
def send_part(
    control: Controlled,
    caller: Operator,
    upload: str,
    content: Annotated[bytes, Depends(_part)],
    offset: Annotated[int, Query(ge=0, lt=2**63, description="Where the part begins.")],
) -> Arrived | JSONResponse:
    """Send a part. To send one again is harmless."""
    uploads = _uploads(control)
    try:
        arrived = uploads.append(upload, offset, content)
    except WrongOffset as error:
        return _misplaced(error)
    return Arrived(id=upload, offset=arrived, size_bytes=uploads.find(upload)[0].size_bytes)


@router.post("/{upload}/complete", status_code=201, response_model=DataItem, responses=_MISPLACED)
def complete_upload(control: Controlled, caller: Operator, upload: str) -> DataItem | JSONResponse:
    """What was sent becomes data; the same content is the same data, whoever sends it."""
    if not _taking_in.acquire(blocking=False):
        raise Overloaded(f"{_AT_ONCE} uploads are being taken in", "ask again in a moment", retry_after_s=2)
    try:
        return item_of(_uploads(control).complete(upload))
    except WrongOffset as error:
        return _misplaced(error)
    finally:
        _taking_in.release()


@router.delete("/{upload}", status_code=204)
def abandon_upload(control: Controlled, caller: Operator, upload: str) -> Response:
    """Forget what has arrived."""
    _uploads(control).abandon(upload)
    return Response(status_code=204)


def _uploads(control: Control) -> Uploads:
    return Uploads(DataStore(control.home))


def _misplaced(error: WrongOffset) -> JSONResponse:
    found = {**problem(error), "offset": error.offset}
    return JSONResponse(found, 409, media_type="application/problem+json")
