"""What one client can take of a gRPC connection: memory, turns of the event loop, and time, all of them bounded."""

from __future__ import annotations

import asyncio
import itertools
import weakref
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, cast

import pytest
from tests.unit.serving.frames import LIMIT, PATH, Client, framed, goodbye, resets, run

from glassworks.errors import Unauthenticated
from glassworks.serving.supervision import Supervisor
from glassworks.serving.transports.grpc import packing
from glassworks.serving.transports.grpc.frames import (
    END_STREAM,
    FIRST_WINDOW,
    Code,
    Kind,
    Setting,
    frame,
    settings,
    window_update,
)
from glassworks.serving.transports.grpc.methods import Method
from glassworks.serving.transports.http.limits import Limits

LIMITS = Limits(max_body_bytes=1_000_000, receive_s=10, idle_s=20)
Handler = Callable[[AsyncIterator[bytes], Any], AsyncGenerator[bytes, None]]


async def never(request: bytes, sent: Any) -> bytes:
    await asyncio.sleep(1000)
    return request


async def shout(requests: AsyncIterator[bytes], sent: Any) -> AsyncGenerator[bytes, None]:
    async for request in requests:
        yield request.upper()


def unary(call: Any, **more: Any) -> Client:
    return Client({PATH: Method(read=bytes, write=bytes, unary=call, **more)}, LIMITS)


def streaming(handler: Handler = shout) -> Client:
    return Client({PATH: Method(read=bytes, write=bytes, streamed=handler)}, LIMITS)


def granted(client: Client, stream: int = 1) -> int:
    """How much more a stream may send by the windows that were given to it."""
    return sum(
        int.from_bytes(payload, "big")
        for kind, _, number, payload in client.wire.frames()
        if (kind, number) == (Kind.WINDOW_UPDATE, stream)
    )


def kept(client: Client) -> int:
    return client.calls.receiving.total_bytes


async def turns(count: int = 50) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_what_nobody_reads_is_kept_up_to_the_window_and_renewed_as_it_is_read() -> None:
    go = asyncio.Event()

    async def slow(requests: AsyncIterator[bytes], sent: Any) -> AsyncGenerator[bytes, None]:
        await go.wait()
        async for _ in requests:
            yield b""

    async def main() -> tuple[Client, int, int]:
        client = streaming(slow).greet()
        await client.send(client.headers(), *[client.data(framed(bytes(10_000)), 0)] * 6)
        before, held = granted(client), kept(client)
        go.set()
        await turns()
        return client, before, held

    client, before, held = run(main)
    assert (before, held) == (0, 60_030)
    assert granted(client) >= FIRST_WINDOW // 2
    assert kept(client) == 0


def test_who_sends_beyond_the_window_is_reset() -> None:
    async def main() -> Client:
        client = streaming(cast(Handler, lambda requests, sent: shout(waiting(), sent))).greet()
        return await client.send(client.headers(), *[client.data(framed(bytes(10_000)), 0)] * 7)

    async def waiting() -> AsyncGenerator[bytes, None]:
        await asyncio.sleep(1000)
        yield b""

    client = run(main)
    assert resets(client) == [(1, Code.FLOW_CONTROL_ERROR)]
    assert kept(client) == 0


def test_large_messages_come_in_turn() -> None:
    """Each of two messages of 0.9 MB may come whole, the second when there is room again, however they are mixed."""

    async def main() -> tuple[list[tuple[int, int]], Client]:
        client = unary(never).greet()
        begun = b"\0" + (900_000).to_bytes(4, "big") + bytes(995)
        await client.send(client.headers(), client.headers())
        await client.send(client.data(begun, 0, 1), client.data(begun, 0, 3))
        seen = [(granted(client, 1), granted(client, 3))]
        await client.send(frame(Kind.RST_STREAM, 0, 1, bytes(4)))
        seen.append((granted(client, 1), granted(client, 3)))
        return seen, client

    seen, client = run(main)
    whole = 900_005 - FIRST_WINDOW
    assert seen == [(whole, 0), (whole, whole)]
    assert kept(client) == 1000


def test_a_unary_call_keeps_one_message() -> None:
    async def main() -> Client:
        client = unary(never).greet()
        return await client.send(client.headers(), *[client.data(framed(bytes(1000)), 0)] * 5)

    client = run(main)
    assert client.status() == (12, "the method takes one message, another came")
    assert resets(client) == [(1, Code.NO_ERROR)]
    assert kept(client) == 0


