"""Batches of a server: made, looked at and cancelled by their owners, and worked off beside the requests of people."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from glassworks.errors import InputError
from glassworks.serving.access.clock import Clock
from glassworks.serving.batches.asking import Background
from glassworks.serving.batches.files import FileStore
from glassworks.serving.batches.records import ACTIVE, Batch
from glassworks.serving.batches.run import Run, Surroundings
from glassworks.serving.batches.store import BatchStore
from glassworks.serving.core.worker import Worker
from glassworks.storage import storage_errors

if TYPE_CHECKING:
    from glassworks.serving.core.dispatcher import Dispatcher

_PART = "batches"
_LOOK_S = 0.5
"""Between looks for what other processes of the same folder have asked for."""
_PURGE_S = 60.0
_WAITING = 1024
MOST_ACTIVE = 100
"""Batches of one owner that have not ended."""


class Batches:
    """The files and batches in a folder. One process of all that share it works them off, whichever comes first; when
    it ends, however it does, another one goes on. Methods but `start` and `stop` run on `thread`."""

    def __init__(self, home: Path, dispatcher: Dispatcher, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self.background = Background(dispatcher)
        self.store, self.files = BatchStore(home), FileStore(home, self._clock)
        self.thread = Worker(_PART, _WAITING)
        self._folder, self._dispatcher = home / "batches", dispatcher
        self._around = Surroundings(self.store, self.files, self._folder, self.thread, self._clock, self.background)
        self._runs: dict[str, tuple[Run, asyncio.Task[None]]] = {}
        """By their batches: of each owner one that asks."""
        self._wake = asyncio.Event()
        self._lock: int | None = None
        self._task: asyncio.Task[None] | None = None
        self._purge_at = 0.0

    def create(self, owner: str, draft: Batch) -> Batch:
        """Keep a new batch. Raises InputError, NotFound."""
        file = self.files.get(owner, draft.input_file_id)
        if file.purpose != "batch":
            raise InputError(
                f"the file '{file.id}' has the purpose '{file.purpose}'", "send it again with the purpose 'batch'"
            )
        if len(self.store.active(owner)) >= MOST_ACTIVE:
            raise InputError(f"{MOST_ACTIVE} of your batches have not ended", "wait for one, or cancel one")
        self.store.add(draft)
        return draft

    def cancel(self, owner: str, identity: str) -> Batch:
        """Begin to end a batch. Raises NotFound, and InputError for one that has ended."""
        self.store.get(owner, identity)
        now = int(self._clock.wall())

        def changed(batch: Batch) -> Batch:
            if batch.status not in ACTIVE:
                raise InputError(f"the batch is {batch.status} already", "only one that goes on can be cancelled")
            return batch if batch.status in ("cancelling", "finalizing") else batch.turned("cancelling", now)

        return self.store.change(identity, changed)

    def seen(self, batch: Batch) -> Batch:
        """With its counts as they are now."""
        found = self._runs.get(batch.id)
        return batch if found is None or batch.status not in ACTIVE else batch.model_copy(update=found[0].counts)

    def new_id(self) -> str:
        """Of a batch."""
        return f"batch_{secrets.token_hex(16)}"

    def now(self) -> int:
        """Seconds since 1970."""
        return int(self._clock.wall())

    def look(self) -> None:
        """Something has changed; on the event loop."""
        self._wake.set()

    async def start(self) -> None:
        """Begin to work."""
        self._task = self._dispatcher.models.supervisor.keep(_PART, self._watch)

    async def stop(self, grace_s: float) -> None:
        """End; what is being answered is asked again at the next start."""
        tasks = [task for _, task in self._runs.values()] + ([self._task] if self._task is not None else [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.thread.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _watch(self) -> None:
        while True:
            if await self.thread.run(self._mine):
                await self._turn()
            # Not wait_for: in Python 3.11 it loses a cancellation that comes together with what it waits for.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._wake.wait()
            self._wake.clear()

    async def _turn(self) -> None:
        """Begin what waits, and pass on what was cancelled."""
        for batch in await self.thread.run(self.store.active):
            ends = batch.status in ("cancelling", "finalizing")
            if batch.id in self._runs:
                if batch.status == "cancelling":
                    self._runs[batch.id][0].cancel()
            elif ends or all(run.batch.owner != batch.owner for run, _ in self._runs.values()):
                run = Run(batch, self._around)
                self._runs[batch.id] = run, asyncio.create_task(self._work(run))
        if self._clock.monotonic() >= self._purge_at:
            self._purge_at = self._clock.monotonic() + _PURGE_S
            await self.thread.run(self.files.purge)

    async def _work(self, run: Run) -> None:
        """One that fails is begun again at the next look, where it stands."""
        supervisor = self._dispatcher.models.supervisor
        try:
            await run()
            supervisor.recovered(_PART)
            self._wake.set()
        except Exception as error:  # noqa: BLE001 - one batch must not end the others
            supervisor.failed(_PART, error)
            supervisor.suffers(_PART, f"a batch does not go on: {error}")
        finally:
            del self._runs[run.batch.id]

    def _mine(self) -> bool:
        """Whether this process works off the batches of the folder: the lock is its own as long as it lives."""
        if self._lock is None and self._folder.parent.joinpath("batches.db").exists():
            with storage_errors(self._folder):
                self._folder.mkdir(parents=True, exist_ok=True)
                file = os.open(self._folder / "worker.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
            else:
                self._lock = file
                self._tidy()
        return self._lock is not None

    def _tidy(self) -> None:
        """Delete journals whose answers are kept: a kill may have come between."""
        active = {batch.id for batch in self.store.active()}
        for path in self._folder.glob("*.jsonl"):
            if path.name.partition(".")[0] not in active:
                path.unlink(missing_ok=True)
