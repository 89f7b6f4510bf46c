"""The Python client."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from glassworks.client import Client, methods, transport
from glassworks.errors import Changed, InputError, Overloaded, ServingError

ROOT, METHODS = Path(__file__).parents[3], Path(str(methods.__file__)).parent


def test_its_methods_are_those_of_the_api(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "docs" / "generate_client.py", tmp_path], check=True, cwd=ROOT)
    written, there = ({path.name: path.read_text() for path in folder.glob("*.py")} for folder in (tmp_path, METHODS))
    assert written == there, "run `make docs` and commit what it writes"


class Scripted(BaseHTTPRequestHandler):
    """Answers with what comes next."""

    answers: list[tuple[int, bytes]]
    asked: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("last-event-id")))
        status, body = self.answers.pop(0)
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *said: object) -> None:
        """Nothing."""


@pytest.fixture
def scripted() -> Iterator[tuple[type[Scripted], Client]]:
    class Mine(Scripted):
        answers: list[tuple[int, bytes]] = []
        asked: list[tuple[str, str | None]] = []

    server = ThreadingHTTPServer(("127.0.0.1", 0), Mine)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with Client(f"http://127.0.0.1:{server.server_port}", key="gw_x") as client:
        yield Mine, client
    server.shutdown()
    server.server_close()


def test_a_stream_goes_on_behind_the_last_event(scripted: tuple[type[Scripted], Client]) -> None:
    server, client = scripted
    line = b"id: %d\nevent: state\ndata: {}\n\n"
    server.answers += [(200, b": \n\n" + line % 3 + line % 4), (503, b"{}"), (200, line % 5)]
    events = client.stream_runs()
    assert [next(events).id for _ in range(3)] == ["3", "4", "5"]
    events.close()  # type: ignore[attr-defined]
    assert [last for _, last in server.asked] == [None, "4", "4"]


@pytest.mark.parametrize(
    ("status", "kind"), [(412, Changed), (400, InputError), (422, InputError), (503, Overloaded), (500, ServingError)]
)
def test_what_is_answered_is_raised(
    status: int, kind: type[Exception], scripted: tuple[type[Scripted], Client]
) -> None:
    server, client = scripted
    errors = [{"key": "a", "problem": "x"}, {"key": "b", "problem": "y"}]
    server.answers.append((status, json.dumps({"detail": "a: x", "mend": "do", "errors": errors}).encode()))
    with pytest.raises(kind, match="a: x; b: y"):
        client.get_run("a b/c")
    assert server.asked[0][0] == "/api/v1/runs/a%20b%2Fc"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"\xff", b""])
def test_an_answer_of_somebody_else_is_an_error_too(body: bytes, scripted: tuple[type[Scripted], Client]) -> None:
    server, client = scripted
    server.answers.append((502, body))
    with pytest.raises(ServingError, match="answered with 502"):
        client.list_runs()


def test_who_is_not_there_is_said_with_a_mend() -> None:
    with Client("http://127.0.0.1:1") as client, pytest.raises(ServingError, match="cannot be reached") as error:
        client.list_runs()
    assert "glassworks serve" in error.value.mend


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "localhost", "ftp://a", ""])
def test_an_address_without_a_scheme_is_said(url: str) -> None:
    with pytest.raises(InputError, match="no address") as error:
        Client(url)
    assert f"http://{url}" in error.value.mend


def test_an_error_leaves_the_etag_of_before(scripted: tuple[type[Scripted], Client]) -> None:
    server, client = scripted
    client.etag = '"1"'
    server.answers.append((400, b"{}"))
    with pytest.raises(InputError):
        client.get_deployment("a")
    assert client.etag == '"1"'


def test_a_file_that_is_not_there_is_said_to_be_unreadable(tmp_path: Path) -> None:
    with Client("http://127.0.0.1:1") as client, pytest.raises(InputError, match="cannot be read: No such file"):
        client.upload(tmp_path / "none.zip")


def test_what_answers_without_an_end_is_cut_off(
    scripted: tuple[type[Scripted], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, client = scripted
    monkeypatch.setattr(transport, "_MOST_BYTES", 1000)
    monkeypatch.setattr(transport, "_MOST_LINE", 1000)
    server.answers += [(200, b" " * 1001), (500, b" " * 1001), (200, b"data: " + b"x" * 1001)]
    for ask in (client.list_runs, client.list_runs, lambda: next(client.stream_runs())):
        with pytest.raises(ServingError, match="has more than 1,000 bytes"):
            ask()