def test_all_connections_share_one_bound() -> None:
    """The connection that holds most gives up, and its calls are told."""

    async def main() -> tuple[Client, Client]:
        large, small = unary(never).greet(), unary(never).greet()
        small.calls.receiving = small.connection._intake._receiving = large.calls.receiving
        large.calls.receiving.limit_bytes = 50_000
        await large.send(large.headers(), large.data(framed(bytes(40_000))[:30_000], 0))
        await small.send(small.headers(), small.data(framed(bytes(40_000))[:20_010], 0))
        return large, small

    large, small = run(main)
    assert large.status()[0] == 14
    assert "keeps too much" in large.status()[1]
    assert not small.answers()
    assert kept(large) == 20_010


def test_answers_that_wait_for_a_window_are_kept_within_the_bound() -> None:
    async def large(request: bytes, sent: Any) -> bytes:
        return bytes(60_000)

    async def main() -> Client:
        client = unary(large).greet((Setting.INITIAL_WINDOW_SIZE, 0))
        client.calls.receiving.limit_bytes = 100_000
        return await client.send(*[client.headers() + client.data(framed(b"")) for _ in range(3)])

    client = run(main)
    assert client.status(1)[0] == client.status(3)[0] == 14
    assert kept(client) == 60_005


def test_streams_wait_until_their_answers_are_read() -> None:
    made: list[bytes] = []

    async def count(requests: AsyncIterator[bytes], sent: Any) -> AsyncGenerator[bytes, None]:
        for place in range(20):
            made.append(bytes([place]) * 5)
            yield made[-1]

    async def main() -> tuple[int, int, Client]:
        client = streaming(count).greet((Setting.INITIAL_WINDOW_SIZE, 25))
        await client.send(client.headers())
        windows = len(made)
        client.connection.pause_writing()
        await client.send(window_update(1, 10_000))
        paused = len(made)
        client.connection.resume_writing()
        await client.send(client.data(b"", END_STREAM))
        return windows, paused, client

    windows, paused, client = run(main)
    assert (windows, paused) == (3, 3)
    assert client.answers()[1][0] == b"".join(map(framed, made))


@pytest.mark.parametrize("what", [frame(Kind.PING, 0, 0, bytes(8)), settings([])])
def test_who_reads_no_answers_to_pings_is_left(what: bytes) -> None:
    async def main() -> Client:
        client = unary(never).greet()
        client.connection.pause_writing()
        await client.send(what * 1000)
        await turns()
        return client

    client = run(main)
    assert goodbye(client) == (Code.ENHANCE_YOUR_CALM, "nothing is read of what is answered")
    assert client.wire.closed
    assert len(client.wire.written) < 10_000


