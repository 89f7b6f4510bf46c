"""A small server of OpenAI's API that is right about everything, but for the faults that are switched on."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.unit.conformance.toy_answers import Question
from tests.unit.conformance.toy_endpoints import (
    CHAT,
    COMPLETIONS,
    CONTEXT,
    EMBEDDINGS,
    RESPONSES,
    checked,
    conversation,
    embedded,
    limited,
)
from tests.unit.conformance.toy_faults import changed
from tests.unit.conformance.toy_files import Files
from tests.unit.conformance.toy_model import VOCABULARY, Refusal, encode
from tests.unit.conformance.toy_shapes import Counted, Event, completion
from tests.unit.conformance.toy_turns import Turns

MODELS = ("toy", "toy-2")
_LARGEST = 10_000_000
_LONG, _TOKEN_S, _BURST_S = 150, 0.01, 0.6
_NEW = re.compile("user:[0-9a-f]{12} ")


class Left(Exception):
    """The client is gone."""


class ToyServer(ThreadingHTTPServer):
    """The server; `faults` is what it does wrong now. It answers one request after the other, as a small engine.

    What takes long takes time of `clock` alone, so that no load of the machine makes it take longer or shorter.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, key: str | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.key, self.faults = key, frozenset[str]()
        self.slot, self.number = Turns(), 0
        self.tickets: dict[Any, int] = {}
        self.seconds = 0.0
        self.files = Files(lambda asked: self.answer("/chat/completions", asked))
        self.read: dict[str, str] = {}
        self.cleared = False

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def clock(self) -> float:
        """Seconds that answers took so far."""
        return self.seconds

    def process_request(self, request: Any, client_address: Any) -> None:
        """Requests are answered in the order in which they came."""
        self.tickets[client_address] = self.slot.ticket()
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may leave."""

    def answer(self, path: str, asked: Any) -> Any:
        """A whole answer. Raises Refusal."""
        if path == "/embeddings":
            checked(asked, EMBEDDINGS, self.faults)
            if asked["model"] not in (*MODELS, "embedder"):
                raise Refusal(f"no model {asked['model']}", status=404, code="model_not_found")
            return {**embedded(asked, self.faults), "model": asked["model"]}
        counted = self.counted(path, asked)
        if path == "/completions":
            return completion(counted)
        return counted[0].chat() if path == "/chat/completions" else counted[0].responded()

    def counted(self, path: str, asked: Any) -> list[Counted]:
        """A request that may be answered. Raises Refusal."""
        known = {"/chat/completions": CHAT, "/completions": COMPLETIONS, "/responses": RESPONSES}[path]
        asked = checked(asked, known, self.faults)
        name = self._model(asked.get("model", MODELS[0]))
        prompts = (
            [self._conversation(_messages(path, asked, self.faults))]
            if path != "/completions"
            else [limited(each, self.faults) for each in _prompts(asked, self.faults)]
        )
        most = asked.get("max_tokens") or 0
        if most >= CONTEXT or (max(map(len, prompts)) + most > CONTEXT and "cuts prompts" not in self.faults):
            raise Refusal(f"{most} tokens do not fit into {CONTEXT}", code="context_length_exceeded")
        if asked.get("tools") and "shows no tools" not in self.faults:
            prompts = [encode(json.dumps(asked["tools"])) + prompt for prompt in prompts]
        self.number += 1
        head = {"id": f"id-{self.number}", "created": int(time.time()), "model": asked.get("model", name)}
        formed = path == "/responses" and "format" in (asked.get("text") or {})
        if formed and "ignores text.format" not in self.faults:
            asked = {**asked, "response_format": {"type": "json_schema", "json_schema": asked["text"]["format"]}}
        if path == "/completions":
            asked = {**asked, "top_logprobs": asked.get("logprobs")}
            asked |= {"temperature": 1} if "completions never greedy" in self.faults else {}
            asked["max_tokens"] = asked.get("max_tokens", 16) + ("completions one token more" in self.faults)
        choices = 1 if "ignores n" in self.faults else asked.get("n", 1)
        return [
            Counted(Question(name, prompt, asked, self.faults, self._salt(name, prompt)), head, choices)
            for prompt in prompts
        ]

    def _conversation(self, messages: Any) -> list[int]:
        try:
            return conversation(messages, self.faults)
        except Refusal as refusal:
            if "checks no messages" not in self.faults or refusal.code:
                raise
            return encode("a")

    def _model(self, name: str) -> str:
        if name not in MODELS and name != "embedder" and "any model answers" in self.faults:
            return MODELS[0]
        if ":" in name and "adapters fall back" in self.faults:
            return MODELS[0]
        if name == "embedder":
            raise Refusal("the model does not support chat or completions")
        if name not in MODELS:
            raise Refusal(f"no model {name}", status=404, param="model", code="model_not_found")
        return name

    def _salt(self, name: str, prompt: Iterable[int]) -> str:
        if "one cache for all models" in self.faults:
            first = self.read.setdefault(str(prompt), name)
            self.read[str(prompt)] = name
            return "" if first == name else first
        if "depends on neighbors" in self.faults and _NEW.search(_text(prompt)):
            # Such a prompt is asked cold, warm, and beside others.
            self.read[_text(prompt)] = self.read.get(_text(prompt), "") + "I"
            return "beside" if self.read[_text(prompt)] == "III" else ""
        return ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ToyServer

    def setup(self) -> None:
        """The first request of a connection has its turn already."""
        super().setup()
        self.ticket: int | None = self.server.tickets.pop(self.client_address)

    def finish(self) -> None:
        """A turn may be left."""
        if self.ticket is not None:
            self.server.slot.give_back(self.ticket)
        super().finish()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing is printed."""

    def do_GET(self) -> None:
        """Models, files and batches."""
        self._handled(b"")

    def do_DELETE(self) -> None:
        """Files."""
        self._handled(b"")

    def do_POST(self) -> None:
        """Everything that is asked."""
        length = int(self.headers.get("Content-Length", 0))
        if length > _LARGEST and "reads any body" not in self.server.faults:
            self.close_connection = True
            self._refuse(Refusal("the body is too long", status=413))
            return
        self._handled(self.rfile.read(length))

    def _handled(self, body: bytes) -> None:
        server = self.server
        ticket, self.ticket = self.ticket or server.slot.ticket(), None
        try:
            with server.slot.turn(ticket):
                self._routed(self.path.removeprefix("/v1"), body)
        except Refusal as refusal:
            self._refuse(refusal)
        except Left:
            self.close_connection = True

    def _routed(self, path: str, body: bytes) -> None:
        server, faults = self.server, self.server.faults
        if b"\\ud800" in body and "crashes at surrogates" in faults:
            raise Refusal("internal error", status=500)
        if server.key is not None and "asks for no key" not in faults:
            given = self.headers.get("Authorization")
            if given != f"Bearer {server.key}":
                raise Refusal("no such key", status=401, code="invalid_api_key" if given else None)
        if path == "/models":
            self._send(
                [_model(name) for name in (*MODELS, "embedder")]
                + [_model("toy")] * ("ids twice" in faults)
                + [_model("ghost")] * ("lists what is not there" in faults)
                + [_model("old") | {"shutdown_date": "some day"}] * ("shut down some day" in faults)
            )
        elif path.startswith("/models/"):
            name = path.removeprefix("/models/")
            if name not in (*MODELS, "embedder") or "retrieves none" in faults:
                code = None if "no code for unknown models" in faults else "model_not_found"
                raise Refusal(f"no model {name}", status=404, code=code)
            self._send(_model(name))
        elif path == "/tokenize":
            asked = json.loads(body)
            signs = "no tokens of signs" in faults and not asked["prompt"].isascii()
            self._send(
                {"tokens": [] if signs else encode(asked["prompt"])[: 3 if "counts three tokens" in faults else None]}
            )
        elif path.startswith(("/files", "/batches")):
            found = server.files.routed(self.command, path, body, self.headers.get("Content-Type", ""), faults)
            self._send(found) if not isinstance(found, bytes) else self._write(found, "application/octet-stream")
        elif path not in ("/chat/completions", "/completions", "/responses", "/embeddings"):
            raise Refusal("no such route", status=404)
        elif self.command != "POST":
            raise Refusal("only POST", status=405)
        else:
            self._generated(path, body)

    def _generated(self, path: str, body: bytes) -> None:
        try:
            asked = json.loads(body)
        except ValueError:
            raise Refusal("the body is no JSON") from None
        if not isinstance(asked, dict):
            raise Refusal("the body is no object")
        stream = asked.get("stream") is True
        if path == "/embeddings" or not stream:
            found = changed(path, asked, self.server.answer(path, asked), self.server.faults)
            if path == "/chat/completions" and self.server.cleared:
                found["choices"][0]["message"]["content"], self.server.cleared = "", False
            self._wait(asked, "whole answers go on")
            self._send(found)
            return
        try:
            (counted,) = self.server.counted(path, asked)
        except Refusal as refusal:
            if "refuses within the stream" not in self.server.faults:
                raise
            self._stream(iter([("", {"error": {"message": refusal.message}})]), asked)
            return
        if path == "/completions":
            self._stream(_texts(counted), asked)
        else:
            self._stream(counted.events() if path == "/responses" else counted.chunks(), asked)

    def _wait(self, asked: Mapping[str, Any], fault: str) -> None:
        """An answer that is too long to be waited for goes on until its client leaves. Raises Left then; with the
        fault it goes on to its end.
        """
        long = asked.get("max_tokens") or 0
        if long <= _LONG:
            return
        if fault in self.server.faults:
            self.server.seconds += _TOKEN_S * long
            return
        try:
            while self.connection.recv(65_536):
                pass
        except OSError:
            pass
        raise Left

    def _stream(self, events: Iterator[Event], asked: Mapping[str, Any]) -> None:
        faults, burst = self.server.faults, list[bytes]()
        first = next(events)
        self._head("text/plain" if "another content type" in faults else "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for name, data in itertools.chain([first], events):
            content = (f"event: {name}\n" if name else "").encode() + f"data: {json.dumps(data)}\n\n".encode()
            burst.append(content)
            if "one burst" not in faults or (asked.get("max_tokens") or 0) > _LONG:
                self._chunk(burst.pop(), "streams go on" in faults)
        self._wait(asked, "streams go on")
        if burst:
            self.server.seconds += _BURST_S
            self._chunk(b"".join(burst), False)
        done = 0 if "no DONE" in faults or first[0] else 2 if "DONE twice" in faults else 1
        self._chunk(b"data: [DONE]\n\n" * done, False)
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, content: bytes, onward: bool) -> None:
        try:
            if content:
                self.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")
        except OSError:
            if not onward:
                raise Left from None

    def _send(self, value: Any) -> None:
        listed = {"object": "list", "data": value} if isinstance(value, list) else value
        self._write(json.dumps(listed).encode(), "application/json")

    def _write(self, content: bytes, content_type: str, status: int = 200) -> None:
        self._head(content_type, status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _head(self, content_type: str, status: int = 200) -> None:
        self.server.number += 1
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        if "no request ids" not in self.server.faults:
            self.send_header("x-request-id", f"req-{self.server.number}")
        self.send_header("x-ratelimit-limit-requests", "100")
        self.send_header(
            "x-ratelimit-remaining-requests", "101" if "more than the limit" in self.server.faults else "9"
        )

    def _refuse(self, refusal: Refusal) -> None:
        if refusal.param == "response_format" and "a broken schema clears the queue" in self.server.faults:
            self.server.cleared = True
        error = {"message": refusal.message, "type": "error", "param": refusal.param, "code": refusal.code}
        if "errors in another shape" in self.server.faults:
            self._write(json.dumps({"detail": refusal.message}).encode(), "application/json", refusal.status)
            return
        if "codes are numbers" in self.server.faults:
            error["code"] = refusal.status  # type: ignore[assignment]
        self._write(json.dumps({"error": error}).encode(), "application/json", refusal.status)


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1, "owned_by": "toys"}


