"""Errors of OpenAI's paths: its envelope, the right status, and headers by which its client acts."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from tests.integration.serving.running import Server, serving

from glassworks.errors import (
    DeadlineExceeded,
    Forbidden,
    InputError,
    LimitExceeded,
    NotFound,
    Overloaded,
    QuotaSpent,
    Unauthenticated,
)
from glassworks.serving.access.clock import Clock
from glassworks.serving.access.keys import KeyStore
from glassworks.serving.failures import TooLarge, enveloped
from glassworks.serving.transports.http.exchange import failure

MODEL = "tiny-language-model"
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2}
PATHS = (
    *("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings", "/v1/models", "/v1/models/m"),
    *("/v1/nothing", "/tokenize", "/detokenize", "/tokenizer_info", "/v1/models/m?x=1"),
)


def sent(server: Server, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, Any]:
    connection = server.connect()
    content = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
    connection.request(method, path, content, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    found = answer.status, json.loads(answer.read()), answer.headers
    connection.close()
    return found


@pytest.mark.parametrize("path", PATHS)
def test_openais_paths_have_its_envelope(path: str) -> None:
    body = json.loads(failure(NotFound("what", "mend"), path.encode()).body)
    assert body == {
        "error": {"message": "what; mend", "type": "invalid_request_error", "param": None, "code": "not_found"}
    }


@pytest.mark.parametrize(
    "path", ["/v1/models/m:predict", "/v1/models/m:explain", "/v2/models/m/infer", "/", "/v11", "/metrics", "/v1x"]
)
def test_all_others_have_their_text(path: str) -> None:
    assert not enveloped(path.encode())
    assert json.loads(failure(InputError("what", "mend"), path.encode()).body) == {"error": "what; mend"}


@pytest.mark.parametrize(
    ("error", "status", "code", "again"),
    [
        (InputError("a", "b"), 400, None, False),
        (InputError("context_length_exceeded: 9 tokens", "b"), 400, "context_length_exceeded", False),
        (Unauthenticated("a", "b"), 401, "invalid_api_key", False),
        (Forbidden("a", "b"), 403, "permission_denied", False),
        (TooLarge("a", "b"), 413, "request_too_large", False),
        (LimitExceeded("a", "b", 2), 429, "rate_limit_exceeded", True),
        (LimitExceeded("a", "b", 4000), 429, "rate_limit_exceeded", False),
        (QuotaSpent("a", "b", 2), 429, "insufficient_quota", False),
        (Overloaded("a", "b"), 503, "server_overloaded", True),
        (DeadlineExceeded("a", "b"), 504, "timeout", False),
        (RuntimeError("secret"), 500, None, True),
    ],
)
def test_statuses_codes_and_whether_to_send_it_again(
    error: Exception, status: int, code: str | None, again: bool
) -> None:
    answer = failure(error, b"/v1/chat/completions")
    headers = dict(answer.headers)
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (status, code)
    assert headers.get(b"x-should-retry") == (None if again else b"false")
    assert (b"retry-after" in headers) == isinstance(error, Overloaded)
    assert b"secret" not in answer.body


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code", "param"),
    [
        ("POST", "/v1/chat/completions", b"{", 400, None, None),
        ("POST", "/v1/chat/completions", [], 400, None, None),
        ("POST", "/v1/chat/completions", {}, 400, "missing_required_parameter", "model"),
        ("POST", "/v1/chat/completions", {"model": MODEL}, 400, "missing_required_parameter", "messages"),
        ("POST", "/v1/chat/completions", {**CHAT, "messages": []}, 400, "invalid_value", "messages"),
        ("POST", "/v1/chat/completions", {**CHAT, "model": "none"}, 404, "model_not_found", "model"),
        ("POST", "/v1/chat/completions", {**CHAT, "model": f"{MODEL}@9"}, 404, "model_not_found", "model"),
        ("POST", "/v1/chat/completions", {**CHAT, "model": "tiny-convnet"}, 400, "model_not_supported", "model"),
        ("POST", "/v1/chat/completions", {**CHAT, "top_k": "x"}, 400, "invalid_value", "top_k"),
        ("POST", "/v1/chat/completions", {**CHAT, "unheard_of": 1}, 400, "unsupported_parameter", "unheard_of"),
        ("GET", "/v1/chat/completions", None, 405, "method_not_allowed", None),
        ("GET", "/v1/models/none", None, 404, "model_not_found", "model"),
        ("GET", "/v1/assistants", None, 404, "unknown_url", None),
    ],
)
def test_what_is_wrong_is_named(
    language_server: Server, method: str, path: str, body: Any, status: int, code: str | None, param: str | None
) -> None:
    found, answer, headers = sent(language_server, method, path, body)
    assert found == status, answer
    assert (answer["error"]["code"], answer["error"]["param"]) == (code, param)
    assert headers["x-request-id"]
    assert list(answer["error"]) == ["message", "type", "param", "code"]


def test_half_of_a_character_is_refused(language_server: Server) -> None:
    body = b'{"model": "%b", "prompt": "a\\ud83d"}' % MODEL.encode()
    status, answer, _ = sent(language_server, "POST", "/v1/completions", body)
    assert (status, answer["error"]["type"]) == (400, "invalid_request_error")
    assert "not valid JSON" in answer["error"]["message"]


def test_a_request_keeps_the_name_that_it_came_with(language_client: openai.OpenAI) -> None:
    named = {"x-request-id": "mine-1"}
    found = language_client.chat.completions.with_raw_response.create(**CHAT, extra_headers=named)  # type: ignore[call-overload]
    assert found.headers["x-request-id"] == "mine-1"
    with pytest.raises(openai.NotFoundError) as refused:
        language_client.models.retrieve("none", extra_headers=named)
    assert refused.value.request_id == "mine-1"


def test_a_body_over_the_limit(language_home: Path) -> None:
    with serving(language_home, "--no-grpc", "--max-body-bytes", "2000") as server:
        status, answer, headers = sent(server, "POST", "/v1/chat/completions", b"x" * 3000)
        assert (status, answer["error"]["code"]) == (413, "request_too_large")
        assert headers["x-request-id"]


def spend(client: openai.OpenAI) -> None:
    """Use up the day of a key; after that no endpoint answers it."""
    more: dict[str, Any] = {"model": MODEL, "temperature": 0}
    asks: list[Callable[[], Any]] = [
        lambda: client.chat.completions.create(**more, messages=[{"role": "user", "content": "x" * 40}], max_tokens=9),
        lambda: client.completions.create(**more, prompt="x" * 50, max_tokens=9, stream=True),
        lambda: client.responses.create(**more, input="x" * 50, max_output_tokens=9),
    ]
    for ask in asks:
        with pytest.raises(openai.RateLimitError) as spent:
            ask()
        headers = spent.value.response.headers
        assert (spent.value.code, headers["x-should-retry"]) == ("insufficient_quota", "false")
        assert headers["x-ratelimit-limit-tokens"] == "60"
        assert "60 tokens a day" in spent.value.message


def test_keys_and_their_rights(language_home: Path) -> None:
    store = KeyStore(language_home, Clock())
    _, other = store.create("other", models=["tiny-convnet"])
    _, right = store.create("right", models=[MODEL])
    _, seeing = store.create("seeing", models=[MODEL], roles=["infer", "viewer"])
    _, slow = store.create("slow", requests_per_s=0.001)
    _, poor = store.create("poor", tokens_per_day=60, requests_per_day=1000)
    try:
        with serving(language_home, "--no-grpc", "--keys", "on") as server, contextlib.ExitStack() as stack:
            base = f"http://{server.address}/v1"

            def client(secret: str) -> openai.OpenAI:
                return stack.enter_context(openai.OpenAI(base_url=base, api_key=secret, max_retries=0))

            with pytest.raises(openai.AuthenticationError) as unknown:
                client("none").chat.completions.create(**CHAT)  # type: ignore[call-overload]
            assert unknown.value.code == "invalid_api_key"
            with pytest.raises(openai.PermissionDeniedError) as forbidden:
                client(other).chat.completions.create(**CHAT)  # type: ignore[call-overload]
            assert forbidden.value.code == "permission_denied"
            assert client(right).chat.completions.create(**CHAT).model == MODEL  # type: ignore[call-overload]
            assert {each.id for each in client(right).models.list()} == {MODEL, f"{MODEL}@1", f"{MODEL}@champion"}
            assert client(other).models.list().data == []
            near = {"extra_body": {"glassworks": {"nearest": 1}}}
            with pytest.raises(openai.PermissionDeniedError, match="has not the role 'viewer'"):
                client(right).chat.completions.create(**CHAT, **near)  # type: ignore[call-overload]
            kept = client(seeing).chat.completions.create(**CHAT, **near).choices[0]  # type: ignore[call-overload]
            assert len(kept.model_extra["glassworks"]["nearest"]) == 1
            told = client(poor).chat.completions.with_raw_response.create(**CHAT)  # type: ignore[call-overload]
            used = told.parse().usage.total_tokens
            assert told.headers["x-ratelimit-limit-tokens"] == "60"
            assert told.headers["x-ratelimit-remaining-tokens"] == str(60 - used)
            assert told.headers["x-ratelimit-remaining-requests"] == "999"
            spend(client(poor))
            client(slow).chat.completions.create(**{**CHAT, "n": 2})  # type: ignore[call-overload]
            with pytest.raises(openai.RateLimitError) as limited:
                for _ in range(3):
                    client(slow).chat.completions.create(**CHAT)  # type: ignore[call-overload]
            assert limited.value.code == "rate_limit_exceeded"
            assert int(limited.value.response.headers["retry-after"]) > 1
            assert limited.value.response.headers["x-should-retry"] == "false"
    finally:
        for each in store.list():
            store.revoke(each.id)
