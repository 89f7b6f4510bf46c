"""The process of one run: `python -m glassworks.runs.execution RUN WORKER`, started by a worker.

It ends with its worker: the pipe to its standard input shows that. SIGTERM lets it stop at its next step, after which
another worker may go on.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from typing import Any

from glassworks.catalog import get
from glassworks.contracts import Work
from glassworks.errors import Cancelled, GlassworksError, NotFound
from glassworks.registry import Registry
from glassworks.runs.queue import Lost, Queue
from glassworks.runs.records import Run
from glassworks.runs.reporting import Reporting
from glassworks.runs.store import Runs

LOST = 3
"""Exit code of a process whose run belongs to somebody else by now."""


def main() -> None:
    name, worker = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_worker, name="worker", daemon=True).start()
    registry = Registry.open()
    runs = Runs(registry)
    run = runs.get(name)
    queue, stopping = Queue(runs, worker), threading.Event()
    progress = Reporting(queue, run.id, lambda: _newest(registry, run), lambda: os._exit(LOST))

    def stop(*_: object) -> None:
        stopping.set()
        progress.cancel()

    signal.signal(signal.SIGTERM, stop)
    try:
        _execute(run, queue, progress, stopping)
    except Lost:
        os._exit(LOST)
    sys.stdout.flush()
    # Engines that were stopped in the middle of a call may crash while Python takes them down.
    os._exit(0)


def _execute(run: Run, queue: Queue, progress: Reporting, stopping: threading.Event) -> None:
    with progress.kept():
        try:
            result = _result(run, queue, progress)
        except Cancelled:
            pass
        except GlassworksError as error:
            return queue.fail(run.id, error.problem, error.mend, progress.report())
        except Exception as error:  # noqa: BLE001 - whatever it was, the run ends with it
            traceback.print_exc()
            said = f"{type(error).__name__}: {error}"
            return queue.fail(run.id, said, f"'glassworks runs show {run.id} --log' has the whole", progress.report())
        else:
            return queue.succeed(run.id, result, progress.report())
    end = queue.give_back if stopping.is_set() else queue.cancelled
    return end(run.id, progress.report())


def _result(run: Run, queue: Queue, progress: Reporting) -> Mapping[str, Any]:
    work = get(Work, run.kind)
    request = work.request.model_validate(run.request)
    since = queue.publishing(run.id)
    if since is not None and (published := work.published(request, since)) is not None:
        return published
    return work.run(request, progress)


def _newest(registry: Registry, run: Run) -> int:
    try:
        return registry.versions(run.about.partition("@")[0])[-1].version
    except NotFound:
        return 0


def _end_with_worker() -> None:
    while os.read(0, 64):
        pass
    os._exit(LOST)


if __name__ == "__main__":
    main()