def test_a_turn_of_the_event_loop_is_bounded() -> None:
    """Thousands of frames in one read are worked off in slices, and nothing is read meanwhile."""

    async def main() -> list[tuple[int, bool]]:
        client = unary(never).greet()
        client.connection.data_received(window_update(0, 1) * 600)
        seen = []
        for _ in range(12):
            seen.append((600 - len(client.connection._rest) // 13, client.wire.paused))
            await asyncio.sleep(0)
        return seen

    seen = run(main)
    assert seen[0] == (64, True)
    assert all(after - before <= 64 for (before, _), (after, _) in itertools.pairwise(seen))
    assert seen[-1] == (600, False)


def test_a_queue_of_messages_does_not_keep_the_loop() -> None:
    async def main() -> int:
        client = streaming().greet()
        client.connection.data_received(client.headers() + client.data(framed(b"") * 2000, 0))
        await turns(10)
        answered = sum(kind == Kind.DATA for kind, *_ in client.wire.frames())
        client.connection.connection_lost(None)
        return answered

    assert 0 < run(main) <= 20


def test_settings_of_many_entries_are_an_attack() -> None:
    async def main() -> Client:
        client = unary(never).greet()
        return await client.send(settings([(Setting.INITIAL_WINDOW_SIZE, 65_535)] * 10_000))

    assert goodbye(run(main))[0] == Code.ENHANCE_YOUR_CALM


def test_timers_end_with_their_calls() -> None:
    async def main() -> tuple[list[Any], Client]:
        client = Client().greet()
        loop, timers = asyncio.get_running_loop(), []
        plain = loop.call_later

        def noted(*arguments: Any, **more: Any) -> asyncio.TimerHandle:
            timer = plain(*arguments, **more)
            timers.append(weakref.ref(timer))
            return timer

        loop.call_later = noted  # type: ignore[assignment,method-assign]
        for _ in range(50):
            await client.send(client.headers(grpc_timeout="24H"), client.data(framed(b"")))
        return timers, client

    timers, client = run(main)
    assert len(timers) == 50
    assert [timer() for timer in timers if timer() is not None and not timer().cancelled()] == []
    assert len(client.answers()) == 50


@pytest.mark.parametrize("timeout", ["\u00b2S", "1", "S", "-1S", "123456789S", "\u0663S"])
def test_a_deadline_that_is_none_ends_its_call_only(timeout: str) -> None:
    async def main() -> Client:
        client = Client().greet()
        await client.send(client.headers(grpc_timeout=timeout), client.data(framed(b"")))
        return await client.send(client.headers(), client.data(framed(b"x")))

    client = run(main)
    assert client.status(1)[0] == 3
    assert client.answers()[3][0] == framed(b"<x>")


def test_without_a_right_no_message_is_kept_or_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(sent: Any) -> None:
        raise Unauthenticated("no access key was sent", "send one")

    async def unpacked(*given: Any) -> bytes:
        pytest.fail("it was unpacked")

    monkeypatch.setattr(packing, "unpacked", unpacked)
    monkeypatch.setattr("glassworks.serving.transports.grpc.calls.unpacked", unpacked)

    async def main() -> Client:
        client = unary(never, permit=forbid).greet()
        content = framed(zlib.compress(bytes(100_000)), 1)
        return await client.send(client.headers(grpc_encoding="deflate"), client.data(content, 0), client.data(content))

    client = run(main)
    assert client.status()[0] == 16
    assert kept(client) == 0


def test_what_unpacks_to_too_much_is_told() -> None:
    async def main() -> Client:
        client = Client().greet()
        await client.send(
            client.headers(grpc_encoding="deflate"), client.data(framed(zlib.compress(bytes(LIMIT + 1)), 1))
        )
        while not client.answers():
            await asyncio.sleep(0.001)
        return client

    assert run(main).status() == (8, f"a message has more than {LIMIT} bytes when it is decompressed")


def test_an_unforeseen_failure_ends_its_call_only() -> None:
    def broken(request: bytes) -> bytes:
        raise RuntimeError("nobody thought of that")

    async def main() -> Client:
        methods = {
            PATH: Method(read=bytes, write=broken, unary=never),
            b"/echo": Method(read=bytes, write=bytes, direct=at_once),
        }
        client = Client(methods, LIMITS)
        client.calls.supervisor = Supervisor()
        client.greet()
        plain = client.calls.begin

        def begin(stream: Any) -> None:
            if stream.id == 3:
                raise RuntimeError("nobody thought of that")
            plain(stream)

        client.calls.begin = begin  # type: ignore[method-assign]
        return await client.send(*[client.headers(b"/echo") + client.data(framed(b"x")) for _ in range(3)])

    def at_once(request: bytes, sent: Any, answer: Callable[[bytes], None], fail: Any) -> None:
        answer(request)

    client = run(main)
    assert [client.status(stream)[0] for stream in (1, 3, 5)] == [0, 13, 0]
    assert client.calls.supervisor.troubles["gRPC connection"].failures == 1


def test_headers_beyond_the_limit_refuse_their_call_only() -> None:
    async def main() -> Client:
        client = Client().greet()
        await client.send(client.headers(x_large="v" * 17_000), client.data(framed(b"")))
        return await client.send(client.headers(), client.data(framed(b"x")))

    client = run(main)
    assert client.status(1)[0] == 8
    assert client.answers()[3][0] == framed(b"<x>")


def test_no_more_calls_at_once_than_was_said() -> None:
    async def main() -> Client:
        client = unary(never).greet()
        await client.send(*[client.headers() for _ in range(101)])
        await turns()
        return client

    assert resets(run(main)) == [(201, Code.REFUSED_STREAM)]


def test_a_large_answer_is_not_copied_for_each_frame() -> None:
    """Four megabytes leave in frames of 16 KiB: copied each time, what is left would be half a gigabyte."""

    async def large(request: bytes, sent: Any) -> bytes:
        return bytes(4_000_000)

    async def main() -> Client:
        client = unary(large).greet((Setting.INITIAL_WINDOW_SIZE, 2**30))
        client.calls.receiving.limit_bytes = 2**30
        await client.send(window_update(0, 2**30), client.headers(), client.data(framed(b"")))
        return client

    client = run(main)
    assert client.answers()[1][0] == framed(bytes(4_000_000))


def test_a_stream_that_is_ended_for_its_message_stops_working() -> None:
    async def main() -> Client:
        client = streaming().greet()
        await client.send(client.headers())
        await client.send(client.data(b"\0\xff\xff\xff\xff", 0))
        return client

    client = run(main)
    assert client.status()[0] == 8
    assert not client.calls._tasks
