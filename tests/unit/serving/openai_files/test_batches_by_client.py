"""Files and batches by OpenAI's own client, of a real server with keys; and a kill in the middle."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import httpx
import openai
import pytest
from tests.integration.serving.running import Server, serving
from tests.patience import until

from glassworks.serving.access.clock import Clock
from glassworks.serving.access.keys import KeyStore
from glassworks.serving.access.ledger import Ledger
from glassworks.serving.batches.asking import AT_ONCE

NAME = "tiny-text-encoder"
ENDPOINT: Literal["/v1/embeddings"] = "/v1/embeddings"
OPTIONS = ("--no-grpc", "--keys", "on")
LINES, KILLED_AT = 300, 20


class Keys:
    """Two keys, and clients that use them."""

    def __init__(self, home: Path) -> None:
        store = KeyStore(home, Clock())
        (self.one, self._one), (self.other, self._other) = store.create("one"), store.create("other")
        self.poor, self.poors = store.create("poor", tokens_per_day=20)

    def client(self, server: Server, other: bool = False) -> openai.OpenAI:
        key = self._other if other else self._one
        return openai.OpenAI(base_url=f"http://{server.address}/v1", api_key=key, max_retries=0)


@pytest.fixture(scope="module")
def home(encoder_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same models, with files and keys of its own."""
    home = tmp_path_factory.mktemp("batches") / "home"
    home.mkdir()
    for each in (encoder_home / "home").iterdir():
        if each.name.startswith(("registry", "blobs", "store", "bundles")):
            (home / each.name).symlink_to(each)
    return home


@pytest.fixture(scope="module")
def keys(home: Path) -> Keys:
    return Keys(home)


@pytest.fixture(scope="module")
def server(home: Path, keys: Keys) -> Iterator[Server]:
    with serving(home, *OPTIONS) as server:
        yield server


@pytest.fixture
def client(server: Server, keys: Keys) -> openai.OpenAI:
    return keys.client(server)


@pytest.fixture
def stranger(server: Server, keys: Keys) -> openai.OpenAI:
    return keys.client(server, other=True)


def requests(count: int, **more: Any) -> bytes:
    lines = [
        {
            "custom_id": f"id-{each}",
            "method": "POST",
            "url": ENDPOINT,
            "body": {"model": NAME, "input": f"book {each}", **more},
        }
        for each in range(count)
    ]
    return b"\n".join(json.dumps(each).encode() for each in lines)


def sent(client: openai.OpenAI, content: bytes, **more: Any) -> Any:
    file = client.files.create(file=("in.jsonl", content), purpose="batch")
    return client.batches.create(input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h", **more)


def ended(client: openai.OpenAI, identity: str) -> Any:
    found: list[Any] = []

    def holds() -> bool:
        found[:] = [client.batches.retrieve(identity)]
        return found[0].status in ("completed", "failed", "cancelled", "expired")

    until(holds, "the end of the batch")
    return found[0]


def answered(client: openai.OpenAI, identity: str) -> int:
    counts = client.batches.retrieve(identity).request_counts
    return counts.completed if counts is not None else 0


def lines_of(client: openai.OpenAI, identity: str) -> list[dict[str, Any]]:
    return [json.loads(each) for each in client.files.content(identity).text.splitlines()]


def test_a_file_comes_back_as_it_was_sent(client: openai.OpenAI) -> None:
    content = bytes(range(256)) * 3000
    made = client.files.create(
        file=("../名字.bin", io.BytesIO(content)),
        purpose="user_data",
        expires_after={"anchor": "created_at", "seconds": 3600},
    )
    assert (made.filename, made.bytes, made.purpose, made.status) == (
        "名字.bin",
        len(content),
        "user_data",
        "processed",
    )
    assert made.expires_at == made.created_at + 3600
    assert client.files.retrieve(made.id) == made
    assert client.files.content(made.id).read() == content
    assert client.files.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError, match="there is no file"):
        client.files.content(made.id)


