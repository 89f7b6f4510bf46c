"""A part of the service that fails is logged, counted, and goes on."""

from __future__ import annotations

import asyncio
import logging

import pytest

from glassworks.serving import supervision
from glassworks.serving.supervision import Supervisor, Trouble


def test_a_guarded_callback_fails_alone_and_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    supervisor = Supervisor()
    seen: list[int] = []

    def call(number: int) -> None:
        seen.append(number)
        raise ValueError(f"no {number}")

    guarded = supervisor.guard("sweep", call)
    with caplog.at_level(logging.ERROR):
        guarded(1)
        guarded(2)
    assert seen == [1, 2]
    assert supervisor.troubles["sweep"] == Trouble(2, "ValueError: no 2")
    assert len(caplog.records) == 1  # the second follows within the quiet time


def test_a_kept_task_begins_again_until_it_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "_FIRST_PAUSE_S", 0.0)
    supervisor = Supervisor()
    runs: list[int] = []

    async def work() -> None:
        runs.append(len(runs))
        if len(runs) < 3:
            raise RuntimeError("not yet")

    async def main() -> None:
        await supervisor.keep("watcher", work)

    asyncio.run(main())
    assert runs == [0, 1, 2]
    assert supervisor.troubles["watcher"].failures == 2


def test_a_kept_task_can_be_cancelled() -> None:
    supervisor = Supervisor()

    async def main() -> bool:
        task = supervisor.keep("watcher", lambda: asyncio.sleep(60))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return task.cancelled()

    assert asyncio.run(main())
    assert not supervisor.troubles


def test_a_lasting_trouble_is_told_once_and_ends() -> None:
    supervisor = Supervisor()
    for _ in range(3):
        supervisor.suffers("access log", "no space left")
    assert supervisor.troubles["access log"] == Trouble(1, "no space left", "no space left")
    supervisor.recovered("access log")
    assert supervisor.troubles["access log"] == Trouble(1, "no space left")


def test_what_nobody_caught_on_the_loop_is_counted() -> None:
    supervisor = Supervisor()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(supervisor.loop_failed)
        loop.call_soon(lambda: 1 // 0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    asyncio.run(main())
    assert supervisor.troubles["event loop"].failures == 1
