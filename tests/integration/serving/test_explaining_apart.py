"""The process beside the server that explains: when it begins, what it holds, how it ends."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.serving.running import WAIT_S, Server, request, serving
from tests.patience import until

from glassworks.packaging.bundle import Bundle

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
    held = [str(file.readlink()) for file in Path(f"/proc/{child}/fd").iterdir()]
    assert [name for name in held if name.startswith("socket:")] == []
    loaded = Path(f"/proc/{child}/maps").read_text()
    assert "onnxruntime" in loaded
    assert "libtorch" not in loaded


def test_a_killed_one_costs_what_it_was_at(server: Server) -> None:
    connection = server.connect()
    connection.request("POST", f"{server.path}/explain", LONG)
    first = only_child(server)
    os.kill(first, signal.SIGKILL)
    response = connection.getresponse()
    assert response.status == 503
    assert response.headers["retry-after"] == "1"
    text = response.read().decode()
    assert text == '{"error":"the process that explains was ended by SIGKILL; send the request again"}'
    connection.close()
    assert server.post("infer", BODY)[0] == 200
    status, answer = server.post("explain", BODY)
    assert (status, answer["parameters"]["converged"]) == (200, True)
    assert only_child(server) != first
    (stats,) = server.get(f"{server.path}/stats")["model_stats"]
    assert stats["explanations"]["count"] == 1
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
def test_a_server_that_is_told_to_stop_ends_it_after_the_last_answer(number: int, server: Server) -> None:
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
        status, apart = server.post("explain", BODY)
        assert status == 200
    for answer in (apart, threaded):
        assert answer["parameters"].pop("milliseconds") > 0
    assert apart == threaded