def test_lists_are_read_page_by_page(client: openai.OpenAI) -> None:
    made = [client.files.create(file=(f"{each}", b"x"), purpose="evals").id for each in range(5)]
    pages = client.files.list(purpose="evals", limit=2, order="asc")
    assert [each.id for each in pages] == made
    assert [each.id for each in client.files.list(purpose="evals", limit=3)] == made[::-1]
    assert client.files.wait_for_processing(made[0]).status == "processed"
    assert list(client.files.list(purpose="fine-tune-results")) == []
    with pytest.raises(openai.BadRequestError, match="give one of: assistants, batch"):
        client.files.list(purpose="fun")
    for each in made:
        client.files.delete(each)


def test_a_stranger_sees_nothing_of_it(client: openai.OpenAI, stranger: openai.OpenAI) -> None:
    batch = sent(client, requests(2))
    done = ended(client, batch.id)
    asks: list[Callable[[], object]] = [
        lambda: stranger.files.retrieve(done.input_file_id),
        lambda: stranger.files.content(done.output_file_id),
        lambda: stranger.files.delete(done.output_file_id),
        lambda: stranger.batches.retrieve(batch.id),
        lambda: stranger.batches.cancel(batch.id),
        lambda: stranger.batches.list(after=batch.id),
    ]
    for ask in asks:
        with pytest.raises(openai.NotFoundError):
            ask()
    with pytest.raises(openai.BadRequestError, match="there is no file"):
        stranger.batches.create(input_file_id=done.input_file_id, endpoint=ENDPOINT, completion_window="24h")
    assert stranger.files.list().data == []
    assert stranger.batches.list().data == []


def test_a_batch_answers_as_requests_do(client: openai.OpenAI, home: Path, keys: Keys) -> None:
    batch = sent(
        client, requests(5) + b"\n" + requests(1, dimensions=1000).replace(b"id-0", b"wrong"), metadata={"a": "b"}
    )
    assert (batch.object, batch.status, batch.metadata) == ("batch", "validating", {"a": "b"})
    done = ended(client, batch.id)
    counts = done.request_counts
    assert (done.status, counts.total, counts.completed, counts.failed) == ("completed", 6, 5, 1)
    for line in lines_of(client, done.output_file_id):
        text = line["custom_id"].replace("id-", "book ")
        wanted = client.embeddings.create(model=NAME, input=text, encoding_format="float")
        assert line["response"]["body"]["data"][0]["embedding"] == pytest.approx(wanted.data[0].embedding, abs=1e-6)
        assert line["response"]["status_code"] == 200
    (wrong,) = lines_of(client, done.error_file_id)
    assert (wrong["custom_id"], wrong["response"]["status_code"]) == ("wrong", 400)
    assert wrong["response"]["body"]["error"]["param"] == "dimensions"
    used = [each for each in Ledger(home, Clock()).totals(key=keys.one.id) if each.model == NAME]
    assert sum(each.requests for each in used) >= 10
    assert [each.id for each in client.batches.list(limit=1).data] == [batch.id]


def test_tokens_are_charged_to_the_key_before_anything_is_computed(server: Server, home: Path, keys: Keys) -> None:
    client = openai.OpenAI(base_url=f"http://{server.address}/v1", api_key=keys.poors, max_retries=0)
    used = client.embeddings.create(model=NAME, input=["book one", "book"]).usage.prompt_tokens
    assert 0 < used < 20
    with pytest.raises(openai.RateLimitError, match="may use 20 tokens a day"):
        client.embeddings.create(model=NAME, input=["book"] * 20)
    rest = client.embeddings.create(model=NAME, input="book").usage.prompt_tokens
    found = Ledger(home, Clock()).totals(key=keys.poor.id)
    assert [(each.requests, each.rows, each.tokens, each.prompt_tokens) for each in found] == [
        (2, 3, used + rest, used + rest)
    ]


