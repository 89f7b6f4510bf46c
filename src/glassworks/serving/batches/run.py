"""One batch, from wherever it stands to its end: whoever is killed in between, the next one goes on."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from glassworks.errors import NotFound
from glassworks.serving.access.clock import Clock
from glassworks.serving.batches.asking import AT_ONCE, Background
from glassworks.serving.batches.files import FileStore
from glassworks.serving.batches.journal import Journal
from glassworks.serving.batches.lines import Line, body_of, read_lines
from glassworks.serving.batches.records import Batch, LineError, Status, StoredFile
from glassworks.serving.batches.store import BatchStore
from glassworks.serving.core.worker import Worker
from glassworks.serving.transports.http.exchange import Answer

_T = TypeVar("_T")
_EXPIRED = "this request was not answered before the batch's completion window ended; send it in another batch"


@dataclass(frozen=True)
class Surroundings:
    """What all batches of a server share."""

    store: BatchStore
    files: FileStore
    folder: Path
    thread: Worker
    clock: Clock
    background: Background


class Run:
    """The work on one batch."""

    def __init__(self, batch: Batch, around: Surroundings) -> None:
        self.batch, self._around = batch, around
        self._journal = Journal(around.folder, batch.id)
        self._cancelled = asyncio.Event()
        self._input = Path()
        self.total = batch.total

    def cancel(self) -> None:
        """Ask nothing more, and keep what was answered."""
        self._cancelled.set()

    @property
    def counts(self) -> dict[str, int]:
        """As they are now."""
        if not self._journal.is_open:
            return {"total": self.total, "completed": self.batch.completed, "failed": self.batch.failed}
        return {
            "total": self.total,
            "completed": len(self._journal.answered),
            "failed": len(self._journal.failed),
        }

    async def __call__(self) -> None:
        """Go on until the batch has ended. Cancelled, it stays where it is."""
        lines: list[Line] = []
        if self.batch.status in ("validating", "in_progress"):
            lines, errors = await self._validated()
            if errors:
                await self._change("failed", errors=tuple(errors))
                return
            self.total = len(lines)
        await self._on(self._journal.open)
        try:
            if self.batch.status in ("validating", "in_progress"):
                await self._change("in_progress", total=self.total)
            outcome = await self._outcome(lines)
            if outcome == "expired":
                await self._on(lambda: self._journal.keep(self._unanswered(lines), failed=True))
        finally:
            self._journal.close()
        await self._finish(outcome)

    async def _validated(self) -> tuple[list[Line], list[LineError]]:
        def read() -> tuple[list[Line], list[LineError]]:
            try:
                file = self._around.files.get(self.batch.owner, self.batch.input_file_id)
            except NotFound as error:
                return [], [LineError(code="file_not_found", message=f"{error.problem}; send it again")]
            self._input = self._around.files.path(file)
            return read_lines(self._input, self.batch.endpoint)

        return await self._on(read)

    async def _outcome(self, lines: Sequence[Line]) -> Status:
        """How it ends; the lines that can be answered until then are."""
        if self._cancelled.is_set() or self.batch.status == "cancelling":
            return "cancelled"
        if self.batch.status == "finalizing":
            return "completed"
        answering = asyncio.create_task(self._answer_all(lines))
        stopping = asyncio.create_task(self._cancelled.wait())
        left_s = max(0.0, self.batch.expires_at - self._around.clock.wall())
        try:
            await asyncio.wait({answering, stopping}, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                await answering
                return "completed"
            return "cancelled" if stopping.done() else "expired"
        finally:
            for task in (answering, stopping):
                task.cancel()
            await asyncio.gather(answering, stopping, return_exceptions=True)

    async def _answer_all(self, lines: Sequence[Line]) -> None:
        left = iter(self._left(lines))
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._answer_some(left))

    async def _answer_some(self, left: Iterator[Line]) -> None:
        for line in left:
            body = await self._on(lambda line=line: body_of(self._input, line))  # type: ignore[misc]
            number = f"{self.batch.id}-{line.number}"
            ask = self._around.background.answered
            await self._keep(line, await ask(self.batch.owner, self.batch.endpoint, body, number))

    async def _keep(self, line: Line, answer: Answer) -> None:
        response = {
            "status_code": answer.status,
            "request_id": f"{self.batch.id}-{line.number}",
            "body": msgspec.Raw(answer.body or b"null"),
        }
        kept = {line.custom_id: _kept(line.custom_id, response=response)}
        await self._on(lambda: self._journal.keep(kept, failed=answer.status != 200))

    def _unanswered(self, lines: Sequence[Line]) -> dict[str, bytes]:
        error = {"code": "batch_expired", "message": _EXPIRED}
        return {line.custom_id: _kept(line.custom_id, error=error) for line in self._left(lines)}

    def _left(self, lines: Sequence[Line]) -> list[Line]:
        done = self._journal.answered | self._journal.failed
        return [line for line in lines if line.custom_id not in done]

    async def _finish(self, outcome: Status) -> None:
        """The journal's files become files of the owner. Killed in between, the next one does the same again."""
        if outcome == "completed":
            await self._change("finalizing", **self.counts)

        def adopt(path: Path, what: str) -> str | None:
            if not path.exists() or not path.stat().st_size:
                return None
            return self._around.files.adopt(self._draft(what), path).id

        answers = await self._on(lambda: adopt(self._journal.answers, "output"))
        failures = await self._on(lambda: adopt(self._journal.failures, "error"))
        await self._change(outcome, **self.counts, output_file_id=answers, error_file_id=failures)
        await self._on(self._journal.delete)

    def _draft(self, what: str) -> StoredFile:
        now, lasts_s = int(self._around.clock.wall()), self.batch.output_expires_s
        return StoredFile(
            id=f"file-{hashlib.sha256(f'{self.batch.id} {what}'.encode()).hexdigest()[:24]}",
            owner=self.batch.owner,
            filename=f"{self.batch.id}_{what}.jsonl",
            purpose="batch_output",
            size_bytes=0,
            sha256="",
            created_at=now,
            expires_at=None if lasts_s is None else now + lasts_s,
        )

    async def _change(self, status: Status, **more: Any) -> None:
        """Be in another state, unless somebody has cancelled it, which only an end ends."""

        def changed(batch: Batch) -> Batch:
            ends = status not in ("in_progress", "finalizing")
            kept = batch.status == status or (batch.status == "cancelling" and not ends)
            return (
                batch.model_copy(update=more) if kept else batch.turned(status, int(self._around.clock.wall()), **more)
            )

        self.batch = await self._on(lambda: self._around.store.change(self.batch.id, changed))
        if self.batch.status == "cancelling":
            self.cancel()

    async def _on(self, call: Callable[[], _T]) -> _T:
        """What takes some milliseconds, on the thread of batches. It is not left half done."""
        running = asyncio.ensure_future(self._around.thread.run(call))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            with contextlib.suppress(Exception):
                await running
            raise


def _kept(custom_id: str, response: object = None, error: object = None) -> bytes:
    identity = f"batch_req_{secrets.token_hex(12)}"
    return msgspec.json.encode({"id": identity, "custom_id": custom_id, "response": response, "error": error})
