"""What a slow model costs a fast one beside it, and what an engine in a process of its own costs by tensor size.

    python benchmarks/engines.py [seconds]

The slow model sleeps 2 s a call. The fast one is asked 100 times a second, alone and beside it in turns: once with
calls that the event loop makes itself, and once with calls of a millisecond on a thread.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from report import medians_ms, publish

from glassworks.catalog import get
from glassworks.contracts import Family
from glassworks.flow import train
from glassworks.packaging.bundle import Bundle
from glassworks.packaging.opened import OpenedBundle
from glassworks.progress import Silent
from glassworks.registry import Registry
from glassworks.serving.core.dispatcher import Dispatcher
from glassworks.serving.core.engines import messages
from glassworks.serving.core.engines.opening import Placement, Where, open_engines
from glassworks.serving.core.model import LoadedModel
from glassworks.serving.core.models import Models
from glassworks.serving.requests import Call, InferRequest
from glassworks.serving.supervision import Supervisor

SLOW_S, FAST_S, PAUSE_S = 2.0, 0.001, 0.01
ROUNDS = 10
ROWS = (1, 4, 16, 32, 64, 256, 1024, 4096)


def picture(rows: int) -> dict[str, Any]:
    return {"image": np.random.default_rng(0).random((rows, 1, 16, 16), np.float32)}


def read(model: LoadedModel) -> InferRequest:
    return InferRequest(picture(1))


def sleeping(model: LoadedModel, seconds: float) -> None:
    """Let each call of a model take so long, on its thread."""
    run: Callable[[Any], Any] = model.engines.computing.infer

    def slow(tensors: Any) -> Any:
        time.sleep(seconds)
        return run(tensors)

    model._batcher._run, model._batcher._executor = slow, model._threads.computing


async def latencies_ms(dispatcher: Dispatcher, seconds: float) -> list[float]:
    """Of the fast model, asked again and again."""
    found, end = [], time.perf_counter() + seconds
    while (begin := time.perf_counter()) < end:
        await dispatcher.infer(Call("fast"), read)
        found.append(1e3 * (time.perf_counter() - begin))
        await asyncio.sleep(PAUSE_S)
    return found


async def keep_busy(dispatcher: Dispatcher) -> None:
    while True:
        await dispatcher.infer(Call("slow"), read)


async def beside(bundle: Bundle, threaded: bool, seconds: float) -> dict[str, float]:
    """Quantiles of the fast model alone and beside the slow one, over all turns."""
    models = Models()
    dispatcher = Dispatcher(models)
    sleeping(models.load(bundle, "slow", "1"), SLOW_S)
    fast = models.load(bundle, "fast", "1")
    if threaded:
        sleeping(fast, FAST_S)
    alone, together = list[float](), list[float]()
    for _ in range(ROUNDS):
        alone += await latencies_ms(dispatcher, seconds / ROUNDS)
        slow = asyncio.ensure_future(keep_busy(dispatcher))
        together += await latencies_ms(dispatcher, seconds / ROUNDS)
        slow.cancel()
    await asyncio.to_thread(models.close)
    return {
        f"{name}_p{percent}_ms": float(np.percentile(values, percent))
        for name, values in (("alone", alone), ("beside", together))
        for percent in (50, 99)
    }


def overheads(bundle: Bundle) -> list[dict[str, float]]:
    """Milliseconds of a call in the process and in another one, its tensors through the pipe or shared memory."""

    def opened(kind: Where) -> Callable[[Any], Any]:
        engines = open_engines(OpenedBundle(bundle), "m@1", Placement(engine=kind), None, Supervisor())
        closing.append(engines.close)
        return engines.computing.infer

    def through(border: int, tensors: Any) -> Any:
        messages.SHARED_BYTES = border
        return there(tensors)

    closing: list[Callable[[], None]] = []
    here, there, rows_of = opened("thread"), opened("process"), []
    for rows in ROWS:
        tensors = picture(rows)
        calls = (
            lambda tensors=tensors: here(tensors),
            lambda tensors=tensors: through(2**62, tensors),
            lambda tensors=tensors: through(0, tensors),
        )
        local, pipe, shared = medians_ms(calls, max(20, 400 // rows))
        size_kib = tensors["image"].nbytes / 1024
        rows_of.append({"KiB": size_kib, "local_ms": local, "pipe_ms": pipe, "shared_ms": shared})
    for close in closing:
        close()
    return rows_of


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    with tempfile.TemporaryDirectory() as folder:
        job = get(Family, "convnet").tiny(Path(folder))
        bundle = train(job, Registry.open({"GLASSWORKS_HOME": f"{folder}/home"}), Silent()).bundle
        found = {
            name: asyncio.run(beside(bundle, threaded, seconds))
            for name, threaded in (("event loop", False), ("thread", True))
        }
        sizes = overheads(bundle)
    rows: list[tuple[str, object, str]] = []
    for name, each in found.items():
        rows += [(f"fast model on the {name}: {figure}", value, "") for figure, value in each.items()]
        ratio = each["beside_p99_ms"] / each["alone_p99_ms"]
        rows.append((f"fast model on the {name}: p99 beside a slow one, ratio", ratio, "at most 1.1"))
    for size in sizes:
        shown = f"{size['local_ms']:.3f}, {size['pipe_ms']:.3f}, {size['shared_ms']:.3f}"
        rows.append((f"{size['KiB']:.0f} KiB in the process, by pipe, by shared memory (ms)", shown, ""))
    publish("engines", {"beside": found, "overhead": sizes}, rows)


if __name__ == "__main__":
    main()
