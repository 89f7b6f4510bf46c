"""The engine alone, as a contender of `language.py`: no server, no text.

python benchmarks/language_engine.py GRAPH_FOLDER [KV_CACHE [cached]]
"""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "peers"))

from worker import Rounds, serve

from glassworks.language.continuous_batching import ContinuousBatching, EngineSettings
from glassworks.language.sampling import Sampling

CACHE_TOKENS = 16384
NEVER = frozenset({2**31 - 1})
"""Answers go on to their last token."""


def main() -> None:
    kv_cache = sys.argv[2] if len(sys.argv) > 2 else "f32"
    settings = EngineSettings(
        cache_tokens=CACHE_TOKENS, threads=1, kv_cache=kv_cache, prefix_caching="cached" in sys.argv
    )
    engine = ContinuousBatching(Path(sys.argv[1]), settings)

    def write(prompts: Sequence[Sequence[int]], tokens: int) -> Rounds:
        """All prompts are sent at once, each by a thread, as a server does."""
        found: queue.SimpleQueue[tuple[int, Sequence[int]]] = queue.SimpleQueue()

        def drain(row: int) -> None:
            for part in engine.generate(prompts[row], Sampling(max_tokens=tokens, stop_ids=NEVER, logprobs=False)):
                found.put((row, part.ids))

        threads = [threading.Thread(target=drain, args=(row,)) for row in range(len(prompts))]
        for thread in threads:
            thread.start()
        left = len(prompts) * tokens
        while left:
            row, ids = found.get()
            left -= len(ids)
            yield [ids if each == row else () for each in range(len(prompts))]

    serve(write, "openvino-genai, continuous batching")


if __name__ == "__main__":
    main()
