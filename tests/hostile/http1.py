"""Attacks over HTTP/1.1."""

from __future__ import annotations

import contextlib
import gzip
import time

from tests.hostile.place import Place, answer, connections, hold, pour

_CHUNKED = "transfer-encoding: chunked"


def attack_lengths_without_bodies(place: Place, seconds: float) -> None:
    """Heads that announce large bodies, of which nothing comes."""
    with connections(place, 30) as opened:
        hold(opened, place.head("infer", f"content-length: {64 * 2**20}"), seconds)


def attack_many_half_bodies(place: Place, seconds: float) -> None:
    """A thousand clients with half a mebibyte of a body each, and no more."""
    with connections(place, 1000) as opened:
        hold(opened, place.head("infer", f"content-length: {2**20}") + bytes(2**19), seconds)


def attack_many_half_heads(place: Place, seconds: float) -> None:
    """A thousand clients that never end their heads."""
    with connections(place, 1000) as opened:
        hold(opened, place.head("infer", "x: " + "y" * 16_000)[:-2], seconds)


def attack_endless_trailers(place: Place, seconds: float) -> None:
    with place.connect() as client:
        client.sendall(place.head("infer", _CHUNKED) + b"0\r\n")
        end, sent = time.monotonic() + seconds, 0
        with contextlib.suppress(OSError):
            while time.monotonic() < end:  # each of another name: one replaces no other
                client.sendall(b"".join(b"x%d: %s\r\n" % (each, b"v" * 1000) for each in range(sent, sent + 60)))
                sent += 60


def attack_endless_chunk_extension(place: Place, seconds: float) -> None:
    with place.connect() as client:
        client.sendall(place.head("infer", _CHUNKED) + b"5;x=")
        pour(client, b"y" * 65_536, seconds)


def attack_tiny_chunks(place: Place, seconds: float) -> None:
    with place.connect() as client:
        client.sendall(place.head("infer", _CHUNKED))
        pour(client, b"1;a=b\r\n \r\n" * 6000, seconds)


def attack_endless_header(place: Place, seconds: float) -> None:
    with place.connect() as client:
        client.sendall(place.head("infer")[:-2] + b"x: ")
        pour(client, b"y" * 65_536, seconds)


def attack_connect(place: Place, seconds: float) -> None:
    for _ in range(20):
        with place.connect() as client:
            answer(client, b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n", min(seconds, 2.0))


def attack_pipelined_pages(place: Place, seconds: float) -> None:
    """Thousands of requests in one write, whose answers are read."""
    with place.connect() as client:
        answer(client, place.get("/") * 2000, seconds)


def attack_pipelined_unread(place: Place, seconds: float) -> None:
    """The same by a client that reads nothing."""
    with place.connect(receive_bytes=4096) as client:
        pour(client, place.get("/") * 500, seconds)
        time.sleep(seconds / 2)


def attack_many_pipelined_unread(place: Place, seconds: float) -> None:
    """By fifty such clients."""
    with connections(place, 50) as opened:
        hold(opened, place.get("/openapi.json") * 300, seconds)


def attack_empty_gzip_members(place: Place, seconds: float) -> None:
    with place.connect() as client:
        members = gzip.compress(b"", 1, mtime=0) * 100_000
        answer(client, place.post("infer", members, "content-encoding: gzip"), seconds)


def attack_gzip_of_nested_json(place: Place, seconds: float) -> None:
    nested = gzip.compress(b'{"image":[' + b",".join([b"[[0]]"] * (5 << 20)) + b"]}", mtime=0)
    for verb in ("generate", "infer"):
        with place.connect() as client:
            answer(client, place.post(verb, nested, "content-encoding: gzip"), seconds)


def attack_gzip_of_zeros(place: Place, seconds: float) -> None:
    zeros = gzip.compress(bytes(512 * 2**20), mtime=0)
    for _ in range(3):
        with place.connect() as client:
            answer(client, place.post("infer", zeros, "content-encoding: gzip"), seconds)


def attack_deep_json(place: Place, seconds: float) -> None:
    for body in (b"[" * 2_000_000, b'{"inputs":' + b'[{"a":' * 500_000, b'{"inputs":[' + b'"",' * 2_000_000 + b'""]}'):
        for verb in ("infer", "generate"):
            with place.connect() as client:
                answer(client, place.post(verb, body), seconds)


def attack_large_numbers(place: Place, seconds: float) -> None:
    """Shapes and lengths beyond what numbers of the machine hold."""
    for shape in ("[9223372036854775807, 9223372036854775807]", "[-1, 1]", "[1e400]", "[" + "9" * 5000 + "]"):
        body = f'{{"inputs":[{{"name":"{place.source}","datatype":"FP32","shape":{shape},"data":[0]}}]}}'.encode()
        with place.connect() as client:
            answer(client, place.post("infer", body), min(seconds, 2.0))
    with place.connect() as client:
        answer(client, place.head("infer", "content-length: " + "9" * 400), min(seconds, 2.0))


def attack_rows_by_the_thousand(place: Place, seconds: float) -> None:
    """Requests of so many rows that they fill every queue."""
    body = place.infer_body(2000)
    with connections(place, 4) as opened:
        for each in opened:
            with contextlib.suppress(OSError):
                each.settimeout(seconds)
                each.sendall(place.post("infer", body))
        time.sleep(seconds)


def attack_expiring_requests(place: Place, seconds: float) -> None:
    """Requests of many rows whose time is over before they begin."""
    body = place.infer_body(2000)[:-1] + b',"parameters":{"timeout":1}}'
    with connections(place, 8) as opened:
        hold(opened, place.post("infer", body), seconds)


def attack_leaving_at_once(place: Place, seconds: float) -> None:
    """Clients that send a whole request and are gone."""
    end = time.monotonic() + seconds
    whole = place.post("infer", place.infer_body())
    while time.monotonic() < end:
        with contextlib.suppress(OSError), place.connect() as client:
            client.sendall(whole)
