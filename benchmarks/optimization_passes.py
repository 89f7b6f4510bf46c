"""Passes, engines and settings: time, size and accuracy of each on digits, a MiniLM classifier, a GRU, a depthwise net.

    python benchmarks/optimization_passes.py [--models FOLDER] [--budget 8] [NAME ...]

Candidates of a model take turns in one process, one thread each; accuracy is that on the model's validation split, with
batches of at most 32 rows of like length. Times are of the batch in the middle, and of its first row. The share of
layers that compute in int8 is what the engine's own graph says. Trains what is not in the folder yet.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from denormals import processor
from optimization_models import MADE, Example, examples
from report import publish

from glassworks.catalog import get
from glassworks.contracts import Artifact, Opened, Runtime, Session, Step
from glassworks.errors import GlassworksError
from glassworks.optimization.chains import make
from glassworks.optimization.computed import layers_of, shares
from glassworks.optimization.measure import measure_latencies

EXPORT: tuple[Step, ...] = ()
ENGINES = ("onnxruntime", "openvino")


def one(name: str, **parameters: str | int | float | bool) -> tuple[Step, ...]:
    return (Step(name=name, parameters=dict(parameters)),)


PICTURES = (EXPORT, one("bf16"), one("fp16_weights"), one("int8"), one("int8", bias="full"), one("int8", exclude=4),
            one("int8_onnxruntime"), one("int8_onnxruntime", bits=8), one("int8_onnxruntime", ranges="entropy"),
            one("int8_onnxruntime", exclude=4))  # fmt: skip
CHAINS: Mapping[str, tuple[tuple[Step, ...], ...]] = MappingProxyType(
    {
        "digits": PICTURES,
        "depthwise": PICTURES,
        "minilm": (EXPORT, one("bf16"), one("int8"), one("int8_dynamic"), one("int8_dynamic", bits=8),
                   one("int8_onnxruntime"), one("int4_weights"), one("fp16_weights"),
                   one("low_rank", energy=0.9), (*one("int8_embeddings"), *one("bf16"))),
        "gru": (EXPORT, one("bf16"), one("int8_recurrent"), one("int8_weights"), one("fp16_weights"),
                one("int8_embeddings")),
    }
)  # fmt: skip


def opened(example: Example, failures: list[str]) -> Iterator[tuple[str, Artifact, Session, float]]:
    """Each chain in each engine, the first setting of an engine and each other one alone; and seconds to make it."""
    for chain in CHAINS[example.name]:
        start = time.perf_counter()
        try:
            made = make(chain, example.opened, example.calibration)
        except GlassworksError as error:
            failures.append(f"{example.name} {[each.name for each in chain]}: {error.problem}")
            continue
        seconds = time.perf_counter() - start
        for engine in ENGINES:
            if made.runtime not in ("", engine) or get(Runtime, engine).precisions.get(made.precision, ""):
                continue
            artifact = made.model_copy(update={"runtime": engine, "threads": 1})
            for settings in settings_of(artifact, example):
                chosen = artifact.model_copy(update={"settings": {**artifact.settings, **settings}})
                words = "".join(f" {key}={value}" for key, value in settings.items())
                session = get(Runtime, engine).open(Opened(artifact=chosen, folder=example.opened.folder))
                yield f"{made.made_by} {engine}{words}", chosen, session, seconds


def settings_of(artifact: Artifact, example: Example) -> Iterator[dict[str, str]]:
    yield {}
    space = get(Runtime, artifact.runtime).space(Opened(artifact=artifact, folder=example.opened.folder))
    for key, values in space.items():
        for value in values[1:]:
            yield {key: value}


def measured(example: Example, budget_s: float) -> tuple[list[dict[str, object]], list[str]]:
    failures: list[str] = []
    candidates = list(opened(example, failures))
    sessions = {name: session for name, _, session, _ in candidates}
    batch = example.rows[len(example.rows) // 2][0]
    first = {key: values[:1] for key, values in batch.items()}
    count = len(next(iter(batch.values())))
    taken = {1: measure_latencies(sessions, first, 1, budget_s * len(sessions)),
             32: measure_latencies(sessions, batch, count, budget_s * len(sessions))}  # fmt: skip
    rows: list[dict[str, object]] = []
    for name, artifact, session, seconds in candidates:
        right = [next(iter(session.run(some).values())).argmax(1) == y for some, y in example.rows]
        size = (example.opened.folder / artifact.file).stat().st_size
        rows.append(
            {
                "model": example.name,
                "candidate": name,
                "p50_ms": {rows: found[name][0] for rows, found in taken.items()},
                "size": size / example.opened.path.stat().st_size,
                "accuracy": float(np.concatenate(right).mean()),
                "examples": sum(map(len, right)),
                "computes": shares(layers_of(artifact, example.opened.folder)),
                "made_s": seconds,
            }
        )
    return rows, failures


def told(row: Mapping[str, object]) -> tuple[str, str, str]:
    p50, computes = row["p50_ms"], row["computes"]
    assert isinstance(p50, dict)
    assert isinstance(computes, dict)
    words = f"{p50[1]:.3f} / {p50[32]:.2f} ms, {row['size']:.1%}, {row['accuracy']:.4f}"
    return f"{row['model']}: {row['candidate']}", words, f"int8 {computes.get('int8', 0):.0%}" if computes else ""


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=[*MADE])
    parser.add_argument("--models", type=Path, default=Path("runs/optimization_models"))
    parser.add_argument("--budget", type=float, default=8.0, help="seconds a candidate and batch, at most")
    options = parser.parse_args()
    every: list[dict[str, object]] = []
    reasons: list[str] = []
    for example in examples(options.models, tuple(options.names)).values():
        found, failed = measured(example, options.budget)
        every += found
        reasons += failed
    publish(
        f"optimization_passes_{'_'.join(options.names)}",
        {"processor": processor(), "rows": every, "not_possible": reasons},
        [("processor", processor(), ""), *map(told, every)],
    )
