"""gRPC frame by frame: what is right is answered, what is wrong ends the call or the connection, never the server."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from typing import Any

import hpack
import pytest
from hypothesis import given, strategies as st
from tests.unit.serving.frames import LIMIT, PATH, Client, framed, run

from glassworks.errors import InputError, NotFound, Overloaded
from glassworks.serving.transports.grpc.frames import (
    END_HEADERS,
    END_STREAM,
    PADDED,
    PREFACE,
    PRIORITY,
    Code,
    Kind,
    Setting,
    frame,
    settings,
)
from glassworks.serving.transports.grpc.headers import HeaderReader
from glassworks.serving.transports.grpc.methods import Method


@pytest.mark.parametrize("size", [1, 3, 9, 10, 100, 10_000])
def test_calls_may_come_in_pieces(size: int) -> None:
    async def main() -> Client:
        client = Client()
        content = PREFACE + settings([]) + client.headers() + client.data(framed(b"one"))
        content += client.headers() + client.data(framed(b"two")[:4], 0) + client.data(framed(b"two")[4:])
        for place in range(0, len(content), size):
            client.connection.data_received(content[place : place + size])
        return await client.send()

    answers = run(main).answers()
    assert [answers[stream][0] for stream in (1, 3)] == [framed(b"<one>"), framed(b"<two>")]
    assert answers[1][1] == {"grpc-status": "0"}


def test_headers_may_be_padded_prioritized_and_continued() -> None:
    async def main() -> Client:
        client = Client().greet()
        block = client.headers()[9:]
        padded = bytes([3]) + bytes(5) + block[:7] + bytes(3)
        first = frame(Kind.HEADERS, PADDED | PRIORITY, 1, padded)
        rest = frame(Kind.CONTINUATION, 0, 1, block[7:9]) + frame(Kind.CONTINUATION, END_HEADERS, 1, block[9:])
        body = bytes([2]) + framed(b"x") + bytes(2)
        return await client.send(first, rest, client.data(body, END_STREAM | PADDED, 1))

    assert run(main).answers()[1][0] == framed(b"<x>")


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compressed_messages_are_read(encoding: str) -> None:
    import zlib

    def pack(content: bytes) -> bytes:
        return gzip.compress(content) if encoding == "gzip" else zlib.compress(content)

    async def main() -> Client:
        client = Client().greet()
        await client.send(client.headers(grpc_encoding=encoding), client.data(framed(pack(b"wide"), 1)))
        await client.send(client.headers(grpc_encoding="rot13"), client.data(framed(b"jvqr", 1)))
        await client.send(client.headers(), client.data(framed(b"how?", 1)))
        return await client.send(client.headers(grpc_encoding=encoding), client.data(framed(b"no stream", 1)))

    client = run(main)
    assert client.answers()[1][0] == framed(b"<wide>")
    assert [client.status(stream)[0] for stream in (3, 5, 7)] == [12, 13, 13]


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (NotFound("not here: 数字 100%", "look elsewhere"), 5, "not here: %E6%95%B0%E5%AD%97 100%25; look elsewhere"),
        (InputError("wrong", "right"), 3, "wrong; right"),
        (Overloaded("full", "later", 7), 14, "full; later"),
    ],
)
def test_our_errors_have_their_statuses(error: Exception, code: int, text: str) -> None:
    async def fail(request: bytes, sent: Any) -> bytes:
        raise error

    async def main() -> Client:
        client = Client({PATH: Method(read=bytes, write=bytes, unary=fail)}).greet()
        return await client.send(client.headers(), client.data(framed(b"")))

    client = run(main)
    assert client.status() == (code, text)
    assert (client.answers()[1][1].get("retry-after") == "7") == isinstance(error, Overloaded)


def test_an_unexpected_error_tells_a_number_only(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(request: bytes, sent: Any) -> bytes:
        raise RuntimeError("secret of the house")

    async def main() -> Client:
        client = Client({PATH: Method(read=bytes, write=bytes, unary=fail)}).greet()
        return await client.send(client.headers(), client.data(framed(b"")))

    code, text = run(main).status()
    assert code == 13
    assert text.startswith("internal error")
    assert "secret" not in text
    assert "secret of the house" in caplog.text


def test_calls_that_cannot_be_are_told_so() -> None:
    async def main() -> Client:
        client = Client().greet()
        await client.send(client.headers(b"/test/None"), client.data(framed(b"")))
        await client.send(client.headers(), client.data(b""))
        await client.send(client.headers(), client.data(framed(b"a") + framed(b"b")))
        await client.send(client.headers(), client.data(framed(b"x" * (LIMIT + 1))[:20], 0))
        return await client.send(client.headers(grpc_timeout="soon"), client.data(framed(b"")))

    client = run(main)
    statuses = [client.status(stream) for stream in (1, 3, 5, 7, 9)]
    assert [code for code, _ in statuses] == [12, 12, 12, 8, 3]
    assert "there is no method /test/None" in statuses[0][1]
    assert "another came" in statuses[2][1]
    assert f"at most {LIMIT} are allowed" in statuses[3][1]


def test_large_answers_wait_for_the_windows() -> None:
    async def large(request: bytes, sent: Any) -> bytes:
        return bytes(90_000)

    async def main() -> tuple[list[int], Client]:
        client = Client({PATH: Method(read=bytes, write=bytes, unary=large)}).greet(
            (Setting.INITIAL_WINDOW_SIZE, 30_000)
        )
        await client.send(client.headers(), client.data(framed(b"")))
        sizes = [received(client)]
        await client.send(frame(Kind.WINDOW_UPDATE, 0, 1, (20_000).to_bytes(4, "big")))
        sizes.append(received(client))
        await client.send(settings([(Setting.INITIAL_WINDOW_SIZE, 90_000)]))
        sizes.append(received(client))  # now the connection's window of 65,535 is what is left
        assert 1 not in client.answers()
        await client.send(frame(Kind.WINDOW_UPDATE, 0, 0, (50_000).to_bytes(4, "big")))
        return sizes, client

    sizes, client = run(main)
    assert sizes == [30_000, 50_000, 65_535]
    content, trailers = client.answers()[1]
    assert content == framed(bytes(90_000))
    assert trailers["grpc-status"] == "0"


def received(client: Client) -> int:
    return sum(len(payload) for kind, _, _, payload in client.wire.frames() if kind == Kind.DATA)


def test_who_leaves_frees_what_works_for_him() -> None:
    cancelled: list[str] = []

    async def forever(request: bytes, sent: Any) -> bytes:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            cancelled.append(request.decode())
            raise
        return b""

    async def main() -> Client:
        client = Client({PATH: Method(read=bytes, write=bytes, unary=forever)}).greet()
        await client.send(client.headers(), client.data(framed(b"reset")))
        await client.send(frame(Kind.RST_STREAM, 0, 1, Code.CANCEL.to_bytes(4, "big")))
        await client.send(client.headers(grpc_timeout="1m"), client.data(framed(b"late")))
        await asyncio.sleep(0.05)
        await client.send(client.headers(), client.data(framed(b"gone")))
        client.connection.connection_lost(None)
        return await client.send()

    client = run(main)
    assert cancelled == ["reset", "late", "gone"]
    assert client.status(3)[0] == 4
    assert not client.calls.connections


def test_while_stopping_what_is_in_flight_ends_and_what_is_new_is_refused() -> None:
    go = asyncio.Event()

    async def slow(request: bytes, sent: Any) -> bytes:
        await go.wait()
        return request

    async def main() -> tuple[bool, Client]:
        client = Client({PATH: Method(read=bytes, write=bytes, unary=slow)}).greet()
        await client.send(client.headers(), client.data(framed(b"old")))
        client.connection.drain()
        await client.send(client.headers(), client.data(framed(b"new")))
        open_ = not client.wire.closed
        go.set()
        return open_, await client.send()

    open_, client = run(main)
    assert open_
    assert client.wire.closed
    assert list(client.answers()) == [1]
    resets = [payload for kind, _, stream, payload in client.wire.frames() if kind == Kind.RST_STREAM and stream == 3]
    assert [int.from_bytes(payload, "big") for payload in resets] == [Code.REFUSED_STREAM]


def test_streams_answer_while_they_listen() -> None:
    async def shout(requests: AsyncIterator[bytes], sent: Any) -> AsyncGenerator[bytes, None]:
        async for request in requests:
            yield request.upper()

    async def main() -> list[int]:
        client = Client({PATH: Method(read=bytes, write=bytes, streamed=shout)}).greet()
        await client.send(client.headers())
        seen = []
        for word in (b"one", b"two"):
            await client.send(client.data(framed(word), 0))
            seen.append(received(client))
        await client.send(client.data(b"", END_STREAM))
        assert client.answers()[1] == (framed(b"ONE") + framed(b"TWO"), {"grpc-status": "0"})
        return seen

    assert run(main) == [8, 16]


fields = st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.binary(max_size=4).map(bytes.hex)), max_size=5)


@given(blocks=st.lists(fields, min_size=1, max_size=30))
def test_headers_are_read_as_they_were_written(blocks: Iterable[list[tuple[bytes, str]]]) -> None:
    encoder, reader = hpack.Encoder(), HeaderReader()
    encoder.header_table_size = 120  # entries are driven out all the time
    usual = {b":method": b"POST", b":scheme": b"http", b":path": b"/"}
    for block in blocks:
        joined: dict[bytes, list[str]] = {}
        for name, value in block:
            joined.setdefault(name, []).append(value)
        expected = usual | {name: ", ".join(values).encode() for name, values in joined.items()}
        for _ in range(2):
            content = encoder.encode([*usual.items(), *((name, value.encode()) for name, value in block)])
            assert reader.request(content) == expected
