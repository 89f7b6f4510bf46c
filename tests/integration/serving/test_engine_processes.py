"""Processes beside the server that compute or explain: when they begin, what they hold, how they end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.serving.running import WAIT_S, Server, request, serving
from tests.patience import until

from glassworks.packaging.bundle import Bundle, write_bundle
from glassworks.registry import Registry

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of processes in files")
BODY = request()
LONG = request(64, parameters={"method": "occlusion"})


@pytest.fixture
def server(tiny_bundle: Bundle, tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path, str(tiny_bundle.folder), "--explain-in", "process") as running:
        yield running


def children(server: Server) -> list[int]:
    """The processes that the server began and that run."""
    tasks = Path(f"/proc/{server.process.pid}/task").glob("*/children")
    return [int(number) for task in tasks for number in task.read_text().split()]


def ended(process: int) -> bool:
    """Whether a process has ended."""
    try:
        # Whoever inherits a process whose parent died may leave it unburied.
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def only_child(server: Server) -> int:
    """The process that explains, once it is there."""
    until(lambda: children(server) != [], "the process that explains")
    (child,) = children(server)
    return child


def test_it_begins_with_the_first_explanation_and_stays(server: Server) -> None:
    assert server.post("infer", BODY)[0] == 200
    assert children(server) == []
    assert server.post("explain", BODY)[0] == 200
    child = only_child(server)
    assert server.post("explain", BODY)[0] == 200
    assert children(server) == [child]


def test_it_leaves_others_the_core_and_holds_nothing_of_the_server(server: Server) -> None:
    assert server.post("explain", BODY)[0] == 200
    child = only_child(server)
    assert os.sched_getscheduler(child) == os.SCHED_IDLE
    assert os.sched_getscheduler(server.process.pid) == os.SCHED_OTHER
    files = [str(file.readlink()) for file in Path(f"/proc/{child}/fd").iterdir()]
    assert [name for name in files if name.startswith("socket:")] == []
    loaded = Path(f"/proc/{child}/maps").read_text()
    assert "onnxruntime" in loaded
    assert "libtorch" not in loaded


def test_a_killed_one_costs_what_it_was_at(server: Server) -> None:
    assert server.post("explain", BODY)[0] == 200
    killed, answers = set[int](), list[dict[str, str]]()

    def kill() -> bool:
        connection = server.connect()
        connection.request("POST", f"{server.path}/explain", LONG)
        killed.add(child := only_child(server))
        os.kill(child, signal.SIGKILL)
        response = connection.getresponse()
        answers.append(json.loads(response.read()))
        connection.close()
        # Killed between two rows, it costs nothing.
        return response.status == 503 and response.headers["retry-after"] == "1"

    until(kill)
    name = server.model
    assert answers[-1] == {"error": f"the explaining process of {name}@1 was ended by SIGKILL; send the request again"}
    assert server.post("infer", BODY)[0] == 200
    status, answer = server.post("explain", BODY)
    assert (status, answer["parameters"]["converged"]) == (200, True)
    assert only_child(server) not in killed
    (stats,) = server.get(f"{server.path}/stats")["model_stats"]
    assert stats["inference_stats"]["fail"]["count"] == 1


def test_a_killed_server_leaves_none_even_in_the_middle_of_a_row(server: Server) -> None:
    connection = server.connect()
    connection.request("POST", f"{server.path}/explain", LONG)
    child = only_child(server)
    server.process.kill()
    server.process.wait(WAIT_S)
    until(lambda: ended(child), "the end of the process that explains")
    connection.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_stops_ends_it_after_the_last_answer(number: int, server: Server) -> None:
    assert server.post("explain", BODY)[0] == 200
    child = only_child(server)
    connection = server.connect()
    connection.request("POST", f"{server.path}/explain", request(8))
    assert server.post("infer", BODY)[0] == 200
    # A supervisor may tell both; the answer is still owed.
    os.kill(child, number)
    server.process.send_signal(number)
    assert connection.getresponse().status == 200
    connection.close()
    assert server.process.wait(WAIT_S) == 0
    until(lambda: ended(child), "the end of the process that explains")
    assert server.process.stderr is not None
    assert server.process.stderr.read() == ""


def test_a_thread_explains_where_that_is_asked_for(tiny_bundle: Bundle, tmp_path: Path) -> None:
    with serving(tmp_path, str(tiny_bundle.folder)) as server:
        status, threaded = server.post("explain", BODY)
        assert status == 200
        assert children(server) == []
    with serving(tmp_path, str(tiny_bundle.folder), "--explain-in", "process") as server:
        status, of_process = server.post("explain", BODY)
        assert status == 200
    for answer in (of_process, threaded):
        assert answer["parameters"].pop("milliseconds") > 0
    assert of_process == threaded


@pytest.fixture
def two(tiny_bundle: Bundle, tmp_path: Path) -> Iterator[Server]:
    """A server with two models, each in a process of its own."""
    registry = Registry.open({"GLASSWORKS_HOME": str(tmp_path)})
    for name in ("first", "second"):
        shutil.copytree(tiny_bundle.folder, tmp_path / name)
        registry.publish(write_bundle(tmp_path / name, tiny_bundle.manifest.model_copy(update={"name": name})))
    with serving(tmp_path, "first", "second", "--engine", "process", "--no-grpc") as running:
        yield running


class Load:
    """Asks a model on one connection until the end; notes how it was answered, and the time that each answer took."""

    def __init__(self, server: Server, model: str) -> None:
        self.statuses: list[int] = []
        self._server, self._path, self._end = server, f"/v2/models/{model}/infer", threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def wait(self, more: int = 20) -> None:
        """Until there are some more answers."""
        before = len(self.statuses)
        until(lambda: len(self.statuses) >= before + more)

    def _run(self) -> None:
        connection = self._server.connect()
        while not self._end.is_set():
            connection.request("POST", self._path, BODY)
            response = connection.getresponse()
            response.read()
            assert response.status == 200 or response.headers["retry-after"] == "1"
            self.statuses.append(response.status)
        connection.close()


def test_a_killed_engine_costs_its_own_requests_and_another_model_does_not_notice(two: Server) -> None:
    first, second = children(two)
    with Load(two, "first") as one, Load(two, "second") as other:
        for process in (one, other):
            process.wait()
        for round_ in range(3):
            os.kill(first if round_ == 0 else next(each for each in children(two) if each != second), signal.SIGKILL)
            one.wait()
            other.wait()
    assert second in children(two)
    assert set(other.statuses) == {200}
    # At most the one request that was under way, each time.
    assert one.statuses.count(503) <= 3
    assert set(one.statuses) <= {200, 503}
    (trouble,) = two.get("/v2/health/live")["troubles"]
    assert trouble["part"] == "engine process of first@1"
    assert trouble["failures"] == 3
    assert 'glassworks_engine_restarts_total{model="first",version="1"} 3.0' in metrics(two)
    assert 'glassworks_engine_restarts_total{model="second",version="1"} 0.0' in metrics(two)


def metrics(server: Server) -> str:
    connection = server.connect()
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def test_engine_processes_answer_explain_and_end_with_a_killed_server(two: Server) -> None:
    path = "/v2/models/first"
    assert two.send("POST", f"{path}/infer", BODY)[0] == 200
    status, answer = two.send("POST", f"{path}/explain", BODY)
    assert (status, answer["parameters"]["converged"]) == (200, True)
    running = children(two)
    assert len(running) == 2
    for child in running:
        files = [str(file.readlink()) for file in Path(f"/proc/{child}/fd").iterdir()]
        assert [name for name in files if name.startswith("socket:")] == []
    two.process.kill()
    two.process.wait(WAIT_S)
    for child in running:
        until(lambda child=child: ended(child), "the end of an engine process")  # type: ignore[misc]


def test_an_unloaded_model_ends_its_process(two: Server) -> None:
    assert two.send("POST", "/v2/repository/models/first/unload") == (200, {})
    until(lambda: len(children(two)) == 1)
    assert two.send("POST", "/v2/repository/models/first/load") == (200, {})
    assert two.send("POST", "/v2/models/first/infer", BODY)[0] == 200
    two.process.send_signal(signal.SIGTERM)
    assert two.process.wait(WAIT_S) == 0
    assert two.process.stderr is not None
    assert two.process.stderr.read() == ""
