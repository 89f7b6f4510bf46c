"""A runtime that writes as language models do, by the same contract, and waits or dies as its prompt says."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Chunk, Device, Opened, Precision, Runtime, Session, Signature, TensorSpec
from glassworks.errors import InputError
from tests.patience import PATIENCE_S

Tensors = Mapping[str, NDArray[Any]]
SIGNATURE = Signature(
    inputs=(TensorSpec(name="text", datatype="BYTES", shape=(-1,)),),
    outputs=tuple(TensorSpec(name=name, datatype="BYTES", shape=(-1,)) for name in ("generated", "finish_reason")),
)
_BEAT_S = 0.02
_KNOWN = {"max_tokens", "tokenize", "timeout", "priority", "temperature", "seed"}


class Scribe(Runtime):
    """Opens a file of settings: those of `ScribeSession`."""

    name: ClassVar[str] = "scribe"
    accepts: ClassVar[frozenset[str]] = frozenset({"scribe"})
    precisions: ClassVar[Mapping[Precision, str]] = MappingProxyType({"fp32": ""})
    own_process: ClassVar[bool] = True

    def open(self, opened: Opened, device: Device = "cpu") -> Session:
        return ScribeSession(**json.loads(opened.path.read_text(encoding="utf-8")))


class ScribeSession(Session):
    """Each word of a prompt is a token; the answer repeats the prompt until it has `max_tokens`.

    The first word may say what happens once the work has begun: `wait FOLDER` notes `began` there and reads its prompt
    until there is `go`; `die` ends the process. The folder gets `closed` at the end of such a stream. An answer takes
    `token_s` a token, and all that do so at once take no longer.
    """

    def __init__(self, token_s: float = 0.0, context: int = 1000, max_tokens: int = 100) -> None:
        self._token_s, self._context, self._max_tokens = token_s, context, max_tokens
        self.signature = SIGNATURE

    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        raise AssertionError("whole answers of a model that writes are joined from streams")

    def stream(self, tensors: Tensors, parameters: Mapping[str, Any]) -> Generator[Chunk, None, None]:
        (text,) = tensors["text"].tolist()
        words = text.decode().split()
        if unknown := sorted(set(parameters) - _KNOWN):
            raise InputError(f"there is no parameter '{unknown[0]}'", "leave it out")
        asked = parameters.get("max_tokens", min(self._max_tokens, self._context - len(words)))
        if len(words) + asked > self._context:
            raise InputError(f"context_length_exceeded: {len(words)} and {asked} tokens", "ask for fewer")
        if parameters.get("tokenize"):
            told = {"prompt_tokens": _text(json.dumps(words))}
            yield Chunk(outputs=told, prompt_tokens=len(words), max_tokens=asked, finish_reason="stop")
            return
        yield Chunk(outputs={}, prompt_tokens=len(words), max_tokens=asked)
        yield from self._written(words, asked)

    def _written(self, words: list[str], asked: int) -> Iterator[Chunk]:
        folder = Path(words[1]) if words[0] == "wait" else None
        if words[0] == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            yield from _beats(folder)
            for number in range(1, asked + 1):
                time.sleep(self._token_s)
                word = {"generated": _text(f"{words[(number - 1) % len(words)]} ")}
                reason = "length" if number == asked else ""
                counts = {"prompt_tokens": len(words), "cached_tokens": len(words) // 2, "max_tokens": asked}
                yield Chunk(outputs=word, completion_tokens=number, finish_reason=reason, **counts)
        finally:
            if folder is not None:
                (folder / "closed").touch()


def _beats(folder: Path | None) -> Iterator[Chunk]:
    if folder is None:
        return
    (folder / "began").touch()
    end = time.monotonic() + PATIENCE_S
    while not (folder / "go").exists() and time.monotonic() < end:
        time.sleep(_BEAT_S)
        yield Chunk(outputs={})


def _text(text: str) -> NDArray[Any]:
    array = np.empty(1, object)
    array[0] = text.encode()
    return array
