"""Answers of a model that writes, streamed and whole: what forbids them, what they use, who has to wait, who leaves."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.patience import PATIENCE_S, until
from tests.unit.serving.writing import Counted, loaded

from glassworks.errors import DeadlineExceeded, InputError, LimitExceeded, Overloaded
from glassworks.serving.core.answering import Parts
from glassworks.serving.core.models import Models
from glassworks.serving.requests import Call


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Models]:
    with loaded(tmp_path_factory.mktemp("scribe")) as found:
        yield found


@pytest.fixture
def service(models: Models, tmp_path: Path) -> Counted:
    return Counted(models, tmp_path / "home")


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, PATIENCE_S))


async def settled(service: Counted) -> None:
    """Return when the engine has ended what was cancelled."""
    await asyncio.to_thread(until, service.idle)


async def read(parts: Parts, count: int = 10**6) -> bytes:
    text = b""
    async for part in parts:
        text += b"".join(values.item() for values in part.outputs.values())
        count -= 1
        if not count:
            break
    await parts.aclose()
    return text


def counts(service: Counted) -> tuple[int, ...]:
    used = service.used()
    assert used.tokens == used.prompt_tokens + used.completion_tokens
    return used.requests, used.errors, used.rows, used.prompt_tokens, used.cached_tokens, used.completion_tokens


@pytest.mark.parametrize("given", [1, 2, 4, 10**6])
def test_what_was_given_is_counted_when_it_is_given(given: int, service: Counted) -> None:
    async def main() -> None:
        parts = await service.ask("a b c d", max_tokens=6)
        assert service.ledger.totals() == ()
        for number in range(min(given, 7)):
            part = await anext(parts)
            assert part.chunk is not None
            if number:
                assert counts(service) == (1, 0, 1, 4, 2, number)
        await parts.aclose()
        await settled(service)

    run(main())
    written = min(given, 7) - 1
    statistics = service.model.statistics
    if given == 1:
        assert service.ledger.totals() == ()
    else:
        assert counts(service) == (1, given < 7, 1, 4, 2, written)
    assert (statistics.success.count, statistics.dropped) == (given >= 7, given < 7)
    assert statistics.first_token.count == (given > 1)
    assert statistics.completion_tokens == written


def test_whole_answers_are_joined_from_streams_and_counted(service: Counted) -> None:
    async def main() -> None:
        texts, last = await service.whole("a b", "c", "d e f", max_tokens=3)
        assert texts == [b"a b a ", b"c c c ", b"d e f "]
        assert (last.prompt_tokens, last.completion_tokens, last.finish_reason) == (6, 9, "length")

    run(main())
    assert counts(service) == (1, 0, 3, 6, 2, 9)
    assert (service.model.statistics.success.count, service.model.statistics.rows) == (1, 3)
    until(service.idle)


def test_a_prompt_that_is_only_told_uses_no_tokens_and_needs_no_place(service: Counted, tmp_path: Path) -> None:
    async def main() -> None:
        busy = [await service.ask(f"wait {tmp_path}") for _ in range(2)]
        reading = [asyncio.ensure_future(read(each)) for each in busy]
        told = await service.ask("a b c", tokenize=True)
        assert await read(told) == b'["a", "b", "c"]'
        for each in reading:
            each.cancel()
        await asyncio.gather(*reading, return_exceptions=True)

    run(main())
    assert counts(service) == (3, 2, 3, 4, 0, 0)


def test_answers_of_one_call_are_one_request(service: Counted) -> None:
    async def main() -> None:
        call = Call("scribe")
        parts = [await service.ask("a b", call=call, max_tokens=2) for _ in range(2)]
        assert await asyncio.gather(*map(read, parts)) == [b"a b ", b"a b "]

    run(main())
    assert counts(service) == (1, 0, 1, 4, 2, 4)


def test_more_answers_of_one_call_than_are_computed_at_a_time_can_be_opened_first(service: Counted) -> None:
    async def main() -> None:
        call = Call("scribe")
        parts = await asyncio.gather(*(service.ask("a b", call=call, max_tokens=2) for _ in range(5)))
        assert await asyncio.gather(*map(read, parts)) == [b"a b "] * 5
        await settled(service)

    run(main())
    assert counts(service) == (1, 0, 1, 10, 5, 10)


@pytest.mark.parametrize("whole", [True, False])
def test_what_forbids_an_answer_is_raised_before_there_is_one(whole: bool, service: Counted) -> None:
    async def main() -> None:
        asked = service.whole if whole else service.ask
        for wrong, text in (({"colour": 1}, "no parameter 'colour'"), ({"max_tokens": 2000}, "context_length")):
            with pytest.raises(InputError, match=text):
                await asked("a b", **wrong)  # type: ignore[arg-type]
        await settled(service)

    run(main())
    assert counts(service)[:2] == (2, 2)
    assert service.model.statistics.errors == {"InputError": 2}


def test_tokens_of_a_day_are_reserved_before_work_and_settled_after_it(service: Counted, tmp_path: Path) -> None:
    token = service.key(tokens_per_day=100)

    async def main() -> None:
        (tmp_path / "go").touch()
        first = await service.ask(f"wait {tmp_path}", token, max_tokens=50)
        with pytest.raises(LimitExceeded, match=r"used 0, 52 more are reserved .* 48 are left") as refused:
            await service.ask("a b", token, max_tokens=47)
        assert refused.value.retry_after_s == 1
        second = await service.ask("a b", token, max_tokens=46)
        left = service.dispatcher.admission.left(Call("scribe", token=token))
        assert left is not None
        assert (left.tokens, left.tokens_per_day, left.requests) == (0, 100, None)
        await read(first, 11)
        await second.aclose()
        left = service.dispatcher.admission.left(Call("scribe", token=token))
        assert left is not None
        assert left.tokens == 88
        assert len((await read(await service.ask("a b c d", token, max_tokens=84))).split()) == 84
        with pytest.raises(LimitExceeded, match="used 100, 0 are left") as refused:
            await service.whole("a", token=token, max_tokens=1)
        assert refused.value.retry_after_s > 1
        await settled(service)

    run(main())
    assert counts(service) == (2, 1, 2, 6, 3, 94)


def test_several_rows_are_reserved_together(service: Counted) -> None:
    token = service.key(tokens_per_day=20, requests_per_day=2)

    async def main() -> None:
        for _ in range(5):
            with pytest.raises(LimitExceeded, match="20 tokens a day"):
                await service.whole("a", "b", "c", token=token, max_tokens=6)
        assert service.ledger.totals() == ()
        # What was refused used up no requests either.
        await service.whole("a", "b", token=token, max_tokens=6)
        await settled(service)

    run(main())


def test_a_key_has_so_many_answers_at_a_time(service: Counted, tmp_path: Path) -> None:
    token = service.key(concurrent_streams=1)

    async def main() -> None:
        first = await service.ask(f"wait {tmp_path}", token)
        for ask in (service.ask("a", token), service.whole("a", token=token)):
            with pytest.raises(LimitExceeded, match="may have 1 answers under way, and has 1"):
                await ask
        await first.aclose()
        # Rows of one request take turns.
        texts, _ = await service.whole("a", "b", "c", token=token, max_tokens=1)
        assert texts == [b"a ", b"b ", b"c "]
        await read(await service.ask("a", token, max_tokens=1))

    run(main())


def test_a_key_has_a_largest_context(service: Counted) -> None:
    token = service.key(max_context=10)

    async def main() -> None:
        problem = r"context_length_exceeded: the key 'shop' allows 10 tokens of prompt and answer, .* 3 and 8"
        with pytest.raises(InputError, match=problem) as refused:
            await service.ask("a b c", token, max_tokens=8)
        assert "at most 7 tokens" in refused.value.mend
        assert len((await service.whole("a b c", token=token, max_tokens=7))[0][0].split()) == 7

    run(main())


def test_who_comes_later_waits_and_keys_take_turns(service: Counted, tmp_path: Path) -> None:
    keys = {name: service.key(name) for name in ("a", "b")}
    order: list[str] = []

    async def asked(name: str) -> None:
        await read(await service.ask(f"{name}", keys[name[0]], max_tokens=1))
        order.append(name)

    async def main() -> None:
        busy = [asyncio.ensure_future(read(await service.ask(f"wait {tmp_path}", keys["a"]))) for _ in range(2)]
        waiting = []
        for name in ("a1", "a2", "a3", "b1"):
            waiting.append(asyncio.ensure_future(asked(name)))
            await asyncio.to_thread(until, lambda: service.model.slots.waiting == len(waiting))
            await asyncio.sleep(0.05)
        assert order == []
        busy[0].cancel()
        await asyncio.gather(*waiting)
        busy[1].cancel()

    run(main())
    assert order == ["a1", "b1", "a2", "a3"]


def test_a_full_line_sheds_and_a_timeout_ends_the_wait(service: Counted, tmp_path: Path) -> None:
    async def main() -> None:
        busy = [await service.ask(f"wait {tmp_path}") for _ in range(2)]
        with pytest.raises(DeadlineExceeded, match="waited 1000 us"):
            await service.ask("a", timeout=1000)

        async def answered() -> bytes:
            return await read(await service.ask("a", max_tokens=1))

        waiting = [asyncio.ensure_future(answered()) for _ in range(6)]
        await asyncio.to_thread(until, lambda: service.model.slots.waiting == 6)
        for ask in (service.ask("a"), service.whole("a")):
            with pytest.raises(Overloaded, match="2 answers of this model are under way and 6 wait") as refused:
                await ask
            assert refused.value.retry_after_s >= 1
        # Who leaves the line makes room in it.
        waiting[0].cancel()
        await asyncio.wait(waiting[:1])
        assert service.model.slots.waiting == 5
        for each in busy:
            await each.aclose()
        await asyncio.gather(*waiting[1:])
        await settled(service)

    run(main())
    assert counts(service)[0] == 5


@pytest.mark.parametrize("how", ["streamed", "whole", "forgotten"])
def test_who_leaves_frees_the_place_at_once_also_while_the_prompt_is_read(
    how: str, service: Counted, tmp_path: Path
) -> None:
    async def main() -> None:
        if how == "whole":
            task: asyncio.Task[Any] = asyncio.ensure_future(service.whole(f"wait {tmp_path}"))
        else:
            parts = await service.ask(f"wait {tmp_path}")
            await anext(parts)
            if how == "forgotten":
                del parts
                assert service.model.slots.open == 0
                return
            task = asyncio.ensure_future(anext(parts))
        await asyncio.to_thread(until, (tmp_path / "began").exists)
        assert service.model.slots.open == 1
        task.cancel()
        await asyncio.wait([task])
        assert service.model.slots.open == 0
        await asyncio.to_thread(until, (tmp_path / "closed").exists)
        assert not (tmp_path / "go").exists()
        await settled(service)

    run(main())


def test_who_does_not_read_loses_the_rest_and_the_place(models: Models, tmp_path: Path) -> None:
    service = Counted(models, tmp_path / "home", unread_s=0.1)

    async def main() -> None:
        parts = await service.ask("a b", max_tokens=500)
        await anext(parts)
        await anext(parts)
        while not service.idle():
            await asyncio.sleep(0.01)
        with pytest.raises(DeadlineExceeded, match=r"was not read for 0\.1 s"):
            await read(parts)

    run(main())
    assert counts(service) == (1, 1, 1, 2, 1, 1)
    assert service.model.statistics.errors == {"DeadlineExceeded": 1}


def test_a_killed_engine_fails_its_own_and_what_was_given_stays_counted(service: Counted, tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "go").touch()
        parts = await service.ask(f"wait {tmp_path}", max_tokens=900)
        for _ in range(4):
            await anext(parts)
        process = service.model.engines.computing.stats().process_id
        assert process is not None
        os.kill(process, signal.SIGKILL)
        with pytest.raises(Overloaded, match="SIGKILL"):
            await read(parts)
        given = service.model.statistics.completion_tokens
        assert counts(service) == (1, 1, 1, 2, 1, given)
        assert 3 <= given < 900
        assert (await service.whole("a", max_tokens=1))[0] == [b"a "]

    run(main())