def test_a_wrong_line_is_named_and_nothing_is_answered(client: openai.OpenAI) -> None:
    done = ended(client, sent(client, requests(2) + b"\n{").id)
    assert done.status == "failed"
    assert [(each.line, each.code) for each in done.errors.data] == [(3, "invalid_json_line")]
    assert done.output_file_id is None


@pytest.mark.parametrize(
    ("fields", "param", "text"),
    [
        ({"endpoint": "/v1/images/generations"}, "endpoint", "give one of: /v1/chat/completions"),
        ({"completion_window": "soon"}, "completion_window", "give 24h"),
        ({"completion_window": None}, "completion_window", "the request has no"),
        ({"input_file_id": "file-0"}, "input_file_id", "there is no file"),
        ({"input_file_id": 3}, "input_file_id", "give the id of a file"),
        ({"metadata": {"a": 1}}, "metadata", "give at most 16 texts"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 1}}, "output_expires_after", "N from 3600"),
        ({"priority": 1}, "priority", "is not supported"),
    ],
)
def test_what_is_wrong_with_a_batch_is_named(
    client: openai.OpenAI, fields: dict[str, Any], param: str, text: str
) -> None:
    good = {"input_file_id": "file-1", "endpoint": ENDPOINT, "completion_window": "24h"}
    with pytest.raises(openai.BadRequestError) as caught:
        client.post("/batches", body={**good, **fields}, cast_to=object)
    assert caught.value.param == param
    assert text in str(caught.value)


def test_what_is_wrong_with_a_file_is_named(client: openai.OpenAI) -> None:
    url, headers = f"{client.base_url}files", {"authorization": f"Bearer {client.api_key}"}
    file = {"file": ("a", b"x")}
    sends: list[tuple[dict[str, Any], str, str]] = [
        (
            {"files": file, "data": {"purpose": "fun"}},
            "purpose",
            "give one of: assistants, batch, evals, fine-tune, ",
        ),
        ({"files": file}, "purpose", "give one of"),
        ({"files": file, "data": {"purpose": "fine-tune-results"}}, "purpose", "give one of"),
        ({"files": {"purpose": (None, "batch")}}, "file", "the form has no file"),
        ({"files": file, "data": {"purpose": "batch", "path": "/etc"}}, "path", "is not supported"),
        ({"files": file, "data": {"purpose": "batch", "expires_after[seconds]": "5"}}, "expires_after", "N from 3600"),
    ]
    for send, param, text in sends:
        answer = httpx.post(url, headers=headers, **send)
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == param
        assert text in answer.json()["error"]["message"]
    assert httpx.post(url, headers=headers, json={}).status_code == 400
    assert httpx.post(url, files=file).status_code == 401
    assert httpx.get(f"{url}?limit=0", headers=headers).json()["error"]["param"] == "limit"
    assert httpx.get(f"{url}/..%2F..%2Fkeys/content", headers=headers).status_code == 404


def test_a_killed_server_goes_on_and_answers_nothing_twice(home: Path, keys: Keys) -> None:
    before = requests_of(home, keys)
    with serving(home, *OPTIONS) as server:
        client = keys.client(server)
        batch = sent(client, requests(LINES))
        until(lambda: answered(client, batch.id) >= KILLED_AT, "some answers")
        server.process.kill()
        server.process.wait()
    with serving(home, *OPTIONS) as server:
        client = keys.client(server)
        done = ended(client, batch.id)
        assert (done.status, done.request_counts.completed, done.request_counts.failed) == ("completed", LINES, 0)
        lines = lines_of(client, done.output_file_id)
    assert sorted(each["custom_id"] for each in lines) == sorted(f"id-{each}" for each in range(LINES))
    # What was answered and not yet written when the kill came is asked again: no more than was asked at a time.
    assert LINES <= requests_of(home, keys) - before <= LINES + AT_ONCE


def requests_of(home: Path, keys: Keys) -> int:
    return sum(each.requests for each in Ledger(home, Clock()).totals(key=keys.one.id))
