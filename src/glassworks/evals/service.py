"""Evaluations of a server: those that are queued are done beside the requests of people."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import time
from functools import partial

from glassworks.errors import Cancelled, GlassworksError
from glassworks.evals.store import EvaluationStore
from glassworks.evals.tables import TABLES
from glassworks.evals.work import Around, EvaluationWork
from glassworks.registry import Registry
from glassworks.registry.connected import Connected
from glassworks.runs import Runs
from glassworks.runs.queue import Lost, Queue, Report
from glassworks.runs.works.evaluation import Evaluation as Kind
from glassworks.serving.batches.asking import AT_ONCE, Background
from glassworks.serving.core.worker import Worker, step_back
from glassworks.serving.supervision import Supervisor

_PART = "evaluations"
_LOOK_S, _SURE_S = 0.5, 5.0
"""Between looks whether the database has changed; between looks into it anyway."""
_WAITING = 1024
_AT_WORK = 100
"""Runs that this process works on together; those of an owner share the requests that are asked at once."""


class Evaluations:
    """What processes of one registry share: a run is taken with a lease, and whoever is killed, another one goes on.
    Methods of `store` run on `thread`."""

    def __init__(self, registry: Registry, background: Background, supervisor: Supervisor) -> None:
        self.thread = Worker(_PART, _WAITING)
        self.grading = Worker("grading", _WAITING, step_back)
        self.folder = registry.home / "evaluations"
        self._registry, self._background, self._supervisor = registry, background, supervisor
        self._name = f"{socket.gethostname()[:60]}-{os.getpid()}"
        self._store: EvaluationStore | None = None
        self._connected = Connected(registry.database)
        self._works: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._rooms: dict[str, asyncio.Semaphore] = {}
        self._seen: object = None
        self._sure_at = 0.0

    @property
    def store(self) -> EvaluationStore:
        """The evals of the registry. Raises RegistryError and StorageError."""
        if self._store is None:
            self._store = EvaluationStore(Runs(self._registry))
        return self._store

    def look(self) -> None:
        """Something was queued; on the event loop."""
        self._sure_at = 0.0
        self._wake.set()

    async def start(self) -> None:
        """Begin to work."""
        self._task = self._supervisor.keep(_PART, self._watch)

    async def stop(self, grace_s: float) -> None:
        """End; runs that are under way wait for the next start, or for another process."""
        tasks = [*self._works, *([self._task] if self._task is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.thread.close()
        self.grading.close()

    async def _watch(self) -> None:
        while True:
            while len(self._works) < _AT_WORK and (work := await self.thread.run(self._taken)):
                task = asyncio.create_task(self._done(*work))
                self._works.add(task)
                task.add_done_callback(self._works.discard)
            # Not wait_for: in Python 3.11 it loses a cancellation that comes together with what it waits for.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._wake.wait()
            self._wake.clear()

    def _taken(self) -> tuple[str, Queue] | None:
        """The next run; the database is asked where it has changed, and now and then."""
        stamp, now = self._connected.stamp(), time.monotonic()
        if stamp is not None and stamp == self._seen and now < self._sure_at:
            return None
        if self._store is None and (stamp == () or self._connected.missing(TABLES)):  # nothing is made by looking
            self._seen, self._sure_at = stamp, now + _SURE_S
            return None
        runs = self.store.runs
        runs.recover()
        queue = Queue(runs, f"{self._name}-{secrets.token_hex(4)}")
        run = queue.claim(only=(Kind.name,))
        if run is None:
            self._seen, self._sure_at = stamp, now + _SURE_S
            return None
        return run.id, queue

    async def _done(self, queued: str, queue: Queue) -> None:
        """To its end, whatever that is."""
        try:
            work = await self.thread.run(lambda: self._work(queued, queue))
            if work is not None:
                await self._worked(queued, queue, work)
            self._supervisor.recovered(_PART)
        except Lost:
            return
        except Exception as error:  # noqa: BLE001 - one evaluation must not end the others
            self._supervisor.failed(_PART, error)

    def _work(self, queued: str, queue: Queue) -> EvaluationWork | None:
        run = self.store.run_of(queued)
        if run is None:
            mend = "make one: POST /v1/evals/EVAL/runs"
            queue.fail(queued, "it belongs to no eval, or to one that was deleted", mend, Report())
            return None
        evaluation = self.store.get(run.owner, run.eval_id)
        room = self._rooms.setdefault(run.owner, asyncio.Semaphore(AT_ONCE))
        around = Around(self.store, self.thread, self.grading, self._background, room, self.folder)
        return EvaluationWork(queued, run, evaluation, queue, around)

    async def _worked(self, queued: str, queue: Queue, work: EvaluationWork) -> None:
        try:
            await work()
        except Cancelled:
            end = partial(queue.cancelled, queued)
        except asyncio.CancelledError:
            # The service stops: the thread still takes this, for nobody waits before it ends.
            await asyncio.shield(self.thread.run(lambda: queue.give_back(queued, work.report)))
            raise
        except Lost:
            raise
        except GlassworksError as error:
            end = partial(queue.fail, queued, error.problem, error.mend)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"[:300]
            await self.thread.run(lambda: queue.fail(queued, problem, "the server's log tells more", work.report))
            raise
        else:
            return
        await self.thread.run(lambda: end(work.report))
