"""Compressed bodies: what comes out, what it costs, and where it is done."""

from __future__ import annotations

import asyncio
import threading
import zlib

import pytest
from tests.patience import PATIENCE_S
from tests.unit.serving.wire import ask

from glassworks.errors import InputError
from glassworks.serving.app import Application, Route
from glassworks.serving.failures import TooLarge
from glassworks.serving.transports.http.compression import Inflation, deflated
from glassworks.serving.transports.http.exchange import Answer, Exchange
from glassworks.serving.transports.http.limits import Limits
from glassworks.serving.transports.http.service import Service


def packed(content: bytes) -> bytes:
    """A gzip member, without the time that gzip.compress writes into it."""
    deflater = zlib.compressobj(wbits=31)
    return deflater.compress(content) + deflater.flush()


@pytest.mark.parametrize("sizes", [(0,), (5,), (70_000,), (3, 0, 200_000), (1000,) * 40], ids=str)
@pytest.mark.parametrize("enough", [None, 1, 50_000])
def test_members_become_what_they_were(sizes: tuple[int, ...], enough: int | None) -> None:
    parts = [bytes(range(256)) * (size // 256) + b"x" * (size % 256) for size in sizes]
    inflation = Inflation(b"".join(map(packed, parts)), b"gzip", sum(sizes))
    while not inflation.run(enough):
        pass
    assert inflation.content == b"".join(parts)


_DECOMPRESSOBJ = zlib.decompressobj


class Counted:
    """zlib's, which adds up what it is given and what it copies of it."""

    handled = 0

    def __init__(self, wbits: int) -> None:
        self._inner = _DECOMPRESSOBJ(wbits)

    def decompress(self, piece: bytes, most: int) -> bytes:
        made = self._inner.decompress(piece, most)
        Counted.handled += len(piece) + len(made) + len(self.unused_data) + len(self.unconsumed_tail)
        return made

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    @property
    def unconsumed_tail(self) -> bytes:
        return self._inner.unconsumed_tail


def test_the_work_is_linear_in_what_comes_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zlib, "decompressobj", Counted)
    for count, size in ((400, 1000), (64, 0), (1, 10_000_000)):
        noise = bytes(zlib.crc32(b"%d" % number) & 255 for number in range(size)) if size < 10_000 else bytes(size)
        content = packed(noise) * count
        Counted.handled = 0
        assert Inflation(content, b"gzip", 10_000_000).run()
        assert Counted.handled <= 5 * (len(content) + count * size) + 140_000  # a step for each of the first members


def test_empty_members_are_refused_after_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zlib, "decompressobj", Counted)
    Counted.handled = 0
    with pytest.raises(InputError, match="too many members"):
        Inflation(packed(b"") * 100_000, b"gzip", 10**6).run()
    assert Counted.handled < 20_000_000  # of 2 MB; each used to be handled 50,000 times


def test_no_more_is_made_than_is_allowed() -> None:
    inflation = Inflation(packed(bytes(10_000_000)), b"gzip", 50_000)
    with pytest.raises(TooLarge):
        inflation.run()
    assert len(inflation.content) == 50_001


def test_a_large_body_is_inflated_beside_the_event_loop_and_only_once() -> None:
    where: list[int] = []
    content = bytes(range(256)) * 10_000

    class Told(Exchange):
        def unpack(self, enough: int | None = None) -> bool:
            where.append(threading.get_ident())
            return super().unpack(enough)

    def endpoint(exchange: Exchange) -> Answer:
        return Answer(b"same" if exchange.content() == exchange.content() == content else b"other")

    async def asynchronous(exchange: Exchange) -> Answer:
        return endpoint(exchange)

    async def main(path: str) -> Answer:
        application = Application([Route("/a", {"POST": endpoint}), Route("/b", {"POST": asynchronous})])
        exchange = Told("POST", path.encode(), {b"content-encoding": b"gzip"}, packed(content))
        exchange.max_body_bytes = len(content)
        answer = asyncio.get_running_loop().create_future()
        exchange.reply = answer.set_result
        application(exchange)
        found: Answer = await asyncio.wait_for(answer, PATIENCE_S)
        return found

    for path in ("/a", "/b"):
        where.clear()
        assert asyncio.run(main(path)).body == b"same"
        assert where[0] == threading.get_ident() != where[1]


def test_no_more_compressed_bodies_wait_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    content = packed(bytes(range(256)) * 2**13)
    monkeypatch.setattr("glassworks.serving.app._PACKED_BYTES", 2 * len(content))

    async def main() -> list[int]:
        service = Service(Application([Route("/", {"POST": lambda exchange: Answer(b"")})]), Limits())
        sent = [ask(service, "POST", "/", content, {"content-encoding": "gzip"}) for _ in range(5)]
        again = [await asyncio.gather(*sent), [await ask(service, "POST", "/", content, {"content-encoding": "gzip"})]]
        return [reply.status for replies in again for reply in replies if reply is not None]

    # Whoever is let in holds its room until its body is read; then there is room again.
    assert asyncio.run(main()) == [200, 200, 503, 503, 503, 200]


def test_what_is_wrong_with_a_large_body_is_told() -> None:
    service = Service(Application([Route("/", {"POST": lambda exchange: Answer(b"")})]), Limits())
    content = packed(bytes(3 * 2**20))[:-8]
    reply = asyncio.run(ask(service, "POST", "/", content, {"content-encoding": "gzip"}))
    assert reply is not None
    assert (reply.status, reply.error) == (400, "the gzip body is cut off; send the whole stream")


def test_a_very_large_answer_is_sent_as_it_is() -> None:
    assert deflated(bytes(2**20), b"gzip") is not None
    assert deflated(bytes(2**20 + 1), b"gzip") is None
