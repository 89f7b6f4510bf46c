"""The access log beside requests: nothing waits for it, and what the disk takes only in part is gone on with."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.patience import PATIENCE_S

from glassworks.errors import StorageError
from glassworks.serving.observability import access_log
from glassworks.serving.observability.access_log import AccessLog
from glassworks.serving.supervision import Supervisor
from glassworks.serving.transports.http.exchange import Answer, Exchange

PART = "access log"
KEY = "gw_0123abcd_" + "s" * 43


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "_FLUSH_S", 0.005)


class Disk:
    """What `os.write` is while it is full: it takes `room` bytes more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room: float = float("inf")
        write = os.write

        def limited(file: int, content: bytes) -> int:
            size = int(min(len(content), self.room))
            if size == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.room -= size
            return write(file, content[:size])

        monkeypatch.setattr(os, "write", limited)


def note(log: AccessLog, number: int, target: bytes = b"/v2/models/m/infer?q=1", request_id: bytes = b"") -> None:
    exchange = Exchange("POST", target, {}, b"body")
    exchange.request_id = request_id or b"%d" % number
    log(exchange, Answer(b"answer"))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.002)


def numbers(path: Path) -> list[int]:
    """The requests that were noted; every line is a whole one."""
    return [int(json.loads(line)["request_id"]) for line in path.read_bytes().splitlines()]


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def test_lines_come_in_their_order_and_the_last_ones_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "access.jsonl"

    async def run() -> None:
        await log.start()
        for number in range(100):
            note(log, number)
        await log.stop(1)
        note(log, 100)  # it was in flight while the service stopped

    log = AccessLog(str(path), Supervisor())
    asyncio.run(run())
    log.close()
    assert numbers(path) == list(range(101))
    line = json.loads(path.read_bytes().splitlines()[0])
    assert (line["path"], line["received_bytes"], line["sent_bytes"]) == ("/v2/models/m/infer", 4, 6)


def test_a_full_disk_loses_what_is_too_much_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, supervisor, disk = tmp_path / "access.jsonl", Supervisor(), Disk(monkeypatch)

    async def run() -> None:
        await log.start()
        disk.room = 500  # it ends in the middle of a line
        for number in range(1000):
            note(log, number)
        await until(lambda: disk.room == 0 and bool(supervisor.troubles[PART].lasting))
        assert supervisor.troubles[PART].lasting == "it cannot be written: No space left on device"
        assert supervisor.troubles[PART].lost > 800
        disk.room = float("inf")
        await until(lambda: not supervisor.troubles[PART].lasting)
        note(log, 1000)

    log = AccessLog(str(path), supervisor, max_waiting_bytes=10_000)
    asyncio.run(run())
    log.close()
    found = numbers(path)
    assert found == sorted(set(found))
    assert (found[0], found[-1]) == (0, 1000)
    assert len(found) + supervisor.troubles[PART].lost == 1001
    assert supervisor.troubles[PART].failures == 1


@pytest.mark.parametrize("inside", [False, True], ids=["between lines", "in the middle of a line"])
@pytest.mark.parametrize("how", ["moved", "deleted", "cut"])
def test_a_file_that_goes_away_is_begun_again(
    how: str, inside: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, supervisor, disk = tmp_path / "access.jsonl", Supervisor(), Disk(monkeypatch)

    async def run() -> None:
        await log.start()
        note(log, 0)
        await until(lambda: size(path) > 0)
        if inside:
            disk.room = 20
            note(log, 1)
            await until(lambda: disk.room == 0)
        if how == "moved":
            path.rename(tmp_path / "old")
        elif how == "deleted":
            path.unlink()
        else:
            os.truncate(path, 0)
        disk.room = float("inf")
        note(log, 2)
        await until(lambda: size(path) > 0)

    log = AccessLog(str(path), supervisor)
    asyncio.run(run())
    log.close()
    assert numbers(path) == [2]
    lost = supervisor.troubles[PART].lost if PART in supervisor.troubles else 0
    assert lost == inside


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="there is no folder") as told:
        AccessLog(str(tmp_path / "nodir" / "acc.log"), Supervisor())
    assert "GLASSWORKS_HOME" not in told.value.mend
    assert "make that folder" in told.value.mend


def test_a_disk_that_never_answers_keeps_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forever = threading.Event()

    def hangs(file: int, content: bytes) -> int:
        forever.wait()
        return len(content)

    async def run() -> None:
        await log.start()
        monkeypatch.setattr(os, "write", hangs)
        for number in range(1000):
            note(log, number)

    supervisor = Supervisor()
    log = AccessLog(str(tmp_path / "access.jsonl"), supervisor, max_waiting_bytes=10_000)
    asyncio.run(run())
    log.close(grace_s=0.01)
    assert supervisor.troubles[PART].lost > 800
    forever.set()


@pytest.mark.parametrize("key", [KEY, KEY.replace("_", "%5F"), KEY.replace("g", "%2567", 1), KEY.upper()])
def test_no_key_reaches_a_line(key: str, tmp_path: Path) -> None:
    path = tmp_path / "access.jsonl"

    async def run() -> None:
        await log.start()
        note(log, 0, f"/v2/models/{key}/infer?key={key}".encode(), f"of-{key}".encode())

    log = AccessLog(str(path), Supervisor())
    asyncio.run(run())
    log.close()
    text = path.read_text("utf-8")
    assert "s" * 43 not in text.lower()
    assert "gw_0123abcd_..." in text.lower()
