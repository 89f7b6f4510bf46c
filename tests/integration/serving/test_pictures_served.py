"""A pipeline of operators behind a real socket: files in, pictures out, pixels explained, frames over WebSocket."""

from __future__ import annotations

import base64
import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.integration.serving.running import WAIT_S, Server, serving
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from glassworks.catalog import get
from glassworks.contracts import Family
from glassworks.flow import train
from glassworks.imaging.files import write_jpeg, write_png
from glassworks.packaging.bundle import Bundle
from glassworks.packaging.opened import OpenedBundle
from glassworks.registry import Registry

Pixels = NDArray[Any]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("operators")
    job = get(Family, "image_operators").tiny(folder)
    return train(job, Registry.open({"GLASSWORKS_HOME": str(folder / "home")})).bundle


@pytest.fixture(scope="module")
def server(bundle: Bundle, tiny_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    with serving(home, str(bundle.folder), str(tiny_bundle.folder)) as running:
        yield running


def photograph(height: int = 90, width: int = 130, seed: int = 0) -> Pixels:
    small = np.random.default_rng(seed).integers(0, 256, (9, 13, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def edges(picture: Pixels) -> Pixels:
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    across, down = cv2.Sobel(gray, cv2.CV_32F, 1, 0, ksize=5), cv2.Sobel(gray, cv2.CV_32F, 0, 1, ksize=5)
    return cv2.threshold(cv2.magnitude(across, down), 100, 255, cv2.THRESH_BINARY)[1].astype(np.uint8)


def sent(server: Server, body: bytes, accept: str = "", model: str = "") -> tuple[int, str, bytes, str]:
    connection = server.connect()
    with contextlib.closing(connection):
        headers = {"accept": accept} if accept else {}
        connection.request("POST", f"/v2/models/{model or server.model}/picture", body, headers)
        response = connection.getresponse()
        content_type = response.headers["content-type"]
        return response.status, content_type, response.read(), response.headers.get("x-answer", "")


def decoded(file: bytes) -> Pixels:
    return np.asarray(cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED))


@pytest.mark.parametrize("size", [(1, 1), (90, 130), (301, 203)])
def test_a_jpeg_goes_in_and_a_png_comes_out(server: Server, size: tuple[int, int]) -> None:
    file = write_jpeg(photograph(*size))
    status, kind, body, words = sent(server, file)
    assert (status, kind) == (200, "image/png")
    assert np.array_equal(decoded(body), edges(cv2.cvtColor(decoded(file), cv2.COLOR_BGR2RGB)))
    assert json.loads(words)["width"] == size[1]


def test_words_or_a_jpeg_may_be_asked_for(server: Server) -> None:
    _, kind, body, _ = sent(server, write_png(photograph()), "application/json")
    assert kind == "application/json"
    assert json.loads(body)["maximum"] == 255
    assert sent(server, write_png(photograph()), "image/jpeg")[1] == "image/jpeg"


def test_a_classifier_shows_its_answer_on_the_picture(server: Server, tiny_bundle: Bundle) -> None:
    status, kind, body, words = sent(server, write_png(photograph()), model=tiny_bundle.manifest.name)
    assert (status, kind) == (200, "image/png")
    assert decoded(body).shape == (90, 130, 3)
    assert json.loads(words)["label"] in tiny_bundle.manifest.labels


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"not a picture", "are not a picture"),
        (write_jpeg(photograph())[:-40], "cut short"),
        (b"", "are not a picture"),
    ],
)
def test_what_is_no_whole_picture_is_refused(server: Server, body: bytes, told: str) -> None:
    status, _, answer, _ = sent(server, body)
    assert status == 400
    assert told in json.loads(answer)["error"]


def asked(server: Server, verb: str, files: list[bytes], **more: Any) -> tuple[int, Any]:
    data = [base64.b64encode(file).decode() for file in files]
    tensor = {"name": "image", "shape": [len(files)], "datatype": "BYTES", "data": data}
    return server.post(verb, json.dumps({"inputs": [tensor], **more}).encode())


def test_the_protocol_takes_files_and_pixels(server: Server) -> None:
    picture = photograph(20, 30)
    status, answer = asked(server, "infer", [write_png(picture)])
    assert status == 200
    (output,) = answer["outputs"]
    assert [output["name"], output["datatype"], output["shape"]] == ["picture", "UINT8", [1, 20, 30, 1]]
    assert output["data"] == edges(picture).ravel().tolist()
    status, answer = asked(server, "infer", [write_png(picture), write_png(photograph(21, 30))])
    assert status == 400
    assert "pictures of several sizes" in answer["error"]


