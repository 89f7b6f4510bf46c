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
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from glassworks.catalog import get
from glassworks.contracts import Work
from glassworks.errors import Cancelled, GlassworksError, UnderWay
from glassworks.machine import give_way_in_memory
from glassworks.registry import Registry
from glassworks.registry.database import PUBLISHED_WITH
from glassworks.runs.queue import Lost, Queue, Report
from glassworks.runs.records import Run
from glassworks.runs.reporting import Reporting
from glassworks.runs.store import Runs

_LATER_S = 10.0
"""Until a run is tried again whose job somebody else trains."""
_MOST_SAID = 300
_SCORE = 600
"""Of a run: where memory runs out, it ends before its worker, which lets it go on later."""
LOST = 3
"""Exit code of a process whose run belongs to somebody else by now."""


def main() -> None:
    name, worker = sys.argv[1:]
    give_way_in_memory(_SCORE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_worker, name="worker", daemon=True).start()
    registry = Registry.open()
    runs = Runs(registry)
    run = runs.get(name)
    queue, stopping = Queue(runs, worker), threading.Event()
    progress = Reporting(queue, run.id, lambda: os._exit(LOST))
    PUBLISHED_WITH.set(lambda connection, version: queue.publish(run.id, connection, version.reference))

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
    ended: Callable[[Report], None]
    with progress.kept():
        try:
            result = _result(run, queue, progress)
        except Cancelled:
            end = queue.give_back if stopping.is_set() else queue.cancelled
            ended = partial(end, run.id)
        except UnderWay:
            ended = partial(queue.give_back, run.id, later_s=_LATER_S)
        except GlassworksError as error:
            ended = partial(queue.fail, run.id, error.problem, error.mend)
        except Lost:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, the run ends with it
            traceback.print_exc()
            said = f"{type(error).__name__}: {error}".partition("\n")[0][:_MOST_SAID]
            ended = partial(queue.fail, run.id, said, f"'glassworks runs show {run.id} --log' has the whole")
        else:
            ended = partial(queue.succeed, run.id, result)
    ended(progress.report())  # nobody writes any more, so that nothing is lost


def _result(run: Run, queue: Queue, progress: Reporting) -> Mapping[str, Any]:
    work = get(Work, run.kind)
    request = work.request.model_validate(run.request)
    if model := queue.published(run.id):
        return work.published(request, model)
    before, request = request, work.fixed(request)
    if request != before:
        was = before.model_dump(mode="json")
        queue.settle(run.id, {key: it for key, it in request.model_dump(mode="json").items() if it != was.get(key)})
    if getattr(request, "finish", False):
        progress.suffice()
    if run.attempts > 1 and "fresh" in work.request.model_fields:
        request = request.model_copy(update={"fresh": False})  # what an attempt of this run left is no old thing
    return work.run(request, progress)


def _end_with_worker() -> None:
    while os.read(0, 64):
        pass
    os._exit(LOST)


if __name__ == "__main__":
    main()
