"""Requests whose head is that of the one before are not parsed again, and mean the same as if they were."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.unit.serving.test_connection import Echo, connect, run, turns
from tests.unit.serving.wire import request_bytes

from glassworks.serving.transports.http.connection import Connection
from glassworks.serving.transports.http.exchange import Exchange
from glassworks.serving.transports.http.service import Service


class Keep(Echo):
    """Answers, and keeps what was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Exchange] = []

    def __call__(self, exchange: Exchange) -> None:
        self.asked.append(exchange)
        super().__call__(exchange)


def sent(*parts: bytes, before: Callable[[Service, Connection], object] = lambda *_: None) -> list[tuple[str, bytes]]:
    """What the requests in these pieces were; `before` the last one something happens."""

    async def main() -> list[tuple[str, bytes]]:
        keep = Keep()
        service, connection, wire = connect(keep)
        for number, part in enumerate(parts, 1):
            if number == len(parts):
                before(service, connection)
            connection.receive(part)
            await turns()
        assert len(wire.replies()) >= len(keep.asked)
        return [("late" if each.late else each.target.decode(), bytes(each.body)) for each in keep.asked]

    return run(main)


def post(body: bytes) -> bytes:
    return request_bytes("POST", "/a", body, {})


def test_a_second_request_has_its_own_body_and_a_third_its_own_head() -> None:
    other = request_bytes("POST", "/b", b"5678", {})
    assert sent(post(b"1234"), post(b"abcd"), other, other) == [
        *[("/a", b"1234"), ("/a", b"abcd"), ("/b", b"5678"), ("/b", b"5678")]
    ]


@pytest.mark.parametrize("pieces", [(post(b"abcd")[:-2], b"cd"), (post(b"ab\r\n") + post(b"abcd"),)], ids=len)
def test_pieces_and_heaps_are_parsed(pieces: tuple[bytes, ...]) -> None:
    assert sent(post(b"1234"), *pieces)[-1] == ("/a", b"abcd")


def test_an_empty_line_behind_a_body_is_not_taken_for_the_end_of_its_head() -> None:
    head, hidden = post(b"1234")[:-4], request_bytes("GET", "/hidden", b"", {})
    parts = (head + b"\r\n\r\n" + b"\r\n", head + b"\r\nab" + hidden[:2], hidden[2:])
    assert sent(*parts) == [("/a", b"\r\n\r\n"), ("/a", b"\r\nab"), ("/hidden", b"")]


def test_what_must_be_looked_at_each_time_is() -> None:
    def stop(service: Service, _: Connection) -> None:
        service.stopping = True

    assert sent(post(b"1234"), post(b"abcd"), before=stop)[-1] == ("late", b"abcd")
