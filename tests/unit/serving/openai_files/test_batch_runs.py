"""Batches worked off in this process, by a service whose answers the test gives."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.patience import PATIENCE_S

from glassworks.errors import InputError, LimitExceeded
from glassworks.serving.access.clock import Clock
from glassworks.serving.access.gate import Gate
from glassworks.serving.access.keys import KeyStore
from glassworks.serving.access.ledger import Ledger
from glassworks.serving.app import Application, Route
from glassworks.serving.batches import asking as running
from glassworks.serving.batches.asking import Background
from glassworks.serving.batches.batches import Batches
from glassworks.serving.batches.records import Batch
from glassworks.serving.core.dispatcher import Dispatcher
from glassworks.serving.core.models import Models
from glassworks.serving.transports.http.exchange import Answer, Exchange, json_answer, token

ENDPOINT = "/v1/embeddings"
Handler = Callable[[Exchange], Coroutine[Any, Any, Answer]]


class Service:
    """A service whose one endpoint is the test's, with its batches in a folder."""

    def __init__(self, home: Path, handler: Handler, dispatcher: Dispatcher, wall: Callable[[], float] | None) -> None:
        self.asked: list[str] = []
        self._handler = handler
        clock = Clock() if wall is None else Clock(wall=wall)
        self.batches = Batches(home, dispatcher, clock)
        self.batches.background.ask = Application([Route(ENDPOINT, {"POST": self._answer})])

    async def _answer(self, exchange: Exchange) -> Answer:
        self.asked.append(exchange.json()["input"])  # type: ignore[arg-type]
        return await self._handler(exchange)

    def send(self, lines: Sequence[Any], owner: str = "anonymous", window_s: int = 86_400) -> Batch:
        """A batch of these lines."""
        content = b"\n".join(json.dumps(each).encode() for each in lines)
        file = self.batches.files.create(owner, "in.jsonl", "batch", content)
        now = self.batches.now()
        draft = Batch(
            id=self.batches.new_id(), owner=owner, endpoint=ENDPOINT, input_file_id=file.id, completion_window="24h",
            status="validating", created_at=now, expires_at=now + window_s,
        )  # fmt: skip
        made = self.batches.create(owner, draft)
        self.batches.look()
        return made

    def now(self, batch: Batch) -> Batch:
        return self.batches.seen(self.batches.store.get(batch.owner, batch.id))

    async def until(self, batch: Batch, holds: Callable[[Batch], bool]) -> Batch:
        async with asyncio.timeout(PATIENCE_S):
            while not holds(found := self.now(batch)):
                await asyncio.sleep(0.005)
        return found

    async def ended(self, batch: Batch) -> Batch:
        return await self.until(batch, lambda each: each.status in ("completed", "failed", "expired", "cancelled"))

    def lines(self, batch: Batch, identity: str | None) -> dict[str, Any]:
        """The lines of an output file by their ids, each there once."""
        if identity is None:
            return {}
        path = self.batches.files.path(self.batches.files.get(batch.owner, identity))
        found = [json.loads(each) for each in path.read_bytes().splitlines()]
        assert len({each["custom_id"] for each in found}) == len(found)
        return {each["custom_id"]: each for each in found}


def requests(count: int) -> list[dict[str, Any]]:
    return [
        {"custom_id": f"id-{each}", "method": "POST", "url": ENDPOINT, "body": {"model": "m", "input": f"{each}"}}
        for each in range(count)
    ]


async def echo(exchange: Exchange) -> Answer:
    return json_answer({"said": exchange.json()["input"]})


@pytest.fixture
def models() -> Iterator[Models]:
    models = Models()
    yield models
    models.close()


def run(
    home: Path,
    models: Models,
    handler: Handler,
    scenario: Callable[[Service], Coroutine[Any, Any, None]],
    gate: Gate | None = None,
    wall: Callable[[], float] | None = None,
    before: Callable[[Service], None] = lambda service: None,
) -> None:
    """`before` prepares what is there when the batches start."""

    async def whole() -> None:
        service = Service(home, handler, Dispatcher(models, gate), wall)
        before(service)
        await service.batches.start()
        try:
            await scenario(service)
        finally:
            await service.batches.stop(0)

    asyncio.run(whole())


def test_every_line_is_answered_once_and_failures_are_apart(tmp_path: Path, models: Models) -> None:
    async def handler(exchange: Exchange) -> Answer:
        if exchange.json()["input"] == "7":
            raise InputError("seven is wrong", "send eight")
        return await echo(exchange)

    async def scenario(service: Service) -> None:
        batch = await service.ended(service.send(requests(30)))
        assert (batch.status, batch.total, batch.completed, batch.failed) == ("completed", 30, 29, 1)
        times = (batch.created_at, batch.in_progress_at, batch.finalizing_at, batch.completed_at)
        assert list(times) == sorted(each for each in times if each is not None)
        answers, failures = service.lines(batch, batch.output_file_id), service.lines(batch, batch.error_file_id)
        assert sorted(answers) == sorted(f"id-{each}" for each in range(30) if each != 7)
        one = answers["id-3"]
        assert one["id"].startswith("batch_req_")
        assert one["response"] == {"status_code": 200, "request_id": f"{batch.id}-4", "body": {"said": "3"}}
        assert one["error"] is None
        assert failures["id-7"]["response"]["status_code"] == 400
        assert "seven is wrong; send eight" in failures["id-7"]["response"]["body"]["error"]["message"]
        assert sorted(service.asked, key=int) == [str(each) for each in range(30)]
        await service.until(batch, lambda _: list((tmp_path / "batches").glob("*.jsonl")) == [])

    run(tmp_path, models, handler, scenario)


