"""A model of nothing: tokens, logits and answers in JSON, each made from what came before by a hash."""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

WORDS = ("the ", "wave", "s ", "and ", "ing", "ou", "er", "a ", "<tool")
VOCABULARY = [bytes([each]) for each in range(256)] + [word.encode() for word in WORDS]
END = 0
_IDS = {token: number for number, token in enumerate(VOCABULARY)}
_TOKENS = re.compile(b"|".join([*(re.escape(word.encode()) for word in WORDS), b"(?s:.)"]))
_TYPES = ("object", "string", "integer", "number", "boolean", "array", "null")
_RARE = 9.0


class Refusal(Exception):
    """An answer with a status that is no 200."""

    def __init__(self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message, self.status, self.param, self.code = message, status, param, code


def encode(text: str) -> list[int]:
    """The tokens of a text: words where there are some, and bytes."""
    return [_IDS[each] for each in _TOKENS.findall(text.encode(errors="replace"))]


def logits(name: str, context: Sequence[int], salt: str = "") -> NDArray[np.float64]:
    """What may come next: mostly characters that people read, other bytes rarely."""
    seed = zlib.crc32(f"{name} {salt} {list(context)}".encode())
    found = np.random.default_rng(seed).normal(size=len(VOCABULARY)) * 3
    found[[*range(32), *range(127, 256)]] -= _RARE
    found[END] = -100.0
    return found


def logprobs(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Their log-probabilities."""
    shifted = values - values.max()
    found: NDArray[np.float64] = shifted - math.log(np.exp(shifted).sum())
    return found


def sampled(values: NDArray[np.float64], asked: Mapping[str, Any], past: Sequence[int], salt: int) -> int:
    """The token that is taken, by bias, penalties, temperature, top_p and seed."""
    values = values.copy()
    for token, bias in (asked.get("logit_bias") or {}).items():
        values[int(token)] += bias
    for token in set(past):
        values[token] -= (asked.get("frequency_penalty") or 0) * past.count(token)
    temperature = asked.get("temperature", 1)
    if not temperature:
        return int(values.argmax())
    shares = np.exp(logprobs(values / temperature))
    order = np.argsort(-shares)
    kept = order[: int(np.searchsorted(np.cumsum(shares[order]), asked.get("top_p") or 1)) + 1]
    seed = asked.get("seed")
    generator = np.random.default_rng([salt, len(past), seed] if seed is not None else None)
    return int(generator.choice(kept, p=shares[kept] / shares[kept].sum()))


def written(schema: Any, generator: np.random.Generator) -> Any:
    """A value that fits a schema. Raises Refusal for one that cannot be read."""
    if not isinstance(schema, dict) or "$ref" in schema or schema.get("type", "object") not in _TYPES:
        raise Refusal(f"the schema {json.dumps(schema)} cannot be compiled", param="response_format")
    if "pattern" in schema:
        try:
            re.compile(schema["pattern"])
        except re.error as error:
            raise Refusal(f"the schema's pattern: {error}", param="response_format") from None
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][int(generator.integers(len(schema["enum"])))]
    kind = schema.get("type", "object")
    if kind == "object":
        properties = schema.get("properties", {})
        if not isinstance(properties, dict):
            raise Refusal("the schema's properties are no object", param="response_format")
        return {name: written(each, generator) for name, each in properties.items()}
    if kind == "array":
        return [written(schema["items"], generator) for _ in range(schema["minItems"])]
    return {"boolean": bool(generator.integers(2)), "null": None, "string": "a"}.get(kind, 1)


def pieced(tokens: Iterator[bytes]) -> Iterator[str]:
    """The text of each token, with no character broken and none lost."""
    left = b""
    for token in tokens:
        left += token
        text, left = _whole(left)
        yield text
    yield left.decode(errors="replace")


def _whole(content: bytes) -> tuple[str, bytes]:
    """What is text for sure, and the beginning of a character at the end."""
    for size in (1, 2, 3):
        tail = content[-size:]
        if len(tail) == size and tail[0] >= 0xC0:
            need = 2 if tail[0] < 0xE0 else 3 if tail[0] < 0xF0 else 4
            if size < need and all(0x80 <= each < 0xC0 for each in tail[1:]):
                return content[:-size].decode(errors="replace"), tail
    return content.decode(errors="replace"), b""
