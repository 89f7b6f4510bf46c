"""A model that writes behind a dispatcher, with keys and a ledger, for tests of what is counted and allowed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tests import toy
from tests.patience import PATIENCE_S

from glassworks.serving.access.clock import Clock
from glassworks.serving.access.gate import Gate
from glassworks.serving.access.keys import KeyStore
from glassworks.serving.access.ledger import Ledger, Total
from glassworks.serving.core.answering import Parts
from glassworks.serving.core.dispatcher import Dispatcher
from glassworks.serving.core.model import Batching, LoadedModel
from glassworks.serving.core.models import Models
from glassworks.serving.core.statistics import Statistics
from glassworks.serving.requests import Call, InferRequest


class Counted:
    """One service. `ask` begins a streamed answer, `whole` gives one or several."""

    def __init__(self, models: Models, home: Path, unread_s: float = PATIENCE_S, name: str = "scribe") -> None:
        models.model(name).statistics = Statistics()
        self._name = name
        self.models, self.ledger, self.store = models, Ledger(home, Clock()), KeyStore(home, Clock())
        self._unread_s = unread_s
        self.dispatcher = Dispatcher(models, None, self.ledger, unread_s)

    def key(self, name: str = "shop", **limits: Any) -> bytes:
        """The secret of a key that is needed from now on."""
        _, secret = self.store.create(name, **limits)
        gate = Gate(self.store, self.ledger, Clock(), required=True)
        self.dispatcher = Dispatcher(self.models, gate, self.ledger, self._unread_s)
        return secret.encode()

    @property
    def model(self) -> LoadedModel:
        return self.models.model(self._name)

    async def ask(self, text: str, token: bytes | None = None, call: Call | None = None, **parameters: Any) -> Parts:
        found = await self.dispatcher.stream(call or Call(self._name, token=token), _read([text], parameters))
        assert isinstance(found, Parts)
        return found

    async def whole(self, *texts: str, token: bytes | None = None, **parameters: Any) -> tuple[list[bytes], Any]:
        """The texts, and what is known of the tokens of all."""
        result, last = await self.dispatcher.generate(Call(self._name, token=token), _read(list(texts), parameters))
        return result.outputs["generated"].tolist(), last

    def used(self) -> Total:
        """By the only caller."""
        (total,) = self.ledger.totals()
        return total

    def idle(self) -> bool:
        """Whether nothing is held any longer."""
        slots = self.model.slots
        return (slots.open, slots.waiting, self.model.engines.computing.stats().streams) == (0, 0, 0)


def _read(texts: list[str], parameters: Mapping[str, Any]) -> Callable[[LoadedModel], InferRequest]:
    array = np.empty(len(texts), object)
    array[:] = [text.encode() for text in texts]
    return lambda model: InferRequest({"text": array}, parameters)


@contextlib.contextmanager
def loaded(folder: Path, streams: int = 2, max_queue: int = 6, **settings: object) -> Iterator[Models]:
    """Its model, with an engine process; `settings` are those of the model."""
    with toy.installed(folder / "toy"):
        models = Models(Batching(max_queue=max_queue))
        models.load(toy.writer(folder / "bundle", "scribe", streams, **settings), "scribe", "1")
        try:
            yield models
        finally:
            models.close()
