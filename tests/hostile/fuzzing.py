"""Structured fuzzing: well-formed requests of every protocol, of which something is changed. A seed fixes them all."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import math
import random
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

from glassworks.conformance.http2 import PREFACE, frame, message
from tests.hostile import files, http2, websockets
from tests.hostile.place import HOST, Place

_VERBS = (
    "infer",
    "explain",
    "generate",
    "generate_stream",
    "picture",
    "feedback",
    "ready",
    "stats",
    "config",
    "stream",
)
_PATHS = (
    "/", "/v2", "/v2/", "/v2/health/live", "/v2/models/stats", "/v2/repository/index", "/metrics", "/openapi.json",
    "/v1/models", "*", "http://[::1", "/%", "/%00", "/..//..", "//", "/v2/models/%ff/infer", "/?" + "a=b&" * 2000,
)  # fmt: skip
_NUMBERS = (0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 1e308, 5e-324, 0.5, True)
_VALUES: tuple[Any, ...] = (
    None, "", "\0", "\u202e", "\ud83d\ude00" * 10, "FP32", "BYTES", [], {}, [[]], {"": {}}, "x" * 10_000, *_NUMBERS,
)  # fmt: skip
_HEADERS = (
    "content-type: application/json", "content-type: application/octet-stream", "accept: application/json",
    "content-encoding: gzip", "content-encoding: br", "accept-encoding: gzip", "expect: 100-continue", "te: trailers",
    "inference-header-content-length: 10", "inference-header-content-length: -1", "connection: close", "connection: x",
    "authorization: Bearer gw_x", "x-api-key: ", "range: bytes=0-1", "x-request-id: " + "r" * 300, "upgrade: h2c",
    "origin: http://" + HOST, "traceparent: 00-" + "0" * 32 + "-" + "0" * 16 + "-01", "x: \t \xff",
    "transfer-encoding: gzip",
)  # fmt: skip
_KINDS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255)


def fuzz(place: Place, seed: int, seconds: float, check: Callable[[], None], every: int = 50) -> int:
    """Send changed requests until the time is over; `check` looks whether all is well, every so many. How many."""
    end, sent = time.monotonic() + seconds, 0
    for send in _sendings(place, random.Random(seed)):
        with contextlib.suppress(OSError):
            send()
        sent += 1
        if sent % every == 0:
            check()
        if time.monotonic() >= end:
            break
    check()
    return sent


def _sendings(place: Place, chance: random.Random) -> Iterator[Callable[[], None]]:
    kinds = (_http, _http, _json, _json, _frames, _frames, _messages, _file, _socket)
    while True:
        yield chance.choice(kinds)(place, chance)


def _over(place: Place, data: bytes, chance: random.Random, port: int | None = None) -> Callable[[], None]:
    """Sends the bytes in one to three pieces, reads what comes at once and leaves."""
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.choice((0, 0, 1, 2))))
    parts = [data[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    half = chance.random() < 0.2

    def send() -> None:
        with place.connect(port) as client:
            client.settimeout(0.05)
            for part in parts:
                client.sendall(part)
            if half:
                client.shutdown(socket.SHUT_WR)
            while client.recv(65_536):
                pass

    return send


def changed_bytes(data: bytes, chance: random.Random) -> bytes:
    """Flip, drop, repeat or insert some bytes."""
    content = bytearray(data)
    for _ in range(chance.choice((0, 1, 1, 2, 8))):
        begin = chance.randrange(len(content) + 1)
        end = min(len(content), begin + chance.choice((1, 1, 4, 64)))
        match chance.randrange(4):
            case 0:
                content[begin:end] = chance.randbytes(end - begin)
            case 1:
                del content[begin:end]
            case 2:
                content[begin:begin] = content[begin:end] * chance.choice((1, 3, 50))
            case _:
                content[begin:begin] = chance.choice((b"\r\n", b"\0", b"\n", b":", b" ", b"\r\n\r\n", b"\xff"))
    return bytes(content)


def changed_json(value: Any, chance: random.Random) -> Any:
    """The same tree, of which about one value is another one, or one key more or less."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        key = chance.choice(list(value))
        match chance.randrange(8):
            case 0:
                return {name: each for name, each in value.items() if name != key}
            case 1:
                return {**value, chance.choice(("", "parameters", "data", "shape", "x" * 500)): chance.choice(_VALUES)}
            case _:
                return {**value, key: changed_json(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.9:
        place = chance.randrange(len(value))
        return [*value[:place], changed_json(value[place], chance), *value[place + chance.randrange(2) :]]
    return chance.choice(_VALUES)


def _requests(place: Place) -> list[dict[str, Any]]:
    given = json.loads(place.infer_body())
    picture = base64.b64encode(files.png(28, 28)).decode()
    named = {"name": place.source, "datatype": "BYTES", "shape": [1], "data": [picture]}
    return [
        given,
        {**given, "id": "a", "parameters": {"timeout": 1000, "priority": 1, "seed": 1, "method": "occlusion"}},
        {**given, "outputs": [{"name": "probabilities", "parameters": {"classification": 3, "binary_data": True}}]},
        {"inputs": [named], "parameters": {"binary_data_output": True, "budget_ms": 1}},
        {"instances": [{"b64": picture}, [[0]]], "method": "saliency"},
        {place.source: picture, "parameters": {}},
        {"events": [{"id": "1", "user": "a", "item": "b"}]},
    ]


def _json(place: Place, chance: random.Random) -> Callable[[], None]:
    tree = chance.choice(_requests(place))
    for _ in range(chance.choice((0, 1, 2, 3))):
        tree = changed_json(tree, chance)
    body = json.dumps(tree).encode()
    headers = chance.sample(_HEADERS[:4], chance.randrange(2))
    if "content-encoding: gzip" in headers:
        body = changed_bytes(gzip.compress(body, mtime=0), chance)
    path = chance.choice((f"{place.path}/{chance.choice(_VERBS)}", f"/v1/models/{place.model}:predict"))
    lines = [f"POST {path} HTTP/1.1", f"host: {HOST}:{place.http}", f"content-length: {len(body)}", *headers, "", ""]
    return _over(place, "\r\n".join(lines).encode("latin-1") + body, chance)


def _http(place: Place, chance: random.Random) -> Callable[[], None]:
    path = chance.choice((*_PATHS, f"{place.path}/{chance.choice(_VERBS)}", place.path))
    first = f"{chance.choice(('GET', 'POST', 'HEAD', 'PUT', 'OPTIONS', 'get', 'M-SEARCH', ''))} {path} HTTP/1.1"
    body = chance.choice((b"", b"{}", place.infer_body()))
    length = chance.choice((str(len(body)), str(len(body)), "0", "-1", "1,1", "+1", "0x1", "9" * 30))
    lines = [first, f"host: {HOST}:{place.http}", *chance.sample(_HEADERS, chance.randrange(4))]
    if chance.random() < 0.3:
        lines.append("transfer-encoding: chunked")
        body = b"%x\r\n%b\r\n0\r\n" % (len(body), body) + chance.choice((b"\r\n", b"a: b\r\n\r\n", b"\r", b""))
    else:
        lines.append(f"content-length: {length}")
    whole = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
    return _over(place, changed_bytes(whole, chance) * chance.choice((1, 1, 1, 5)), chance)


def _frames(place: Place, chance: random.Random) -> Callable[[], None]:
    """Some frames of every kind behind a good beginning."""
    data = PREFACE + frame(4, 0, 0)
    for _ in range(chance.randrange(1, 12)):
        payload = chance.choice(
            (b"", bytes(4), bytes(8), b"\0\4\xff\xff\xff\xff", chance.randbytes(20), http2.head(b"ServerLive"),
             message(), b"\0\0\0\1", http2.head(b"ModelInfer", (b"grpc-timeout", chance.randbytes(4))))
        )  # fmt: skip
        kind = chance.choice(_KINDS)
        data += frame(kind, chance.choice((0, 1, 4, 5, 8, 32, 255)), chance.choice((0, 1, 1, 3, 2, 5)), payload)
    return _over(place, changed_bytes(data, chance) if chance.random() < 0.5 else data, chance, place.grpc)


def _messages(place: Place, chance: random.Random) -> Callable[[], None]:
    """A good call whose message is not."""
    from glassworks.serving.transports.grpc.messages import message as kind_of

    request = kind_of("ModelInferRequest")(model_name=place.model)
    request.inputs.add(name=place.source, datatype="FP32", shape=[1, *place.shape])
    request.raw_input_contents.append(bytes(4 * math.prod(place.shape)))
    content = changed_bytes(request.SerializeToString(), chance)
    methods = (b"ModelInfer", b"ModelStreamInfer", b"ModelMetadata", b"RepositoryIndex", b"ModelStatistics")
    data = PREFACE + frame(4, 0, 0) + frame(1, 4, 1, http2.head(chance.choice(methods)))
    framed = message(content, packed=chance.random() < 0.1)
    return _over(place, data + frame(0, 1, 1, framed), chance, place.grpc)


def _file(place: Place, chance: random.Random) -> Callable[[], None]:
    """A picture file that was changed."""
    from tests.hostile.pictures import samples

    body = changed_bytes(chance.choice(samples()), chance)
    accept = chance.choice(("accept: application/json", "accept: image/jpeg", "accept: */*"))
    return _over(place, place.post("picture", body, accept), chance)


def _socket(place: Place, chance: random.Random) -> Callable[[], None]:
    """Changed frames over a WebSocket."""
    data = b"".join(
        bytes([chance.choice((0x82, 0x81, 0x02, 0x00, 0x80, 0x89, 0x88, 0x8A, 0xF2, 0x83)), 0x80 | len(content)])
        + bytes(4)
        + content
        for content in (chance.randbytes(chance.randrange(126)) for _ in range(chance.randrange(1, 8)))
    )
    data = changed_bytes(data, chance)

    def send() -> None:
        with websockets.stream(place) as client:
            client.settimeout(0.05)
            client.sendall(data)
            while client.recv(65_536):
                pass

    return send
