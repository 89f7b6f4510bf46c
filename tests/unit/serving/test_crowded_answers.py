"""Some hundred answers for several keys, many of which are left or die with the engine: every token is counted once."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import numpy as np
from tests.patience import PATIENCE_S, until
from tests.unit.serving.crowding import Crowd, alive
from tests.unit.serving.writing import Counted, loaded

from glassworks.serving.requests import Call, InferRequest

NAMES = ("requests", "prompt_tokens", "cached_tokens", "completion_tokens")


def asked(chance: random.Random) -> InferRequest:
    text = " ".join("abcdefgh"[: chance.randint(1, 8)])
    return InferRequest({"text": np.array([text.encode()], object)}, {"max_tokens": chance.randint(1, 12)})


def test_every_token_is_counted_once_whoever_leaves_and_dies(tmp_path: Path) -> None:
    with loaded(tmp_path / "scribe", streams=8, max_queue=30) as models:
        service = Counted(models, tmp_path / "home")
        keys = {name: service.key(name, tokens_per_day=10**9, concurrent_streams=100) for name in ("a", "b", "c")}
        ids = {key.name: key.id for key in service.store.list()}
        found = {ids[name]: secret for name, secret in keys.items()}
        crowd = Crowd(dispatcher=service.dispatcher, model="scribe", keys=found, ask=asked, requests=300, kills=2)
        asyncio.run(asyncio.wait_for(crowd.run(), PATIENCE_S))
        until(service.idle)
        counted = {(total.key_id, name): getattr(total, name) for total in service.ledger.totals() for name in NAMES}
        assert counted == dict(crowd.given)
        assert crowd.ends["kills"] == 2
        assert min(crowd.ends[each] for each in ("whole", "left", "killed")) > 0
        statistics = service.model.statistics
        used = sum(total.tokens for total in service.ledger.totals())
        assert used == statistics.tokens == statistics.prompt_tokens + statistics.completion_tokens
        left = [service.dispatcher.admission.left(Call("scribe", token=secret)) for secret in found.values()]
        assert sum(10**9 - each.tokens for each in left if each and each.tokens) == statistics.tokens
        assert alive() == 0
