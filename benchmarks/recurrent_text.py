"""How small and quick the compressed recurrent model is, and what batches of like length save.

    python benchmarks/recurrent_text.py [KEY=VALUE ...]

Trains examples/reviews.toml, with the given settings in place of its own. All times are of one core, from strings to
probabilities. Latencies are of one text a call, over the validation texts as they come; throughput is of 128 texts of
5 to 300 tokens a call, against the same texts in batches of 32 that are padded to the longest of all.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from report import publish

from glassworks.flow import Release, release
from glassworks.job_files import load_job
from glassworks.packaging.opened import OpenedBundle
from glassworks.progress import Silent
from glassworks.registry import Registry
from glassworks.text.session import TextSession
from glassworks.text.windows import Window

JOB = Path(__file__).parents[1] / "examples" / "reviews.toml"
OWN = (
    'optimization.within=["accuracy_drop <= 0.5%", "size <= 3MB"]',
    "optimization.threads=1",
)
TEXTS, ROUNDS, SHORTEST, LONGEST = 128, 7, 5, 300
ROWS = 32


def latencies_ms(texts: Sequence[str], call: Callable[[str], object]) -> dict[str, float]:
    """Percentiles of one call a text."""
    for text in texts[:20]:
        call(text)
    times = []
    for text in texts:
        start = time.perf_counter()
        call(text)
        times.append(1e3 * (time.perf_counter() - start))
    return {f"p{at}": float(np.percentile(times, at)) for at in (50, 90, 99)}


def texts_of(session: TextSession, lengths: NDArray[np.int64], source: Sequence[str]) -> list[str]:
    """Texts of about so many tokens, cut from real ones."""
    pool = "".join(source)
    spans = session.tokenization.windows(pool[:4000])[0].spans
    width = float(spans.max()) / len(spans)  # the last token may be a special one, which covers nothing
    places = np.random.default_rng(1).integers(0, len(pool) - int(LONGEST * width) - 1, len(lengths))
    return [pool[place : place + max(1, round(length * width))] for place, length in zip(places, lengths, strict=True)]


def padded_scores(session: TextSession, texts: Sequence[str]) -> None:
    """Batches as the texts come, each as long as the longest window of all."""
    windows = [window for each in session.tokenization.read(texts) for window in each]
    longest = max(len(window.ids) for window in windows)
    for begin in range(0, len(windows), ROWS):
        session.graph.run(padded_batch(session, windows[begin : begin + ROWS], longest))


def padded_batch(session: TextSession, windows: Sequence[Window], longest: int) -> dict[str, NDArray[np.generic]]:
    """The graph's inputs of windows (N), padded to `longest`."""
    tensors = session.tokenization.tensors(windows)
    for name, fill in (("ids", session.tokenization.pad), ("mask", 0)):
        if name in tensors:
            whole = np.full((len(windows), longest), fill, np.int64)
            whole[:, : tensors[name].shape[1]] = tensors[name]
            tensors[name] = whole
    return tensors


def throughput(session: TextSession, lengths: NDArray[np.int64], source: Sequence[str]) -> dict[str, float]:
    """Texts a second in both ways, in turns, and the median of their ratios."""
    texts = texts_of(session, lengths, source)
    calls: tuple[Callable[[], object], ...] = (lambda: session.scores(texts), lambda: padded_scores(session, texts))
    times: list[list[float]] = []
    for call in calls * 2:
        call()
    for _ in range(ROUNDS):
        row = []
        for call in calls:
            start = time.perf_counter()
            call()
            row.append(time.perf_counter() - start)
        times.append(row)
    ours, theirs = (statistics.median(column) for column in zip(*times, strict=True))
    return {
        "tokens_mean": float(lengths.mean()),
        "texts_per_s": len(texts) / ours,
        "padded_texts_per_s": len(texts) / theirs,
        "ratio": statistics.median(row[1] / row[0] for row in times),
        "share_of_padding": 1 - float(lengths.mean()) / float(lengths.max()),
    }


def measure(done: Release) -> dict[str, object]:
    """Everything of one trained model."""
    opened = OpenedBundle(done.bundle)
    session = opened.session("predict")
    if not isinstance(session, TextSession) or done.report is None:
        raise TypeError("the job is not one of texts with a search")
    chosen, reference = (done.report.candidate(name) for name in (done.report.chosen, done.report.reference))
    source = done.dataset.splits["validation"].x.tolist()
    generator = np.random.default_rng(0)
    uniform = generator.integers(SHORTEST, LONGEST + 1, TEXTS)
    skewed = np.exp(generator.uniform(np.log(SHORTEST), np.log(LONGEST), TEXTS)).astype(np.int64)
    return {
        "settings": done.bundle.manifest.job["model"],
        "chosen": chosen.model_dump(mode="json"),
        "candidates": [candidate.model_dump(mode="json") for candidate in done.report.candidates],
        "accuracy_lost_points": 100 * (reference.metrics["accuracy"].value - chosen.metrics["accuracy"].value),
        "examples": len(source),
        "latency_ms": latencies_ms(source, lambda text: session.scores([text])),
        "front_ms": latencies_ms(source, lambda text: session.tokenization.read([text])),
        "throughput_skewed": throughput(session, skewed, source),
        "throughput_uniform": throughput(session, uniform, source),
    }


def shown(found: dict[str, object]) -> list[tuple[str, object, str]]:
    """The rows of the table."""
    chosen, latency, front, skewed, uniform = (
        dict(found[key])  # type: ignore[call-overload]
        for key in ("chosen", "latency_ms", "front_ms", "throughput_skewed", "throughput_uniform")
    )
    return [
        ("chosen", chosen["name"], ""),
        ("computed in fp32", ", ".join(chosen["computes_fp32"]) or "nothing", ""),
        ("size of all files it is served from, MB", chosen["size_bytes"] / 1e6, "<= 3"),
        ("accuracy lost, points", found["accuracy_lost_points"], "<= 0.5"),
        ("one text, p50 / p90 / p99 ms", " / ".join(f"{latency[k]:.3f}" for k in latency), "p99 <= 1"),
        ("of which tokens and pieces, ms", " / ".join(f"{front[k]:.3f}" for k in front), ""),
        ("many short, few long texts: over padding to the longest", skewed["ratio"], ">= 2"),
        ("lengths spread evenly: over padding to the longest", uniform["ratio"], ""),
        ("texts a second, both", f"{skewed['texts_per_s']:.0f} / {uniform['texts_per_s']:.0f}", ""),
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        job = load_job(JOB, [*OWN, *sys.argv[1:]])
        result = measure(release(job, Registry.open({"GLASSWORKS_HOME": home}), Silent()))
    publish("recurrent_text", result, shown(result))