def test_nothing_is_asked_of_a_file_with_a_wrong_line(tmp_path: Path, models: Models) -> None:
    async def scenario(service: Service) -> None:
        batch = await service.ended(service.send([*requests(3), {"custom_id": "x"}, requests(1)[0]]))
        assert batch.status == "failed"
        assert [(each.line, each.code) for each in batch.errors] == [
            (4, "invalid_request"),
            (5, "duplicate_custom_id"),
        ]
        assert batch.public()["errors"]["object"] == "list"
        assert service.asked == []

    run(tmp_path, models, echo, scenario)


def test_a_cancelled_batch_ends_at_once_and_keeps_its_answers(tmp_path: Path, models: Models) -> None:
    cancelled: list[str] = []

    async def handler(exchange: Exchange) -> Answer:
        said = str(exchange.json()["input"])
        if int(said) >= 5:
            try:
                await asyncio.sleep(PATIENCE_S)
            except asyncio.CancelledError:
                cancelled.append(said)
                raise
        return await echo(exchange)

    async def scenario(service: Service) -> None:
        batch, behind = service.send(requests(100)), service.send(requests(2))
        await service.until(batch, lambda each: each.completed == 5 and len(service.asked) == 5 + running.AT_ONCE)
        for each in (batch, behind):
            service.batches.cancel("anonymous", each.id)
        service.batches.look()
        ended = await service.ended(batch)
        assert (ended.status, ended.completed, ended.total) == ("cancelled", 5, 100)
        assert (await service.ended(behind)).status == "cancelled"
        assert len(cancelled) == running.AT_ONCE
        assert sorted(service.lines(ended, ended.output_file_id)) == [f"id-{each}" for each in range(5)]
        assert ended.error_file_id is None
        with pytest.raises(InputError, match="the batch is cancelled already"):
            service.batches.cancel("anonymous", batch.id)

    run(tmp_path, models, handler, scenario)


def test_what_is_not_answered_in_time_is_told_line_by_line(tmp_path: Path, models: Models) -> None:
    wall = [1000.0]

    async def handler(exchange: Exchange) -> Answer:
        if exchange.json()["input"] == "0":
            return await echo(exchange)
        await asyncio.sleep(PATIENCE_S)
        raise AssertionError

    async def scenario(service: Service) -> None:
        batch = await service.ended(service.send(requests(4), window_s=1))
        assert (batch.status, batch.completed, batch.failed) == ("expired", 1, 3)
        failures = service.lines(batch, batch.error_file_id)
        assert sorted(failures) == ["id-1", "id-2", "id-3"]
        assert failures["id-2"]["error"]["code"] == "batch_expired"
        assert failures["id-2"]["response"] is None

    run(tmp_path, models, handler, scenario, wall=lambda: wall[0])


def test_the_next_process_goes_on_and_asks_nothing_again(tmp_path: Path, models: Models) -> None:
    made: list[Batch] = []

    async def stops(exchange: Exchange) -> Answer:
        if int(str(exchange.json()["input"])) >= 20:
            await asyncio.sleep(PATIENCE_S)
        return await echo(exchange)

    async def begins(service: Service) -> None:
        made.append(service.send(requests(60)))
        await service.until(made[0], lambda each: each.completed == 20)

    async def goes_on(service: Service) -> None:
        batch = await service.ended(made[0])
        assert (batch.status, batch.completed, batch.failed) == ("completed", 60, 0)
        assert sorted(service.asked, key=int) == [str(each) for each in range(20, 60)]
        assert len(service.lines(batch, batch.output_file_id)) == 60

    run(tmp_path, models, stops, begins)
    run(tmp_path, models, echo, goes_on)


@pytest.mark.parametrize("turns", range(8))
def test_a_stop_that_comes_with_news_stops(tmp_path: Path, models: Models, turns: int) -> None:
    """At each turn of the loop between the news and who waits for them."""

    services = list[Service]()

    async def scenario(service: Service) -> None:
        services.append(service)
        batch = await service.ended(service.send(requests(1)))
        await service.until(batch, lambda each: not service.batches._runs)
        await asyncio.sleep(0.05)
        service.batches.look()
        for _ in range(turns):
            await asyncio.sleep(0)

    run(tmp_path, models, echo, scenario)
    assert services[0].batches._task
    assert services[0].batches._task.cancelled()