def test_a_pixel_of_the_answer_is_explained(server: Server, bundle: Bundle) -> None:
    picture = photograph(20, 30)
    parameters = {"method": "receptive_field", "target": "12,9"}
    status, answer = asked(server, "explain", [write_png(picture)], parameters=parameters)
    assert status == 200, answer
    values = next(each for each in answer["outputs"] if each["name"] == "attributions:image")
    field = np.reshape(values["data"], values["shape"])
    wanted = np.zeros((20, 30))
    wanted[7:12, 10:15] = 1
    wanted[9, 12] = 0
    assert np.array_equal(field[0], np.repeat(wanted[:, :, None], 3, axis=2))
    assert answer["parameters"]["label"] == "pixel 12,9"
    own = OpenedBundle(bundle).explain(picture[None], method="input_x_gradient", target="12,9,2,2")
    status, answer = asked(
        server, "explain", [write_png(picture)], parameters={"method": "input_x_gradient", "target": "12,9,2,2"}
    )
    values = next(each for each in answer["outputs"] if each["name"] == "attributions:image")
    assert np.allclose(np.reshape(values["data"], values["shape"]), own.attribution.values, atol=1e-4)


@pytest.mark.parametrize(
    ("target", "told"), [("30,0", "does not lie in the answer"), ("a cat", "give a pixel"), (3, "give a pixel")]
)
def test_a_target_that_is_not_there_is_told(server: Server, target: int | str, told: str) -> None:
    status, answer = asked(server, "explain", [write_png(photograph(20, 30))], parameters={"target": target})
    assert status == 400
    assert told in answer["error"]


def streaming(server: Server, query: str = "", **more: Any) -> ClientConnection:
    opened: ClientConnection = connect(
        f"ws://{server.address}{server.path}/stream{query}", max_size=None, proxy=None, **more
    )
    return opened


def test_frames_are_answered_one_by_one(server: Server) -> None:
    with streaming(server, "?picture=png") as socket:
        for number in range(3):
            picture = photograph(seed=number)
            socket.send(write_png(picture))
            told = json.loads(socket.recv(WAIT_S))
            assert (told["frame"], told["dropped"]) == (number, 0)
            assert told["answer"]["width"] == 130
            assert np.array_equal(decoded(bytes(socket.recv(WAIT_S))), edges(picture))  # type: ignore[arg-type]


def test_a_broken_frame_costs_only_itself(server: Server) -> None:
    with streaming(server, "?picture=none") as socket:
        socket.send(b"no picture")
        assert "are not a picture" in json.loads(socket.recv(WAIT_S))["error"]
        socket.send(write_png(photograph()))
        assert json.loads(socket.recv(WAIT_S))["frame"] == 1


def test_frames_that_waited_too_long_are_dropped_and_counted(server: Server) -> None:
    file, count = write_jpeg(photograph(1200, 1600)), 40
    with streaming(server, "?picture=none") as socket:
        for _ in range(count):
            socket.send(file)
        answered: list[dict[str, Any]] = []
        while not answered or answered[-1]["frame"] < count - 1:
            answered.append(json.loads(socket.recv(WAIT_S)))
    numbers = [told["frame"] for told in answered]
    assert numbers == sorted(numbers)
    assert numbers[-1] == count - 1
    assert answered[-1]["dropped"] == count - len(answered) > 0


@pytest.mark.parametrize(
    ("path", "headers", "status", "told"),
    [
        ("/v2/models/nobody/stream", {}, 404, "no model 'nobody'"),
        ("", {"Origin": "https://elsewhere.example"}, 403, "another site"),
        ("?picture=gif", {}, 400, "give one of png, jpeg, none"),
    ],
)
def test_who_may_not_stream_is_told(server: Server, path: str, headers: dict[str, str], status: int, told: str) -> None:
    address = path if path.startswith("/") else f"{server.path}/stream{path}"
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://{server.address}{address}", additional_headers=headers, proxy=None)
    assert refused.value.response.status_code == status
    assert told in json.loads(refused.value.response.body or b"{}")["error"]


def test_without_a_websocket_it_says_so(server: Server) -> None:
    status, answer = server.send("GET", f"{server.path}/stream")
    assert status == 400
    assert "over a WebSocket" in answer["error"]


def test_a_stream_ends_when_the_service_does(bundle: Bundle, tmp_path: Path) -> None:
    with serving(tmp_path, str(bundle.folder)) as running:
        with streaming(running) as socket:
            running.process.terminate()
            with pytest.raises(ConnectionClosed):
                socket.recv(WAIT_S)
        assert running.process.wait(WAIT_S) == 0


def test_16_bits_come_out_as_they_are() -> None:
    """PNG keeps them; other numbers are scaled to be seen."""
    deep = np.random.default_rng(0).integers(0, 65_536, (5, 6, 1)).astype(np.uint16)
    assert np.array_equal(decoded(write_png(deep)), deep[:, :, 0])
    assert io.BytesIO(write_png(deep.astype(np.float32))).read(4) == b"\x89PNG"
