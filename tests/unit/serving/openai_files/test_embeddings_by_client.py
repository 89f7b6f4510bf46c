"""Embeddings asked for by OpenAI's own client, of a real server with a real encoder."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
from tests.integration.serving.running import Server, serving

from glassworks.flow import predict
from glassworks.registry import Registry

TEXTS = ["the book arrived", "这本书 昨天 wonderful", "pages for children on monday"]
NAME, WIDTH = "tiny-text-encoder", 16
MOST_INPUTS = 2048


@pytest.fixture(scope="module")
def registry(encoder_home: Path) -> Registry:
    return Registry.open({"GLASSWORKS_HOME": str(encoder_home / "home")})


@pytest.fixture(scope="module")
def server(encoder_home: Path) -> Iterator[Server]:
    with serving(encoder_home / "home", "--no-grpc") as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"http://{server.address}/v1", api_key="none", max_retries=0)


def vectors(answer: Any) -> np.ndarray[Any, Any]:
    return np.array([each.embedding for each in answer.data], np.float64)


def refused(server: Server, **fields: Any) -> Any:
    """The error for a request with these fields."""
    body = json.dumps({"model": NAME, "input": "a text", **fields}).encode()
    status, answer = server.send("POST", "/v1/embeddings", body)
    assert status == 400, answer
    return answer["error"]


def test_vectors_are_those_of_the_other_protocols(client: openai.OpenAI, registry: Registry) -> None:
    found = vectors(client.embeddings.create(model=NAME, input=TEXTS))
    wanted = [predict(NAME, text, registry)[0]["embedding"] for text in TEXTS]
    assert np.abs(found - np.array(wanted)).max() <= 1e-6


def test_base64_and_numbers_say_the_same(client: openai.OpenAI, server: Server) -> None:
    numbers = vectors(client.embeddings.create(model=NAME, input=TEXTS, encoding_format="float"))
    assert np.array_equal(vectors(client.embeddings.create(model=NAME, input=TEXTS)), numbers)
    body = json.dumps({"model": NAME, "input": TEXTS[0], "encoding_format": "base64"}).encode()
    raw = server.send("POST", "/v1/embeddings", body)[1]["data"][0]["embedding"]
    assert np.array_equal(np.frombuffer(base64.b64decode(raw), "<f4"), numbers[0].astype(np.float32))


def test_one_text_many_texts_and_their_order(client: openai.OpenAI) -> None:
    many = [f"{'book ' * (1 + index % 7)}{index}" for index in range(70)]
    answer = client.embeddings.create(model=NAME, input=many)
    assert [each.index for each in answer.data] == list(range(70))
    for index in (0, 6, 69):
        alone = vectors(client.embeddings.create(model=NAME, input=many[index]))
        assert np.abs(vectors(answer)[index] - alone[0]).max() <= 1e-5
    assert (answer.object, answer.data[0].object, answer.model) == ("list", "embedding", NAME)


def test_ids_give_the_vector_of_their_text(client: openai.OpenAI, encoder_home: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(encoder_home / "encoder" / "tokenizer.json"))
    ids = [tokenizer.encode(text).ids for text in TEXTS]
    wanted = vectors(client.embeddings.create(model=NAME, input=TEXTS))
    answer = client.embeddings.create(model=NAME, input=ids)
    assert np.array_equal(vectors(answer), wanted)
    assert answer.usage.prompt_tokens == sum(map(len, ids))
    assert np.abs(vectors(client.embeddings.create(model=NAME, input=ids[0])) - wanted[:1]).max() <= 1e-6


def test_tokens_are_counted_as_the_models_tokenizer_does(client: openai.OpenAI, encoder_home: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(encoder_home / "encoder" / "tokenizer.json"))
    tokenizer.no_truncation()
    texts = [*TEXTS, "book " * 200]
    usage = client.embeddings.create(model=NAME, input=texts).usage
    assert usage.prompt_tokens == usage.total_tokens == sum(len(tokenizer.encode(text).ids) for text in texts)


@pytest.mark.parametrize("dimensions", [1, 5, WIDTH])
def test_fewer_dimensions_are_the_first_ones_of_length_one(client: openai.OpenAI, dimensions: int) -> None:
    whole = vectors(client.embeddings.create(model=NAME, input=TEXTS))[:, :dimensions]
    found = vectors(client.embeddings.create(model=NAME, input=TEXTS, dimensions=dimensions))
    assert found.shape == (3, dimensions)
    assert np.abs(found - whole / np.linalg.norm(whole, axis=1, keepdims=True)).max() <= 1e-6


def test_as_many_texts_as_openai_takes(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model=NAME, input=[f"book {index}" for index in range(MOST_INPUTS)])
    assert np.allclose(np.linalg.norm(vectors(answer), axis=1), 1, atol=1e-5)
    with pytest.raises(openai.BadRequestError, match=r"input holds 2,049 texts; send at most 2,048 a request"):
        client.embeddings.create(model=NAME, input=["book"] * (MOST_INPUTS + 1))


def test_a_long_text_is_read_whole_and_one_too_long_is_refused(client: openai.OpenAI, server: Server) -> None:
    begin, end = "book " * 100, "children " * 100
    one, other = vectors(client.embeddings.create(model=NAME, input=[begin, begin + end]))
    assert one @ other < 0.999
    error = refused(server, input=["short", "book " * 40_000])
    assert error["code"] == "context_length_exceeded"
    assert "input[1] has 40," in error["message"]
    assert "send it in parts" in error["message"]


def test_the_user_and_what_is_null_change_nothing(client: openai.OpenAI, server: Server) -> None:
    wanted = vectors(client.embeddings.create(model=NAME, input=TEXTS))
    assert np.array_equal(vectors(client.embeddings.create(model=NAME, input=TEXTS, user="u-1")), wanted)
    body = {"model": NAME, "input": TEXTS, "dimensions": None, "user": None, "encoding_format": None}
    status, answer = server.send("POST", "/v1/embeddings", json.dumps(body).encode())
    assert status == 200
    assert np.allclose([each["embedding"] for each in answer["data"]], wanted)


@pytest.mark.parametrize(
    ("fields", "param", "code", "text"),
    [
        ({"temperature": 1}, "temperature", "unsupported_parameter", "leave it out"),
        ({"dimensions": WIDTH + 1}, "dimensions", "invalid_value", "dimensions is 17, and the model"),
        ({"dimensions": 0}, "dimensions", "invalid_value", "give a whole number from 1 to"),
        ({"dimensions": True}, "dimensions", "invalid_value", "give a whole number from 1 to"),
        ({"encoding_format": "hex"}, "encoding_format", "invalid_value", "give one of: float, base64"),
        ({"user": 3}, "user", "invalid_value", "user is 3; give a text"),
        ({"input": ""}, "input", "invalid_value", "input[0] is empty"),
        ({"input": ["book", ""]}, "input", "invalid_value", "input[1] is empty"),
        ({"input": []}, "input", "invalid_value", "input is an empty list"),
        ({"input": None}, "input", "missing_required_parameter", "has no 'input'"),
        ({"input": [["a"]]}, "input", "invalid_value", "input[0] is ['a']"),
        ({"input": [True, False]}, "input", "invalid_value", "input[0] is True"),
        ({"input": {"text": "book"}}, "input", "invalid_value", "input[0] is {'text': 'book'}"),
        ({"input": [10**9]}, "input", "invalid_value", "none with the id 1000000000"),
        ({"input": [[5, -1]]}, "input", "invalid_value", "none with the id -1"),
        ({"model": "tiny-convnet"}, "model", "model_not_supported", f"ask one that does: {NAME}"),
        ({"model": 4}, "model", "invalid_value", "name one of those at /v1/models"),
    ],
)
def test_what_is_wrong_is_named_with_its_mend(
    server: Server, fields: dict[str, Any], param: str, code: str, text: str
) -> None:
    error = refused(server, **fields)
    assert (error["param"], error["code"], error["type"]) == (param, code, "invalid_request_error")
    assert text in error["message"]


def test_a_model_that_is_not_there(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="there is no model 'nobody'") as caught:
        client.embeddings.create(model="nobody", input="a text")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert len(client.embeddings.create(model=f"{NAME}@1", input="a text").data) == 1


def test_half_a_character_is_refused(server: Server) -> None:
    body = b'{"model": "tiny-text-encoder", "input": "\\ud800"}'
    assert server.send("POST", "/v1/embeddings", body)[0] == 400
