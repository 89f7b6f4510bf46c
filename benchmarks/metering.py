"""What is counted of many answers: 10,000 requests of three keys, 30 % of which hang up, and five kills of the engine.

    python benchmarks/metering.py [REQUESTS] [--kills N] [--home HOME --model NAME]

Without a model, a small one that writes words. Each client counts what it was given; the ledger must say the same, to
the token. Then nothing may be left open, and memory is what it was after the first tenth of the requests.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from report import publish

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests import toy
from tests.unit.serving.crowding import Crowd, alive
from tests.unit.serving.writing import Counted

from glassworks.registry import Registry
from glassworks.serving.core.memory import give_back, resident_bytes
from glassworks.serving.core.models import Models
from glassworks.serving.requests import InferRequest

NAMES = ("requests", "prompt_tokens", "cached_tokens", "completion_tokens")
KEYS = ("one", "two", "three")
WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "lazy", "dogs", "and", "writes", "what", "it", "has", "seen")
SETTLE_S = 60.0


def main() -> None:
    asked = arguments()
    with tempfile.TemporaryDirectory() as folder, opened(asked, Path(folder)) as (models, name):
        service = Counted(models, Path(folder) / "home", name=name)
        keys = {key: service.key(key, tokens_per_day=10**12) for key in KEYS}
        ids = {each.name: each.id for each in service.store.list()}
        secrets = {ids[key]: secret for key, secret in keys.items()}

        def crowd(requests: int, kills: int) -> Crowd:
            return Crowd(
                dispatcher=service.dispatcher, model=name, keys=secrets, ask=ask, requests=requests, kills=kills
            )

        first, rest = crowd(asked.requests // 10, 0), crowd(asked.requests - asked.requests // 10, asked.kills)
        begun = time.perf_counter()
        memory = [asyncio.run(measured(service, each)) for each in (first, rest)]
        report(service, first, rest, memory, time.perf_counter() - begun)


def ask(chance: random.Random) -> InferRequest:
    text = " ".join(chance.choices(WORDS, k=chance.randint(1, 20)))
    return InferRequest({"text": np.array([text.encode()], object)}, {"max_tokens": chance.randint(1, 12)})


async def measured(service: Counted, crowd: Crowd) -> float:
    """Run it until nothing is open any longer; the server's megabytes then."""
    await crowd.run()
    end = time.monotonic() + SETTLE_S
    while not service.idle() and time.monotonic() < end:
        await asyncio.sleep(0.1)
    gc.collect()
    give_back()
    return (resident_bytes() or 0) / 2**20


def report(service: Counted, first: Crowd, rest: Crowd, memory: list[float], spent_s: float) -> None:
    counted = {(total.key_id, name): getattr(total, name) for total in service.ledger.totals() for name in NAMES}
    given, ends = first.given + rest.given, first.ends + rest.ends
    differ = [str(each) for each in given | counted if given[each] != counted.get(each, 0)]
    left = alive() + (not service.idle())
    tokens = sum(total.tokens for total in service.ledger.totals())
    result = {"ends": ends, "tokens": tokens, "differ": differ, "left": left, "memory_mb": memory, "seconds": spent_s}
    rows: list[tuple[str, object, str]] = [
        ("requests", first.requests + rest.requests, "10,000"),
        ("hung up, died with the engine", f"{ends['left']}, {ends['killed']}", "30 %"),
        ("kills of the engine", ends["kills"], "5"),
        ("tokens", tokens, ""),
        ("counts that differ from what was given", len(differ), "0"),
        ("answers left open", left, "0"),
        ("memory after a tenth, at the end (MB)", f"{memory[0]:.0f}, {memory[1]:.0f}", "the same"),
        ("seconds", spent_s, ""),
    ]
    publish("metering", result, rows)
    if differ or left:
        sys.exit(1)


@contextlib.contextmanager
def opened(asked: argparse.Namespace, folder: Path) -> Iterator[tuple[Models, str]]:
    models = Models()
    with toy.installed(folder / "toy"), contextlib.closing(models):
        if asked.home:
            found = Registry.open({"GLASSWORKS_HOME": asked.home}).resolve(asked.model)
            models.load(found.bundle, found.name, "1")
        else:
            models.load(toy.writer(folder / "bundle", "scribe", 16, token_s=0.0005), "scribe", "1")
        yield models, asked.model if asked.home else "scribe"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("requests", nargs="?", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--home", default="")
    parser.add_argument("--model", default="")
    return parser.parse_args()


if __name__ == "__main__":
    main()
