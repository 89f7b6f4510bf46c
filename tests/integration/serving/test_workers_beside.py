"""The service keeps a worker beside it: out of its way, started again when it dies, ended with the service."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.integration.serving.running import Server, serving
from tests.patience import until

from glassworks.config import ServingConfig
from glassworks.families.convnet.synthetic import write_bars
from glassworks.packaging.bundle import Bundle
from glassworks.registry import Registry
from glassworks.runs import Run, Runs
from glassworks.serving.supervision import Supervisor
from glassworks.serving.workers import Workers


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GLASSWORKS_HOME", str(tmp_path))
    write_bars(tmp_path / "bars.npz", examples=240, side=16, seed=0)
    return tmp_path


def training(home: Path, epochs: int) -> Mapping[str, Any]:
    options = {"epochs": epochs, "batch_size": 32, "checkpoint_every": "0.1s", "precision": "fp32"}
    data = {"source": f"npz:{home / 'bars.npz'}"}
    return {"job": {"name": "bars", "family": "convnet", "data": data, "training": options}}


def processes(words: str, parent: int | None = None) -> list[int]:
    """Of this command line, those that `parent` has started, or all."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        except OSError:
            continue
        if words in command and parent in (None, int(status["PPid"])) and not status["State"].strip().startswith("Z"):
            found.append(int(folder.name))
    return found


def workers(server: Server) -> list[int]:
    return processes("glassworks worker", server.process.pid)


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def begun(runs: Runs, run: Run) -> Run:
    until(lambda: runs.get(run.id).stage == "train" and runs.get(run.id).step > 0, "the beginning of the run")
    return runs.get(run.id)


def executing(run: Run) -> int:
    (found,) = processes(f"glassworks.runs.execution {run.id}")
    return found


def troubles(server: Server) -> Mapping[str, Any]:
    health = server.get("/v2/health/live")
    return {each["part"]: each for each in health["troubles"]}


def test_a_run_is_taken_out_of_the_way_of_the_service_and_given_back_at_its_end(
    tiny_bundle: Bundle, home: Path
) -> None:
    runs = Runs(Registry.open())
    run = runs.submit("train", training(home, epochs=5000))
    with serving(home, str(tiny_bundle.folder), "--no-grpc", "--workers", "1", "--drain-s", "20") as server:
        begun(runs, run)
        executor = executing(run)
        (worker,) = workers(server)
        mine = os.sched_getaffinity(0)
        assert os.getpriority(os.PRIO_PROCESS, executor) >= 10
        assert os.getpriority(os.PRIO_PROCESS, server.process.pid) == os.getpriority(os.PRIO_PROCESS, 0)
        assert os.sched_getaffinity(executor) == (mine - {min(mine)} or mine)
        assert os.sched_getaffinity(server.process.pid) == mine
        server.process.send_signal(signal.SIGTERM)
        until(lambda: server.process.poll() is not None, "the end of the service")
        assert server.process.returncode == 0
        until(lambda: not alive(worker) and not alive(executor), "the end of the worker")
    found = runs.get(run.id)
    assert (found.state, found.request["threads"]) == ("interrupted", max(1, len(mine) - 1))
    states = [event.data for event in runs.events(run.id, limit=10**6) if event.kind == "state"]
    assert states[-1] == {"state": "interrupted"}  # given back, not found dead
    runs.cancel(run.id)


def test_a_worker_that_dies_is_seen_and_started_again(tiny_bundle: Bundle, home: Path) -> None:
    runs = Runs(Registry.open())
    with serving(home, str(tiny_bundle.folder), "--no-grpc", "--workers", "2", "--drain-s", "20") as server:
        until(lambda: len(workers(server)) == 2, "two workers")
        assert not troubles(server)
        first = workers(server)[0]
        os.kill(first, signal.SIGKILL)
        until(lambda: bool(troubles(server)), "the trouble")
        (trouble,) = troubles(server).values()
        assert trouble["part"].startswith("worker")
        assert trouble["suffers"]
        assert "was ended by SIGKILL" in trouble["lasting"]
        until(lambda: len(workers(server)) == 2 and first not in workers(server), "another worker")
        until(lambda: not any(each["suffers"] for each in troubles(server).values()), "the recovery")
        run = runs.submit("train", training(home, epochs=1))
        until(lambda: runs.get(run.id).state == "succeeded", "the run")


def test_no_worker_outlives_a_service_that_is_killed(tiny_bundle: Bundle, home: Path) -> None:
    runs = Runs(Registry.open())
    run = runs.submit("train", training(home, epochs=5000))
    with serving(home, str(tiny_bundle.folder), "--no-grpc", "--workers", "1", "--drain-s", "20") as server:
        begun(runs, run)
        (worker,), executor = workers(server), executing(run)
        server.process.kill()
        until(lambda: not alive(worker) and not alive(executor), "the end of the worker")
    assert runs.get(run.id).state == "interrupted"
    runs.cancel(run.id)


def test_none_is_started_where_none_is_wanted(tmp_path: Path) -> None:
    async def started() -> int:
        beside = Workers(ServingConfig(workers=0), tmp_path, Supervisor())
        await beside.start()
        await beside.stop(0.0)
        return len(beside._tasks)

    assert asyncio.run(started()) == 0
