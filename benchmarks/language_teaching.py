"""What a tuned language model teaches a classifier, and how many more requests that one answers.

    python benchmarks/language_teaching.py [SEED] [searched]

Made-up notes to a repair shop and the code of their fault, which no text tells (`sample:repair-notes`, drawn anew with
each seed). The teacher is SmolLM2-135M-Instruct, tuned on 160 notes with their codes. The student is a small
transformer_text that knows 25 of them; a taught one also learns from notes without a code, by what the teacher says of
them. transformer_text on all 160 codes and a linear classifier of n-grams stand beside the teacher. All are measured on
the same 120 notes, by what is served. Speed is of requests over HTTP, a note each, per second that the server's
processes compute; `searched`: of what a search for a faster form chose, for both.
"""

from __future__ import annotations

import csv
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from language_learning import SOURCE
from language_served import Served
from report import publish

from glassworks import flow
from glassworks.config import OptimizationConfig
from glassworks.data.intervals import wilson
from glassworks.data.samples.repair_notes import notes
from glassworks.job_files import job_of
from glassworks.registry import Registry

A_CODE, FURTHER, STREAMS, CLIENTS, ASKED = 5, 180, 8, 32, 40
"""Labelled notes a code; notes that nobody labelled; answers at once of the language model, and of
the classifier; times that it gets all notes."""
CHAT, INFER = "/v1/chat/completions", "/v2/models/{}/infer"


def write(path: Path, rows: Iterable[Sequence[str]]) -> str:
    """A table of notes and codes, which may be empty."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("prompt", "answer", "part"), *rows])
    return f"csv:{path}"


def few(rows: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """The first notes of each code."""
    seen: dict[str, int] = {}
    found = []
    for row in rows:
        seen[row[1]] = seen.get(row[1], 0) + 1
        found += [row] if seen[row[1]] <= A_CODE else []
    return found


def main(seed: int, searched: bool) -> None:
    """Each figure is told as soon as it is known."""
    every = [(note["prompt"], note["answer"], note["part"]) for note in notes(seed)]
    known = [row for row in every if row[2] != "unlabeled"]
    learned, test = ([row for row in known if row[2] == part] for part in ("train", "test"))
    own = [*few(learned), *few([row for row in known if row[2] == "validation"]), *test]
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        os.environ["GLASSWORKS_HOME"] = name
        Registry.open()
        found: dict[str, Any] = {}

        def train(name: str, rows: Sequence[Sequence[str]], **tables: Any) -> None:
            data = {"source": write(home / f"{name}.csv", rows), "split": "part", **tables.pop("data", {})}
            training = {"threads": 1, "seed": seed, **tables.pop("training", {})}
            table = {"name": name, "data": data, "training": training, **tables}
            made = flow.train(job_of(table, where="the benchmark"))
            found[name] = {"train_s": made.model.seconds}
            beside = {**made.bundle.manifest.comparison, "n-grams": made.bundle.manifest.baseline}
            known = ((who, each.get("exact_match") or each.get("accuracy")) for who, each in beside.items())
            found[name]["beside"] = {who: value.value for who, value in known if value}
            sys.stderr.write(f"{name}: {found[name]}\n")

        model = {"source": SOURCE, "context": 256, "answers_shown": 0, "streams": STREAMS}
        texts = {"family": "transformer_text", "data": {"text": "prompt", "label": "answer"}}
        train("teacher", known, family="tuned_language_model", model=model, training=TRAINING)
        train("alone", own, **texts)
        more = {
            "text": "prompt",
            "label": "answer",
            "unlabeled": write(home / "more.csv", [*learned, *every[-FURTHER:]]),
        }
        taught = {"teacher": "teacher", "teacher_texts": "all"}
        train("taught", own, **{**texts, "data": more}, training=taught)
        measure(home, [row[0] for row in test], [row[1] for row in test], found)
        publish(f"language_teaching_{seed}", {"found": found}, rows_of(found))
        if searched:
            for each in ("teacher", "taught"):
                report, _ = flow.optimize(each, OptimizationConfig(budget=30).model_dump(exclude_unset=True))
                found[each]["served as"] = report.chosen
            measure(home, [row[0] for row in test], [row[1] for row in test], found)
            publish(f"language_teaching_{seed}_searched", {"found": found}, rows_of(found))


TRAINING: dict[str, Any] = {"batch_size": 2}
"""As in `examples/classify.toml`."""


def measure(home: Path, texts: Sequence[str], codes: Sequence[str], found: dict[str, Any]) -> None:
    """Accuracy with Wilson's interval, and requests a second that the server computes, in turns."""
    with Served(home, "teacher", "alone", "taught") as served:
        for name in ("alone", "taught"):
            said, _ = classified(served, name, texts, 1)
            note(found[name], said, codes)
        asked: dict[str, list[float]] = {"teacher": [], "taught": []}
        for _ in range(3):
            said, speed = written(served, texts)
            note(found["teacher"], said, codes)
            asked["teacher"].append(speed)
            asked["taught"].append(classified(served, "taught", texts, ASKED)[1])
        for name, speeds in asked.items():
            found[name]["per_cpu_s"] = statistics.median(speeds)
        begun, count = served.cpu_s(), 20
        for _ in range(count):
            served.post(INFER.format("taught"), body(texts))
        found["taught"]["per_cpu_s of 120 a request"] = count * len(texts) / (served.cpu_s() - begun)
    found["ratio"] = found["taught"]["per_cpu_s"] / found["teacher"]["per_cpu_s"]


