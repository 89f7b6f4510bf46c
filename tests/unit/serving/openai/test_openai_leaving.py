"""Clients that leave: the answer is cancelled, whether it comes in parts or whole; and an engine that dies."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from tests.integration.serving.running import Server
from tests.patience import until


def ask(server: Server, folder: Path, stream: bool) -> socket.socket:
    """A request whose answer never comes, and has begun."""
    body = json.dumps({"model": "scribe", "prompt": f"wait {folder}", "stream": stream, "max_tokens": 3}).encode()
    connection = server.socket()
    connection.sendall(b"POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    until((folder / "began").exists)
    return connection


@pytest.mark.parametrize("stream", [True, False], ids=["in parts", "whole"])
def test_who_leaves_cancels_the_answer(scribe_server: Server, tmp_path: Path, stream: bool) -> None:
    """While nothing is written to it: its model reads a long prompt."""
    ask(scribe_server, tmp_path, stream).close()
    until((tmp_path / "closed").exists)
    assert not (tmp_path / "go").exists()


@pytest.mark.parametrize("stream", [True, False], ids=["in parts", "whole"])
def test_who_only_sends_nothing_more_gets_the_answer(scribe_server: Server, tmp_path: Path, stream: bool) -> None:
    with ask(scribe_server, tmp_path, stream) as connection:
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1, socket.MSG_PEEK)  # it is asked whether it is there
        (tmp_path / "go").touch()
        content = b""
        while part := connection.recv(65_536):
            content += part
    assert b'"finish_reason":"length"' in content
    assert b"HTTP/1.1 200" in content
    assert (b"data: [DONE]" in content) is stream


@pytest.fixture
def client(scribe_server: Server) -> Iterator[openai.OpenAI]:
    base = f"http://{scribe_server.address}/v1"
    with openai.OpenAI(base_url=base, api_key="none", max_retries=0) as client:
        yield client


def test_an_engine_that_dies_in_the_middle_is_an_event(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIError, match="engine") as died:
        list(client.completions.create(model="scribe", prompt="die now", stream=True))
    assert died.value.body
    with pytest.raises(openai.InternalServerError) as whole:
        client.completions.create(model="scribe", prompt="die again")
    assert whole.value.response.headers["retry-after"]


def test_others_are_answered_after_that(client: openai.OpenAI) -> None:
    found = client.with_options(max_retries=20).completions.create(model="scribe", prompt="a b", max_tokens=4)
    assert found.choices[0].text == "a b a b "
