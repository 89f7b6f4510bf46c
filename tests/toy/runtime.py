"""The toy's runtime."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from glassworks.contracts import Chunk, Device, Opened, Precision, Runtime, Session, Signature
from glassworks.errors import InputError
from tests.patience import until
from tests.toy import SPEC

Tensors = Mapping[str, NDArray[Any]]


class Toy(Runtime):
    """Opens a file of settings: `call_s`, how long a call takes."""

    name: ClassVar[str] = "toy"
    accepts: ClassVar[frozenset[str]] = frozenset({"toy"})
    precisions: ClassVar[Mapping[Precision, str]] = MappingProxyType({"fp32": "", "bf16": "", "int8": ""})

    def open(self, opened: Opened, device: Device = "cpu") -> Session:
        return ToySession(**json.loads(opened.path.read_text(encoding="utf-8")))


class ToySession(Session):
    """Gives texts in capitals; `wait FOLDER` waits there, `die` ends the process."""

    def __init__(self, call_s: float = 0.0) -> None:
        self._call_s = call_s
        self.signature = Signature(inputs=(SPEC,), outputs=(SPEC,))

    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        time.sleep(self._call_s)
        for text in tensors["text"].tolist():
            word, _, rest = text.decode().partition(" ")
            if word == "wait":
                _wait(Path(rest), "began")
            if word == "die":
                os.kill(os.getpid(), signal.SIGKILL)
        return {"text": _texts(text.upper() for text in tensors["text"].tolist())}

    def stream(self, tensors: Tensors, parameters: Mapping[str, Any]) -> Generator[Chunk, None, None]:
        """A word a chunk, or numbers without end for `count`; `endless` as the last word gives no reason to end.

        With the parameter `folder`, words are noted in its file `words`, and its end in `closed`; the second word, and
        all after it, wait for its file `go`. The word `fail` raises InputError, `die` ends the process.
        """
        folder = Path(parameters["folder"]) if "folder" in parameters else None
        asked = tensors["text"].tolist()[0].decode().split()
        words = (str(number) for number in range(10**9)) if asked == ["count"] else iter(asked)
        try:
            for number, word in enumerate(words, 1):
                if word == "fail":
                    raise InputError("the text fails", "send another one")
                if word == "die":
                    os.kill(os.getpid(), signal.SIGKILL)
                if folder is not None:
                    with (folder / "words").open("a") as file:
                        file.write(f"{word}\n")
                    if number > 1:
                        _wait(folder)
                reason = "stop" if number == len(asked) and word not in ("endless", "0") else ""
                yield Chunk(
                    outputs={"text": _texts([word.encode()])},
                    prompt_tokens=len(asked),
                    completion_tokens=number,
                    finish_reason=reason,
                )
        finally:
            if folder is not None:
                (folder / "closed").touch()


def _wait(folder: Path, began: str = "") -> None:
    if began:
        (folder / began).touch()
    until((folder / "go").exists)


def _texts(texts: Any) -> NDArray[Any]:
    found = list(texts)
    array = np.empty(len(found), object)
    array[:] = found
    return array
