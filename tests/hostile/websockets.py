"""Attacks over WebSockets."""

from __future__ import annotations

import contextlib
import socket
import time

from tests.hostile.place import HOST, Place, pour

_PING = b"\x89\xfd\0\0\0\0" + b"x" * 125


def stream(place: Place, receive_bytes: int | None = None) -> socket.socket:
    """A stream of frames that was opened."""
    client = place.connect(receive_bytes=receive_bytes)
    client.sendall(
        f"GET {place.path}/stream HTTP/1.1\r\nhost: {HOST}:{place.http}\r\nconnection: Upgrade\r\n"
        "upgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "sec-websocket-version: 13\r\n\r\n".encode()
    )
    client.recv(300)
    return client


def attack_unread_pings(place: Place, seconds: float) -> None:
    with stream(place, 4096) as client:
        pour(client, _PING * 500, seconds)
        time.sleep(seconds)


def attack_empty_fragments(place: Place, seconds: float) -> None:
    with stream(place) as client:
        client.sendall(b"\2\x80\0\0\0\0")
        pour(client, b"\0\x80\0\0\0\0" * 10_000, seconds)


def attack_endless_message(place: Place, seconds: float) -> None:
    with stream(place) as client:
        pour(client, b"\2\xfe\xff\xff\0\0\0\0" + bytes(65_535), seconds)
        pour(client, b"\0\xfe\xff\xff\0\0\0\0" + bytes(65_535), seconds)


def attack_unread_answers(place: Place, seconds: float) -> None:
    """Frames that are no pictures, whose errors nobody reads."""
    with stream(place, 4096) as client:
        pour(client, b"\x82\x84\0\0\0\0abcd" * 2000, seconds)
        time.sleep(seconds)


def attack_broken_frames(place: Place, seconds: float) -> None:
    for data in (b"\xff\xff" * 50, b"\x82\x04abcd", b"\x88\x81\0\0\0\0x", b"\x82\xff" + b"\xff" * 8 + bytes(4)):
        with contextlib.suppress(OSError), stream(place) as client:
            client.sendall(data)
            time.sleep(min(0.2, seconds))
