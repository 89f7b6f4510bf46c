"""Files as OpenAI's clients send and fetch them: `/v1/files`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path

from glassworks.errors import NotFound
from glassworks.serving.codec.forms import Form, Upload
from glassworks.serving.endpoints import Context, Protocol, Schema, endpoint
from glassworks.serving.failures import WrongParameter
from glassworks.serving.protocols._paging import kept, limit_of, page, query
from glassworks.serving.transports.http.exchange import Answer, Exchange, json_answer, token

PURPOSES = ("assistants", "batch", "evals", "fine-tune", "user_data", "vision")
"""Of files that clients send."""
_MADE = ("batch_output", "fine-tune-results")
"""Of files that are made here for their owner."""
_SHORTEST_S, _LONGEST_S = 3600, 30 * 86_400
_FIELDS = ("purpose", "expires_after[anchor]", "expires_after[seconds]")
_MOST, _CHUNK_BYTES = 10_000, 2**18
_ONE = "/v1/files/{file}"
_FILE = Schema("File", {"type": "object", "required": ["id", "object", "bytes", "created_at", "filename", "purpose"]})
_FILES = Schema("Files", {"type": "object", "required": ["object", "data", "has_more"]})


class OpenAIFiles(Protocol):
    """Over the store of files; each is seen by the key that sent it alone."""

    def __init__(self, context: Context) -> None:
        self._context, self._admission = context, context.dispatcher.admission

    @endpoint("POST", "/v1/files", "createFile", "Keep a file.", takes="multipart/form-data", gives=_FILE)
    async def create(self, exchange: Exchange) -> Answer:
        """POST /v1/files: a form of `file`, `purpose` and, if it shall expire, `expires_after`."""
        batches, owner = kept(self._context), self._admission.owner(token(exchange))
        content_type, body = exchange.headers.get(b"content-type", b""), exchange.content()

        def create() -> Answer:
            form = Form(content_type, body)
            upload, purpose, lasts_s = _asked(form)
            return json_answer(batches.files.create(owner, upload.filename, purpose, upload.content, lasts_s).public())

        return await batches.thread.run(create, owner)

    @endpoint("GET", "/v1/files", "files", "The files of the key.", gives=_FILES)
    async def list(self, exchange: Exchange) -> Answer:
        """GET /v1/files?purpose=&limit=&after=&order="""
        batches, owner = kept(self._context), self._admission.owner(token(exchange))
        asked = query(exchange, "purpose", "limit", "after", "order")
        limit, order = limit_of(asked, _MOST, _MOST), asked.get("order", "desc")
        if order not in ("asc", "desc"):
            raise WrongParameter(f"order is {order[:40]!r}", "give asc or desc", "order")
        if (purpose := asked.get("purpose")) not in (None, *PURPOSES, *_MADE):
            raise _wrong_purpose(purpose or "", (*PURPOSES, *_MADE))
        files, more = await batches.thread.run(
            lambda: batches.files.page(owner, limit, asked.get("after"), purpose, order == "asc"), owner
        )
        return page([each.public() for each in files], more)

    @endpoint("GET", _ONE, "file", "What is known of a file.", gives=_FILE)
    async def retrieve(self, exchange: Exchange) -> Answer:
        """GET /v1/files/{file}"""
        batches, owner = kept(self._context), self._admission.owner(token(exchange))
        identity = exchange.parameters["file"]
        return json_answer((await batches.thread.run(lambda: batches.files.get(owner, identity), owner)).public())

    @endpoint("GET", _ONE + "/content", "fileContent", "A file.", gives="application/octet-stream")
    async def content(self, exchange: Exchange) -> Answer:
        """GET /v1/files/{file}/content"""
        batches, owner = kept(self._context), self._admission.owner(token(exchange))
        identity = exchange.parameters["file"]
        file = await batches.thread.run(lambda: batches.files.get(owner, identity), owner)
        parts = _parts(batches.files.path(file))
        if exchange.method == "HEAD":
            return Answer(b"", content_type=b"application/octet-stream")
        # The first part is read here: a file that was deleted meanwhile is an error, and no answer that breaks off.
        first = await anext(parts, b"")
        return Answer(b"", content_type=b"application/octet-stream", stream=_joined(first, parts))

    @endpoint("DELETE", _ONE, "deleteFile", "Forget a file.")
    async def delete(self, exchange: Exchange) -> Answer:
        """DELETE /v1/files/{file}"""
        batches, owner = kept(self._context), self._admission.owner(token(exchange))
        identity = exchange.parameters["file"]
        await batches.thread.run(lambda: batches.files.delete(owner, identity), owner)
        return json_answer({"id": identity, "object": "file", "deleted": True})


def _asked(form: Form) -> tuple[Upload, str, int | None]:
    """The file, its purpose, and how long it is kept. Raises WrongParameter."""
    for name in (*form.fields, *form.files):
        if name not in (*_FIELDS, "file"):
            mend = f"leave it out; a file comes with: {', '.join(_FIELDS)}"
            raise WrongParameter(
                f"the field '{name[:100]}' is not supported", mend, name[:100], "unsupported_parameter"
            )
    upload, purpose = form.files.get("file"), form.fields.get("purpose", "")
    if upload is None:
        raise WrongParameter("the form has no file", "send one as 'file', with its name", "file")
    if purpose not in PURPOSES:
        raise _wrong_purpose(purpose, PURPOSES)
    return (
        upload,
        purpose,
        lasts({name[14:-1]: value for name, value in form.fields.items() if name.startswith("expires_after[")}),
    )


def _wrong_purpose(purpose: str, known: Sequence[str]) -> WrongParameter:
    return WrongParameter(f"purpose is {purpose[:40]!r}", f"give one of: {', '.join(known)}", "purpose")


def lasts(expires_after: Mapping[str, object], name: str = "expires_after") -> int | None:
    """Seconds that a file is kept; None for ever. Raises WrongParameter."""
    if not expires_after:
        return None
    text = str(expires_after.get("seconds", ""))
    known = set(expires_after) == {"anchor", "seconds"} and expires_after["anchor"] == "created_at"
    if not known or not (text.isascii() and text.isdigit() and _SHORTEST_S <= int(text[:9]) <= _LONGEST_S):
        mend = f'give {{"anchor": "created_at", "seconds": N}}, N from {_SHORTEST_S} to {_LONGEST_S}'
        raise WrongParameter(f"{name} is {dict(expires_after)!r:.100}", mend, name)
    return int(text)


async def _parts(path: Path) -> AsyncGenerator[bytes, None]:
    try:
        file = await asyncio.to_thread(path.open, "rb")
    except FileNotFoundError:
        raise NotFound("the file was deleted", "send it again") from None
    with file:
        while part := await asyncio.to_thread(file.read, _CHUNK_BYTES):
            yield part


async def _joined(first: bytes, parts: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    try:
        if first:
            yield first
        async for part in parts:
            yield part
    finally:
        await parts.aclose()
