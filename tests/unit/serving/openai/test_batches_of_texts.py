"""Batches for models that write: the same answers as over HTTP, through every endpoint; and a cancelled one is over."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from tests.patience import until

NAME = "tiny-language-model"
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 6, "seed": 3},
    "/v1/completions": {"prompt": "hello", "max_tokens": 6, "seed": 3},
    "/v1/responses": {"input": "hello", "max_output_tokens": 16, "temperature": 0},
}
LONG = 200


def begun(client: openai.OpenAI, endpoint: str, body: dict[str, Any], count: int) -> Any:
    lines = [
        {"custom_id": f"{number}", "method": "POST", "url": endpoint, "body": {"model": NAME, **body}}
        for number in range(count)
    ]
    content = b"\n".join(json.dumps(each).encode() for each in lines)
    file = client.files.create(file=("in.jsonl", content), purpose="batch")
    asked: dict[str, Any] = {"input_file_id": file.id, "endpoint": endpoint, "completion_window": "24h"}
    return client.batches.create(**asked)


def ended(client: openai.OpenAI, identity: str) -> Any:
    ends = ("completed", "failed", "cancelled", "expired")
    until(lambda: client.batches.retrieve(identity).status in ends, "the end of the batch")
    return client.batches.retrieve(identity)


def said(answer: Any) -> Any:
    """What an answer says, without its ids and times."""
    if "output" in answer:
        return [part["text"] for item in answer["output"] for part in item["content"]]
    return [each.get("text") or each["message"]["content"] for each in answer["choices"]]


@pytest.mark.parametrize("endpoint", BODIES)
def test_answers_are_those_of_requests(language_client: openai.OpenAI, endpoint: str) -> None:
    body = BODIES[endpoint]
    wanted: Any = language_client.post(endpoint.removeprefix("/v1"), body={"model": NAME, **body}, cast_to=object)
    done = ended(language_client, begun(language_client, endpoint, body, 3).id)
    assert (done.status, done.request_counts.completed) == ("completed", 3)
    lines = [json.loads(each) for each in language_client.files.content(done.output_file_id).text.splitlines()]
    assert sorted(each["custom_id"] for each in lines) == ["0", "1", "2"]
    for line in lines:
        assert said(line["response"]["body"]) == said(wanted)
        assert line["response"]["body"]["usage"] == wanted["usage"]


def test_a_cancelled_batch_leaves_the_model_to_others(language_client: openai.OpenAI) -> None:
    body = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 40}
    batch = begun(language_client, "/v1/chat/completions", body, LONG)
    until(lambda: language_client.batches.retrieve(batch.id).request_counts.completed > 0, "some answers")  # type: ignore[union-attr]
    assert language_client.batches.cancel(batch.id).status == "cancelling"
    done = ended(language_client, batch.id)
    assert done.status == "cancelled"
    assert 0 < done.request_counts.completed < LONG
    lines = language_client.files.content(done.output_file_id).text.splitlines()
    assert len(lines) == done.request_counts.completed
