"""Answers that come bit by bit over HTTP and gRPC: in order, no faster than they are read, cancelled and counted."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests import toy
from tests.integration.serving.running import Server, serving
from tests.patience import PATIENCE_S, until

from glassworks.serving.transports.grpc.messages import message

PATH = "/v2/models/toy/generate_stream"


@pytest.fixture(scope="module", params=["thread", "process"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("streams")
    with toy.installed(home), pytest.MonkeyPatch.context() as patch:
        path = os.pathsep.join([str(home), str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
        patch.setenv("PYTHONPATH", path)
        folder = str(toy.bundle(home / "bundle").folder)
        with serving(home / "home", folder, "--engine", request.param) as running:
            yield running


@contextlib.contextmanager
def streaming(server: Server, text: str, **parameters: object) -> Iterator[http.client.HTTPResponse]:
    connection = server.connect()
    with contextlib.closing(connection):
        body = json.dumps({"text": text, **parameters}).encode()
        connection.request("POST", PATH, body)
        yield connection.getresponse()


def event(response: http.client.HTTPResponse) -> Any:
    """The next event; None at the end."""
    line = response.readline()
    if not line:
        return None
    assert line.startswith(b"data: ")
    assert response.readline() == b"\n"
    return json.loads(line[6:])


def test_each_chunk_is_an_event_as_soon_as_it_is_there(server: Server, tmp_path: Path) -> None:
    with streaming(server, "a b c", folder=str(tmp_path), id="7") as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["transfer-encoding"] == "chunked"
        first = event(response)
        assert first == {
            "model_name": "toy",
            "model_version": "1",
            "id": "7",
            "text": "a",
            "parameters": {"prompt_tokens": 3, "completion_tokens": 1},
        }
        (tmp_path / "go").touch()
        second, third = event(response), event(response)
        assert [second["text"], third["text"]] == ["b", "c"]
        assert third["parameters"] == {"prompt_tokens": 3, "completion_tokens": 3, "finish_reason": "stop"}
        assert event(response) is None


def test_the_configuration_says_that_it_streams(server: Server) -> None:
    assert server.get("/v2/models/toy/config")["model_transaction_policy"] == {"decoupled": True}


def test_an_error_between_two_chunks_is_an_event(server: Server) -> None:
    with streaming(server, "a fail b") as response:
        assert event(response)["text"] == "a"
        assert event(response) == {"error": "the text fails; send another one"}
        assert event(response) is None


def test_a_client_that_leaves_cancels_within_a_chunk(server: Server, tmp_path: Path) -> None:
    before = counted(server)
    with streaming(server, "count", folder=str(tmp_path)) as response:
        assert event(response)["text"] == "0"
    (tmp_path / "go").touch()
    until((tmp_path / "closed").exists)
    until(lambda: counted(server)["dropped"] == before["dropped"] + 1)
    assert len((tmp_path / "words").read_text().split()) < 20


def test_the_engine_waits_for_a_client_that_does_not_read(server: Server, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    connection = server.socket()
    text = "word " * 200
    body = json.dumps({"text": "count", "folder": str(tmp_path), "id": text * 50}).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: {server.address}\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    made = most_words(server, tmp_path)
    connection.close()
    until((tmp_path / "closed").exists)
    assert made < 10_000


def most_words(server: Server, folder: Path) -> int:
    """How many words there are when there are no more for a while."""
    most, still = 0, 0
    while still < 20:
        made = len((folder / "words").read_text().split()) if (folder / "words").exists() else 0
        still = still + 1 if made == most and made > 10 else 0
        most = made
        assert server.send("GET", "/v2/health/live")[0] == 200
    return most


def test_whole_answers_are_still_there(server: Server) -> None:
    status, answer = server.send("POST", "/v2/models/toy/generate", b'{"text": "hello"}')
    assert (status, answer["text"]) == (200, "HELLO")


def asked(text: str, **parameters: Any) -> Any:
    request = message("ModelInferRequest")(model_name="toy", id=text)
    request.inputs.add(name="text", datatype="BYTES", shape=[1]).contents.bytes_contents.append(text.encode())
    for name, value in parameters.items():
        field = "bool_param" if isinstance(value, bool) else "string_param"
        setattr(request.parameters[name], field, value)
    return request


@contextlib.contextmanager
def stream(server: Server) -> Iterator[Any]:
    with grpc.insecure_channel(server.grpc) as channel:
        yield channel.stream_stream(
            "/inference.GRPCInferenceService/ModelStreamInfer",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=message("ModelStreamInferResponse").FromString,
        )


def flat(response: Any) -> tuple[str, list[bytes], bool, str]:
    """Id, text, whether it says that it is the last one, and the error."""
    inner = response.infer_response
    texts = [text for output in inner.outputs for text in output.contents.bytes_contents]
    return inner.id, texts, inner.parameters["triton_final_response"].bool_param, response.error_message


def test_a_request_has_a_response_a_chunk(server: Server) -> None:
    with stream(server) as call:
        answers = list(call(iter([asked("a b"), asked("x fail"), asked("c")]), timeout=PATIENCE_S))
    assert [flat(answer) for answer in answers] == [
        ("a b", [b"a"], False, ""),
        ("a b", [b"b"], True, ""),
        ("x fail", [b"x"], False, ""),
        ("x fail", [], False, "the text fails; send another one"),
        ("c", [b"c"], True, ""),
    ]
    inner = answers[1].infer_response.parameters
    assert [inner["prompt_tokens"].int64_param, inner["completion_tokens"].int64_param] == [2, 2]
    assert inner["finish_reason"].string_param == "stop"


def test_who_asks_for_it_is_sent_an_empty_last_response(server: Server) -> None:
    with stream(server) as call:
        open_end = asked("a b endless", triton_enable_empty_final_response=True)
        answers = [flat(answer) for answer in call(iter([open_end]), timeout=PATIENCE_S)]
    assert answers[-2:] == [("a b endless", [b"endless"], False, ""), ("a b endless", [], True, "")]


def test_a_call_that_is_cancelled_cancels_the_engine(server: Server, tmp_path: Path) -> None:
    with stream(server) as call:
        answers = call(iter([asked("count", folder=str(tmp_path))]), timeout=PATIENCE_S)
        assert flat(next(answers))[1] == [b"0"]
        answers.cancel()
        (tmp_path / "go").touch()
        until((tmp_path / "closed").exists)
    assert len((tmp_path / "words").read_text().split()) < 20


def test_the_engine_waits_for_a_call_that_is_not_read(server: Server, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    request = asked("count", folder=str(tmp_path))
    request.id = "x" * 50_000
    with stream(server) as call:
        answers = call(iter([request]), timeout=PATIENCE_S)
        next(answers)
        assert most_words(server, tmp_path) < 10_000
        for expected in range(1, 200):
            assert flat(next(answers))[1] == [str(expected).encode()]
        answers.cancel()
        until((tmp_path / "closed").exists)


def counted(server: Server) -> dict[str, float]:
    """What the metrics have counted of requests."""
    connection = server.connect()
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    names = ("tokens", "requests", "dropped")
    return {
        name: float(line.rpartition(" ")[2])
        for name in names
        for line in lines
        if line.startswith(f"glassworks_{name}_total{{")
    }


def test_tokens_are_counted(server: Server) -> None:
    before = counted(server)
    with streaming(server, "a b c d") as response:
        response.read()
    until(lambda: counted(server)["requests"] == before["requests"] + 1)
    assert counted(server)["tokens"] == before["tokens"] + 8