@pytest.mark.parametrize("status", ["finalizing", "cancelling"])
def test_a_batch_that_was_killed_at_its_end_ends_again(tmp_path: Path, models: Models, status: Any) -> None:
    async def begins(service: Service) -> None:
        made.append(await service.ended(service.send(requests(3))))

    made: list[Batch] = []
    run(tmp_path, models, echo, begins)
    (tmp_path / "batches" / "batch_of_before.answers.jsonl").write_bytes(b"")

    def killed(service: Service) -> None:
        # As a kill before the last transaction leaves it: the answers are in the journal, and the file may be there.
        path = service.batches.files.path(service.batches.files.get("anonymous", str(made[0].output_file_id)))
        (tmp_path / "batches" / f"{made[0].id}.answers.jsonl").write_bytes(path.read_bytes())
        service.batches.store.change(made[0].id, lambda each: each.model_copy(update={"status": status}))

    async def again(service: Service) -> None:
        batch = await service.ended(made[0])
        assert batch.output_file_id == made[0].output_file_id
        assert len(service.lines(batch, batch.output_file_id)) == 3
        assert service.asked == []
        assert len(service.batches.files.page("anonymous", 9)[0]) == 2
        await service.until(batch, lambda _: list((tmp_path / "batches").glob("*.jsonl")) == [])

    run(tmp_path, models, echo, again, before=killed)


def test_a_full_queue_and_a_spent_rate_are_waited_for(tmp_path: Path, models: Models) -> None:
    refused: set[str] = set()

    async def handler(exchange: Exchange) -> Answer:
        said = str(exchange.json()["input"])
        if said not in refused:
            refused.add(said)
            raise LimitExceeded("too fast", "try again", 0)
        return await echo(exchange)

    async def scenario(service: Service) -> None:
        batch = await service.ended(service.send(requests(3)))
        assert (batch.completed, batch.failed) == (3, 0)
        assert len(service.asked) == 6

    run(tmp_path, models, handler, scenario)


def test_requests_are_those_of_the_key_at_the_last_priority(tmp_path: Path, models: Models) -> None:
    keys, ledger = KeyStore(tmp_path, Clock()), Ledger(tmp_path, Clock())
    key, secret = keys.create("somebody")
    gate = Gate(keys, ledger, Clock(), required=True)
    callers: list[tuple[str, bytes]] = []

    async def handler(exchange: Exchange) -> Answer:
        callers.append((gate.permit(token(exchange), "infer").key_id, exchange.headers[b"x-priority"]))
        assert token(exchange) != secret.encode()
        return await echo(exchange)

    async def scenario(service: Service) -> None:
        assert (await service.ended(service.send(requests(2), owner=key.id))).completed == 2
        assert callers == [(key.id, b"9")] * 2
        keys.revoke(key.id)
        other = Gate(keys, ledger, Clock(), required=True)
        assert other.standing_in(key.id) != gate.standing_in(key.id)

    run(tmp_path, models, handler, scenario, gate)


def test_who_is_waited_for_goes_first(tmp_path: Path, models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    busy = [True]
    monkeypatch.setattr(running, "_PATIENCE_S", PATIENCE_S)
    monkeypatch.setattr(Background, "busy", lambda _: busy[0])

    async def scenario(service: Service) -> None:
        batch = service.send(requests(3))
        await service.until(batch, lambda each: each.status == "in_progress" and each.total == 3)
        await asyncio.sleep(0.1)
        assert service.asked == []
        busy[0] = False
        assert (await service.ended(batch)).completed == 3

    run(tmp_path, models, echo, scenario)


def test_a_key_has_one_batch_at_work_and_keeps_nobody_waiting(tmp_path: Path, models: Models) -> None:
    async def handler(exchange: Exchange) -> Answer:
        if str(exchange.json()["input"]) == "1":
            await asyncio.sleep(PATIENCE_S)
        return await echo(exchange)

    async def scenario(service: Service) -> None:
        first, second = service.send(requests(2), owner="a"), service.send(requests(1), owner="a")
        assert (await service.ended(service.send(requests(1), owner="b"))).completed == 1
        assert service.now(second).status == "validating"
        service.batches.cancel("a", first.id)
        assert (await service.ended(second)).completed == 1

    run(tmp_path, models, handler, scenario)


def test_too_many_batches_are_refused(tmp_path: Path, models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassworks.serving.batches.batches.MOST_ACTIVE", 2)
    service = Service(tmp_path, echo, Dispatcher(models), None)
    for _ in range(2):
        service.send(requests(1))
    with pytest.raises(InputError, match="2 of your batches have not ended"):
        service.send(requests(1))
    service.send(requests(1), owner="b")
    service.batches.thread.close()


def test_one_process_of_a_folder_works(tmp_path: Path, models: Models) -> None:
    async def scenario(service: Service) -> None:
        other = Service(tmp_path, echo, Dispatcher(models), None)
        await service.ended(service.send(requests(1)))
        await other.batches.start()
        batch = other.send(requests(3))
        assert (await other.ended(batch)).completed == 3
        assert other.asked == []
        await service.batches.stop(0)
        assert (await other.ended(other.send(requests(2)))).completed == 2
        assert len(other.asked) == 2
        await other.batches.stop(0)

    async def whole() -> None:
        service = Service(tmp_path, echo, Dispatcher(models), None)
        await service.batches.start()
        await scenario(service)

    asyncio.run(whole())