def note(of: dict[str, Any], said: Sequence[str], codes: Sequence[str]) -> None:
    hits = sum(one == other for one, other in zip(said, codes, strict=True))
    low, high = wilson(hits, len(codes))
    of.update(accuracy=hits / len(codes), interval=f"[{low:.3f}, {high:.3f}]")


def written(served: Served, texts: Sequence[str]) -> tuple[list[str], float]:
    """What the language model answers, and its requests a second of computing."""

    def ask(text: str) -> str:
        turns = [{"role": "user", "content": text}]
        return served.text({"model": "teacher", "messages": turns, "temperature": 0, "max_tokens": 12}, CHAT).strip()

    begun = served.cpu_s()
    with ThreadPoolExecutor(STREAMS) as pool:
        said = list(pool.map(ask, texts))
    return said, len(texts) / (served.cpu_s() - begun)


def body(texts: Sequence[str]) -> dict[str, Any]:
    return {"inputs": [{"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": list(texts)}]}


def classified(served: Served, name: str, texts: Sequence[str], times: int) -> tuple[list[str], float]:
    """The same of a classifier; each client keeps its connection."""
    labels = served_labels(served, name)

    def ask(part: Sequence[str]) -> list[str]:
        connection, found = served.connect(), []
        for text in part:
            connection.request("POST", INFER.format(name), json.dumps(body([text])))
            outputs = json.loads(connection.getresponse().read())["outputs"]
            (scores,) = [each["data"] for each in outputs if each["name"] == "probabilities"]
            found.append(labels[max(range(len(labels)), key=scores.__getitem__)])
        connection.close()
        return found

    rows = list(texts) * times
    begun, share = served.cpu_s(), -(-len(rows) // CLIENTS)
    with ThreadPoolExecutor(CLIENTS) as pool:
        parts = list(pool.map(ask, [rows[at : at + share] for at in range(0, len(rows), share)]))
    speed = len(rows) / max(served.cpu_s() - begun, 0.01)
    return [label for part in parts for label in part][: len(texts)], speed


def served_labels(served: Served, name: str) -> list[str]:
    connection = served.connect()
    connection.request("GET", f"/v2/models/{name}")
    return str(json.loads(connection.getresponse().read())["properties"]["labels"]).split(",")


def rows_of(found: dict[str, Any]) -> list[tuple[str, object, str]]:
    models = {name: each for name, each in found.items() if isinstance(each, dict)}
    rows: list[tuple[str, object, str]] = [
        (f"{name}: accuracy", f"{each['accuracy']:.3f} {each['interval']}", "") for name, each in models.items()
    ]
    rows += [(f"beside the teacher: {who}", value, "") for who, value in found["teacher"]["beside"].items()]
    rows += [(f"{name}: {key}", each[key], "") for name, each in models.items() for key in each if "per_cpu" in key]
    return [*rows, ("classifier against its teacher, requests a second of computing", found["ratio"], "at least 100")]


if __name__ == "__main__":
    begun = time.monotonic()
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 0, "searched" in sys.argv)
    sys.stderr.write(f"{time.monotonic() - begun:.0f} s\n")
