"""What a tuned language model teaches: a classifier that answers far more requests, and another language model.

    python benchmarks/language_teaching.py [SEED]

Notes of a repair shop and the code of their fault, which no text tells. The teacher is SmolLM2-135M-Instruct, tuned on
120 notes with their codes. Students know 25 of them; a taught one also learns from notes without a code, by what the
teacher says of them: a classifier from 300, a language model from 95. All are measured on the same 120 notes, by what
is served; requests a CPU second are of one call with all of these notes.
"""

from __future__ import annotations

import csv
import itertools
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from language_learning import FAULTS, OBJECTS, OPENINGS, SOURCE
from report import publish

from glassworks import flow
from glassworks.data.intervals import wilson
from glassworks.job_files import job_of
from glassworks.packaging.opened import OpenedBundle
from glassworks.registry import Registry

FEW, TAUGHT, POOL, VALIDATION, TEST = 25, 120, 300, 60, 120
Row = tuple[str, str]


def notes(seed: int) -> list[Row]:
    """Texts and their codes."""
    every = itertools.product(FAULTS.items(), OBJECTS, OPENINGS)
    rows = [(opening + text.format(thing), code) for (code, texts), thing, opening in every for text in texts]
    random.Random(seed).shuffle(rows)
    return rows


def write(path: Path, rows: Iterable[Row]) -> str:
    """A table; codes may be empty."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("prompt", "answer"), *rows])
    return f"csv:{path}"


def main(seed: int) -> None:
    """Each figure is printed as soon as it is known."""
    rows = notes(seed)
    test, validation, learned = rows[:TEST], rows[TEST : TEST + VALIDATION], rows[TEST + VALIDATION :]
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        os.environ["GLASSWORKS_HOME"] = name
        registry = Registry.open()
        parts = {"validation": write(home / "v.csv", validation), "test": write(home / "t.csv", test)}

        def note(who: str, reference: str, write_labels: bool) -> None:
            found[who] = figures(registry, reference, test, write_labels)
            sys.stderr.write(f"{who}: {found[who]}\n")

        def train(name: str, source: str, **tables: Any) -> None:
            data = {"split": {"train": source, **parts}, **tables.pop("data", {})}
            training = {"threads": 1, "seed": seed, **tables.pop("training", {})}
            flow.train(job_of({"name": name, "data": data, "training": training, **tables}, where="the benchmark"))

        model = {"family": "tuned_language_model", "model": {"source": SOURCE, "context": 256, "answers_shown": 0}}
        texts = {"family": "recurrent_text", "model": {}, "data": {"text": "prompt", "label": "answer"}}
        train("teacher", write(home / "taught.csv", learned[:TAUGHT]), **model)
        note("teacher", "teacher", True)
        few = write(home / "few.csv", learned[:FEW])
        train("alone", few, **texts)
        note("classifier alone", "alone", False)
        pool = write(home / "pool.csv", learned[FEW:POOL])
        more = {"text": "prompt", "label": "answer", "unlabeled": pool}
        taught = {"teacher": "teacher", "teacher_texts": "all"}
        train("taught", few, **{**texts, "data": more}, training=taught)
        note("classifier taught", "taught", False)
        train("student-alone", few, **model)
        note("language model alone", "student-alone", True)
        mixed = [*learned[:FEW], *((text, "") for text, _ in learned[FEW:TAUGHT])]
        train("student-taught", write(home / "mixed.csv", mixed), **model, training={"teacher": "teacher"})
        note("language model taught", "student-taught", True)
    ratio = found["classifier taught"]["per_cpu_s"] / found["teacher"]["per_cpu_s"]
    shown = [(f"{who}: accuracy", f"{of['accuracy']:.3f} {of['interval']}", "") for who, of in found.items()]
    shown += [(f"{who}: requests a CPU second", of["per_cpu_s"], "") for who, of in found.items()]
    rows_ = [*shown, ("classifier against its teacher, requests a CPU second", ratio, "at least 100")]
    publish("language_teaching", {"found": found, "ratio": ratio}, rows_)


def figures(registry: Registry, reference: str, test: Sequence[Row], write_labels: bool) -> dict[str, Any]:
    """Accuracy with Wilson's interval, and requests a CPU second, of one call with all notes."""
    opened = OpenedBundle(registry.resolve(reference).bundle)
    x = np.empty(len(test), object)
    x[:] = [text for text, _ in test]
    session = opened.session("predict")
    if write_labels:
        said, per_s = _written(session, test)
    else:
        tensors = opened.task.encode(x, opened.manifest.preprocessing)
        session.run(tensors)
        begun, rounds = time.process_time(), 0
        while time.process_time() - begun < 1:
            outputs = session.run(tensors)
            rounds += 1
        per_s = rounds * len(test) / (time.process_time() - begun)
        first = session.signature.outputs[0].name
        said = [opened.manifest.labels[place] for place in outputs[first].argmax(axis=1)]
    opened.close()
    hits = sum(one == code for one, (_, code) in zip(said, test, strict=True))
    low, high = wilson(hits, len(test))
    return {"accuracy": hits / len(test), "interval": f"[{low:.3f}, {high:.3f}]", "per_cpu_s": per_s}


def _written(session: Any, test: Sequence[Row]) -> tuple[list[str], float]:
    import json

    session.conversations, session.max_tokens = True, 12
    turns = [[{"role": "user", "content": text}, {"role": "assistant", "content": ""}] for text, _ in test]
    rows = np.empty(len(test), object)
    rows[:] = [json.dumps({"messages": each, "tools": []}).encode() for each in turns]
    begun = time.process_time()
    (name, *_) = [spec.name for spec in session.signature.outputs]
    found = session.run({session.signature.inputs[0].name: rows}, [name])[name]
    return [each.decode().strip() for each in found.tolist()], len(test) / (time.process_time() - begun)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