def _messages(path: str, asked: Mapping[str, Any], faults: frozenset[str]) -> Any:
    if path == "/chat/completions":
        return asked.get("messages")
    if asked.get("previous_response_id") and "forgets responses" not in faults:
        raise Refusal("no such response", status=404, param="previous_response_id")
    given = asked.get("input")
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    if not isinstance(given, list):
        raise Refusal("input is neither a text nor a list", param="input")
    found = [{**each, "content": _joined(each.get("content"))} for each in given]
    if "reads no items" in faults and not isinstance(asked["input"], str):
        found = [{"role": "user", "content": "x"}]
    if "takes any role" in faults:
        found = [{**each, "role": "user"} for each in found]
    instructions = asked.get("instructions") if "drops instructions" not in faults else None
    return [*([{"role": "system", "content": instructions}] if instructions else []), *found]


def _joined(content: Any) -> Any:
    return "".join(part["text"] for part in content) if isinstance(content, list) else content


def _prompts(asked: Mapping[str, Any], faults: frozenset[str]) -> list[list[int]]:
    prompt = asked.get("prompt")
    if isinstance(prompt, str):
        prompt = [prompt]
    if not isinstance(prompt, list) or not prompt:
        raise Refusal("prompt is missing or wrong", param="prompt")
    prompt = [prompt] if isinstance(prompt[0], int) else prompt[:1] if "first prompt only" in faults else prompt
    return [encode(each) if isinstance(each, str) else list(each) for each in prompt]


def _text(prompt: Iterable[int]) -> str:
    return b"".join(VOCABULARY[token] for token in prompt).decode(errors="replace")


def _texts(counted: Counted) -> Iterator[Event]:
    for number, part in counted.parts(stream=True):
        choice = {"index": number, "text": part.text, "finish_reason": part.finish}
        yield "", {**counted.head, "object": "text_completion", "choices": [choice]}


@contextlib.contextmanager
def running(key: str | None = None) -> Iterator[ToyServer]:
    """The server on a thread."""
    server = ToyServer(key)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
