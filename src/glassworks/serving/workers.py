"""Workers beside the service: processes that take runs, so that whoever serves need not think of starting them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import IO

from glassworks.config import ServingConfig
from glassworks.machine import modules_path
from glassworks.serving.supervision import Supervisor
from glassworks.storage import storage_errors

_FIRST_S = 1.0
"""Until the first start: the service comes first, and one that is only asked something and ends needs no worker."""
_LONGEST_PAUSE_S, _WELL_S = 60.0, 5.0
_END_S = 1.0
"""Before the service is out of time, a run that has not stopped by then is given back as it is."""


class Workers:
    """Each is started again, after longer and longer pauses, whenever it ends; all end with the service.

    Their processes come after everybody else's (`glassworks worker` sees to it), and leave the service a processor.
    """

    def __init__(self, config: ServingConfig, home: Path, supervisor: Supervisor) -> None:
        self._count, self._drain_s, self._supervisor = config.workers, config.drain_s, supervisor
        self._log = home / "logs" / "worker.log"
        self._tasks: list[asyncio.Task[None]] = []
        self._processes: dict[str, asyncio.subprocess.Process] = {}

    async def start(self) -> None:
        """Begin, a moment later."""
        names = ["worker", *(f"worker {number}" for number in range(2, self._count + 1))][: self._count]
        self._tasks = [self._supervisor.keep(name, partial(self._keep, name)) for name in names]

    async def stop(self, grace_s: float) -> None:
        """Let each give its run back, so that another worker goes on with it; end those that take too long."""
        for task in self._tasks:
            task.cancel()
        processes = list(self._processes.values())
        try:
            for process in processes:
                _send(process, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await asyncio.gather(*(process.wait() for process in processes))
        finally:
            for process in processes:
                _send(process, signal.SIGKILL)

    async def _keep(self, name: str) -> None:
        pause, loop = _FIRST_S, asyncio.get_running_loop()
        while True:
            await asyncio.sleep(pause)
            begun = loop.time()
            how = await self._work(name)
            pause = _FIRST_S if loop.time() - begun > _LONGEST_PAUSE_S else min(2 * pause, _LONGEST_PAUSE_S)
            self._supervisor.suffers(name, f"it {how}, and is started again in {pause:.0f} s; see {self._log}")

    async def _work(self, name: str) -> str:
        """Start it, and say how it ended."""
        well = None
        try:
            with _opened(self._log) as log:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-P", "-m", "glassworks", "worker"),
                    *("--beside-service", "--end-with-stdin", "--stop-s", str(max(0.0, self._drain_s - _END_S))),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    # It finds the modules that this process finds, and none of the folder where this was started.
                    env={**os.environ, "PYTHONPATH": modules_path()},
                    # Ctrl-C in a terminal goes to the service alone, which ends this one.
                    start_new_session=True,
                )
            self._processes[name] = process
            well = asyncio.get_running_loop().call_later(_WELL_S, self._supervisor.recovered, name)
            code = await process.wait()
        except OSError as error:
            return f"cannot be started: {error}"
        finally:
            if well is not None:
                well.cancel()
        return f"ended with the code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"


def _opened(log: Path) -> IO[bytes]:
    """A file that only its owner may read."""
    with storage_errors(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        return os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


def _send(process: asyncio.subprocess.Process, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)
