"""A judge at an address: asked in OpenAI's protocol, refused by what it answers, and no key goes elsewhere."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from glassworks.errors import InputError, ServingError
from glassworks.language.evaluation.judging import judge_of
from glassworks.language.evaluation.remote import Remote
from glassworks.language.evaluation.rows import Example


@contextlib.contextmanager
def server(answer: Any, status: int = 200) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """One that speaks so much of OpenAI's protocol as a judge needs."""
    seen = list[Mapping[str, Any]]()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            seen.append({"key": self.headers.get("authorization"), **body})
            self._answer(answer)

        def do_GET(self) -> None:
            self._answer({"data": [{"id": "one"}, {"id": "two"}]})

        def _answer(self, value: Any) -> None:
            content = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("location", "http://127.0.0.1:9/elsewhere")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as service:
        thread = threading.Thread(target=service.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{service.server_port}/v1", seen
        finally:
            service.shutdown()
            thread.join()


def test_a_judge_at_an_address() -> None:
    said = {"choices": [{"message": {"content": '{"score": 2}'}}]}
    with server(said) as (address, seen):
        judge = judge_of(Remote(f"{address}#grader", {}), "")
        assert judge.grade(Example(id="1", prompt="?"), "an answer") == "2"
        assert seen[0]["model"] == "grader"
        assert seen[0]["key"] is None
        assert seen[0]["response_format"]["json_schema"]["schema"]["required"] == ["score"]
        with pytest.raises(InputError, match="has 2 models: one, two"):
            Remote(address, {})
        keyed = Remote(f"{address}#m", {"GLASSWORKS_JUDGE_KEY": "secret"})
        keyed.say([], {})
        assert seen[-1]["key"] == "Bearer secret"


@pytest.mark.parametrize(
    ("answer", "status", "problem"),
    [
        ({"choices": []}, 200, "another form"),
        (b"<html>", 200, "no JSON"),
        ({}, 302, "answered 302"),
        ({"error": "key"}, 401, "answered 401"),
        (b"x" * (2**20 + 1), 200, "without an end"),
    ],
)
def test_a_judge_that_answers_otherwise_ends_it(answer: Any, status: int, problem: str) -> None:
    with server(answer, status) as (address, _), pytest.raises(ServingError, match=problem) as caught:
        Remote(f"{address}#m", {"GLASSWORKS_JUDGE_KEY": "secret"}).say([], {})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("address", ["http://", "http://user:word@host/v1#m"])
def test_addresses_that_cannot_be_used(address: str) -> None:
    with pytest.raises(InputError) as caught:
        Remote(address, {})
    assert "word" not in str(caught.value)
