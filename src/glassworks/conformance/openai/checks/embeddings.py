"""Embeddings: the same vector in each encoding, alone and in lists, and none of a text that was cut."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassworks.conformance.openai.client import Client, lacks, message_of, optional, refused, same
from glassworks.conformance.target import Failed, NotOffered, Reply

_PATH = "/embeddings"
_TEXTS = ["The cat sleeps.", "Markets fell today.", "你好，世界 🙂"]
_NEAR = 1e-3
_MODELS = 16
_WORDS = 150_000
_WORDS_OF = ("embed", "pooling", "not found", "does not support", "not support")


def o10_vectors(client: Client) -> None:
    """Each text has one vector of finite numbers, all as long, in a list with object, index and usage."""
    found = _asked(client, input=_TEXTS).json
    same((found["object"], found["model"]), ("list", _model(client)), "object and model")
    same([each["object"] for each in found["data"]], ["embedding"] * len(_TEXTS), "object of each")
    same([each["index"] for each in found["data"]], [0, 1, 2], "indexes")
    vectors = _vectors(found)
    if vectors.ndim != 2 or not np.isfinite(vectors).all() or not vectors.any(axis=1).all():
        raise Failed(f"vectors of the shape {vectors.shape}, or not of finite numbers")


def o10_in_the_order_of_the_texts(client: Client) -> None:
    """In a list each text has the vector that it has alone, and other texts have others."""
    together = _vectors(_asked(client, input=_TEXTS).json)
    for text, vector in zip(_TEXTS, together, strict=True):
        _near(_vectors(_asked(client, input=text).json)[0], vector, f"the vector of {text!r} alone")
    if np.array_equal(together[0], together[1]):
        raise Failed("two texts have one vector")


def o10_base64(client: Client) -> None:
    """encoding_format base64 gives the same numbers as little-endian float32 in base64 (complaint 11)."""
    numbers = _vectors(_asked(client, input=_TEXTS, encoding_format="float").json)
    found = _asked(client, input=_TEXTS, encoding_format="base64").json["data"]
    for each, vector in zip(found, numbers, strict=True):
        if not isinstance(each["embedding"], str):
            raise Failed(f"encoding_format base64 is answered with a {type(each['embedding']).__name__}")
        decoded = np.frombuffer(base64.b64decode(each["embedding"], validate=True), "<f4")
        same(decoded.shape, vector.shape, "length of the vector")
        _near(decoded, vector, "the vector in base64")


def o10_floats_by_default(client: Client) -> None:
    """Without encoding_format the vector is a list of numbers."""
    (found,) = _asked(client, input="a").json["data"]
    same(type(found["embedding"]), list, "type of the vector")


def o10_unknown_encoding(client: Client) -> None:
    """An unknown encoding_format is 400."""
    _asked(client, input="a")
    refused(_reply(client, input="a", encoding_format="octal"))


def o10_dimensions(client: Client) -> None:
    """dimensions are honored, to the number, or refused by name."""
    whole = _vectors(_asked(client, input="a").json).shape[1]
    reply = optional(_reply(client, input="a", dimensions=whole // 2), "dimensions", "dimension", "matryoshka")
    same(_vectors(reply.json).shape[1], whole // 2, "length of the vector")


def o10_wrong_dimensions(client: Client) -> None:
    """More dimensions than there are, none, or a text for them are 400."""
    whole = _vectors(_asked(client, input="a").json).shape[1]
    for dimensions in (whole * 2, 0, -1, "many"):
        refused(_reply(client, input="a", dimensions=dimensions))


def o10_usage(client: Client) -> None:
    """usage counts the tokens of all texts, and total_tokens is the same."""
    counts = []
    for texts in (_TEXTS[:1], _TEXTS):
        usage = _asked(client, input=texts).json["usage"]
        same(usage["total_tokens"], usage["prompt_tokens"], "total_tokens")
        counts.append(usage["prompt_tokens"])
    if not 0 < counts[0] < counts[1]:
        raise Failed(f"prompt_tokens of one text and of three: {counts}")


def o10_norms(client: Client) -> None:
    """All vectors have the length 1, or none has: texts are not scaled one by one."""
    norms = np.linalg.norm(_vectors(_asked(client, input=_TEXTS).json), axis=1)
    units = [math.isclose(norm, 1, abs_tol=1e-2) for norm in norms]
    if any(units) and not all(units):
        raise Failed(f"norms {norms.tolist()}")


def o10_token_ids(client: Client) -> None:
    """Token ids are read as their text, or refused."""
    asked = _asked(client, input="a").json
    reply = optional(_reply(client, input=[[45, 50, 55]]), "token ids", "token", "input", "string", "text")
    same(_vectors(reply.json).shape, _vectors(asked).shape, "the shape of the vectors")


def o10_wrong_inputs(client: Client) -> None:
    """No input, an empty one, an empty list, an object and a number are 400."""
    _asked(client, input="a")
    wrongs: tuple[Any, ...] = (..., "", [], {}, 5)
    for wrong in wrongs:
        reply = _reply(client, input=wrong)
        if reply.status == 200:
            raise Failed(f"the input {wrong!r} is answered with 200")
        refused(reply)


def o10_a_text_that_is_too_long(client: Client) -> None:
    """A text longer than the model reads is 400; it is not cut in silence (complaint 10)."""
    _asked(client, input="a")
    reply = _reply(client, input="a " * _WORDS)
    if reply.status == 200 and reply.json["usage"]["prompt_tokens"] >= _WORDS // 2:
        raise NotOffered(f"the context is longer than {_WORDS} words")
    if reply.status == 200:
        raise Failed(f"{_WORDS} words are answered with 200, and usage {reply.json['usage']}")
    refused(reply, 400, 413)


def _model(client: Client) -> str:
    """The model that is asked for vectors. Raises NotOffered."""
    name, reason = client.remembered("embedding", lambda: _chosen(client))
    if reason:
        raise NotOffered(reason)
    return name


def _chosen(client: Client) -> tuple[str, str]:
    listed = list(dict.fromkeys([client.model, *client.models]))[:_MODELS]
    replies = {name: client.ask(_PATH, {"model": name, "input": "a"}) for name in listed}
    good = next((name for name, reply in replies.items() if reply.status == 200), listed[0])
    return good, lacks(replies[good], "embeddings", *_WORDS_OF)


def _reply(client: Client, **more: Any) -> Reply:
    given = {"model": _model(client), **more}
    return client.ask(_PATH, {name: value for name, value in given.items() if value is not ...})


def _asked(client: Client, **more: Any) -> Reply:
    reply = _reply(client, **more)
    if reply.status != 200:
        raise Failed(f"status {reply.status}: {message_of(reply)[:160]}")
    return reply


def _vectors(found: Any) -> NDArray[np.float64]:
    rows: Sequence[Any] = [each["embedding"] for each in found["data"]]
    return np.array(
        [np.frombuffer(base64.b64decode(row), "<f4") if isinstance(row, str) else row for row in rows], float
    )


def _near(seen: NDArray[Any], expected: NDArray[Any], what: str) -> None:
    if not (np.isfinite(seen).all() and np.isfinite(expected).all()):
        raise Failed(f"{what} is not of finite numbers")
    if _cosine(seen, expected) < 1 - _NEAR or abs(np.linalg.norm(seen) / np.linalg.norm(expected) - 1) > _NEAR:
        raise Failed(f"{what} is another one: cosine {_cosine(seen, expected):.4f}")


def _cosine(one: NDArray[Any], other: NDArray[Any]) -> float:
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))
