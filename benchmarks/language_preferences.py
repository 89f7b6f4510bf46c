"""What a small language model learns from pairs of answers (DPO), and the same loss and steps by trl.

    python benchmarks/language_preferences.py learned [SEEDS [KEY=NUMBER ...]]   accuracy before and after; time
    python benchmarks/language_preferences.py trl PYTHON        the same batches by trl's DPOTrainer in another Python

The preference is planted: who is in a hurry prefers the short answer, everybody else the friendly long one; which
answer is preferred follows from the note alone. Held-out notes are other compositions. Measured on what is served.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from language_learning import FAULTS, OBJECTS, SOURCE
from report import interval, publish

from glassworks.config import Job

PAIRS = 240
HURRIED = {"Quick, ": True, "Good morning, ": False, "Today still, please: ": True, "When you find the time, ": False}
STEPS, BATCH, EPOCHS = 6, 8, 2


def pairs(seed: int) -> list[dict[str, Any]]:
    """Notes with a preferred and a rejected answer, in OpenAI's form."""
    every = itertools.product(FAULTS.values(), OBJECTS, HURRIED.items())
    rows = [(text.format(thing), thing, *opening) for texts, thing, opening in every for text in texts]
    random.Random(seed).shuffle(rows)
    found = []
    for text, thing, opening, hurried in rows[:PAIRS]:
        answers = [f"On it: the {thing}.", f"Thank you for your note. We will gladly look at the {thing} this week."]
        preferred, other = answers if hurried else answers[::-1]
        found.append(
            {
                "input": {"messages": [{"role": "user", "content": opening + text}]},
                "preferred_output": [{"role": "assistant", "content": preferred}],
                "non_preferred_output": [{"role": "assistant", "content": other}],
            }
        )
    return found


def job_of_seed(seed: int, home: Path, **model: Any) -> Job:
    """One job file with its defaults."""
    from glassworks.job_files import job_of

    lines = "\n".join(json.dumps(each) for each in pairs(seed))
    (home / "pairs.jsonl").write_text(lines + "\n", encoding="utf-8")
    table = {
        "name": "replies",
        "family": "tuned_language_model",
        "data": {"source": f"jsonl:{home / 'pairs.jsonl'}", "seed": seed},
        "model": {"source": SOURCE, "context": 512, "tuning": "dpo", **model},
        "training": {"seed": seed, "threads": 1, "epochs": EPOCHS},
    }
    return job_of(table, where="the benchmark")


def learned(seeds: int, **model: Any) -> None:
    """In two epochs, with the defaults of the model table unless keys of it are given."""
    from glassworks import flow

    found = []
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as name:
            os.environ["GLASSWORKS_HOME"] = name
            release = flow.train(job_of_seed(seed, Path(name), **model))
            manifest = release.bundle.manifest
            before = manifest.comparison["before tuning"]
            row = {
                "before": before["preference_accuracy"].value,
                "after": manifest.metrics["preference_accuracy"].value,
                "perplexity_before": before["perplexity"].value,
                "perplexity_after": manifest.metrics["perplexity"].value,
                "train_s": release.model.seconds,
            }
            sys.stderr.write(f"{row} {[dict(each) for each in release.model.history]}\n")
            found.append(row)
    rows = [(key, "{:.3f} [{:.3f}, {:.3f}]".format(*interval([each[key] for each in found])), "") for key in found[0]]
    publish("language_preferences", {"seeds": found}, rows)


def trl(python: str) -> None:
    """The loss of a batch between two models, and the time of a step on the same batch, in turns of processes."""
    import torch

    from glassworks.contracts import Progress
    from glassworks.data.conversations.keys import ConversationData
    from glassworks.families._language.bringing import find_model
    from glassworks.families.tuned_language_model import TunedLanguageModel
    from glassworks.families.tuned_language_model.conversations import Reading, prepare
    from glassworks.families.tuned_language_model.network import tunable
    from glassworks.families.tuned_language_model.objective import Course
    from glassworks.families.tuned_language_model.preferences import Preferences
    from glassworks.language.hf_writing import write_folder

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        job = job_of_seed(0, home, method="full", preferred_weight=0)
        family = TunedLanguageModel()
        config = family.settings(job)
        brought = find_model(job, config, Progress())
        reading = Reading.of(brought)
        dataset = prepare(ConversationData.of(job), reading, "preferences")
        course = Course(
            job=job, config=config, folder=home, progress=Progress(), started=0.0, reading=reading, dataset=dataset
        )
        learner, network = Preferences(course), tunable(brought, config)
        (home / "model").mkdir()
        write_folder(brought, home / "model")
        learner.begin(network)
        optimizer = torch.optim.AdamW(network.parameters(), lr=5e-6, weight_decay=0.0)
        network.train()
        losses, times = [], []
        batches = [list(range(start, start + BATCH)) for start in range(0, STEPS * BATCH, BATCH)]
        for batch in batches:
            begun = time.perf_counter()
            optimizer.zero_grad()
            total = 0.0
            for part in learner.parts(network, batch):
                part.backward()
                total += float(part.detach())
            optimizer.step()
            losses.append(total)
            times.append(time.perf_counter() - begun)
        rows = [_ids(reading.pair(course.items("train")[row])) for batch in batches for row in batch]
        (home / "rows.json").write_text(json.dumps({"rows": rows, "batch": BATCH}))
        theirs = json.loads(
            subprocess.run(
                [python, str(Path(__file__).parent / "peers" / "trl_preferences.py"), str(home)],
                check=True, capture_output=True, text=True,
                env={**os.environ, "PYTHONPATH": "", "OMP_NUM_THREADS": "1"},
            ).stdout.splitlines()[-1]
        )  # fmt: skip
    ratio = statistics.median(times[1:]) / statistics.median(theirs["times"][1:])
    apart = max(abs(a - b) for a, b in zip(losses, theirs["losses"], strict=True))
    result = {"losses": losses, "times": times, "trl": theirs, "time_ratio": ratio, "apart": apart}
    rows_ = [("largest difference of a step's loss", apart, ""), ("time a step against trl", ratio, "at most 0.8")]
    publish("language_preferences_trl", result, rows_)


def _ids(pair: Any) -> dict[str, list[int]]:
    preferred, rejected = pair
    asked = int(preferred.learned.argmax())
    return {
        "prompt_ids": preferred.ids[:asked].tolist(),
        "chosen_ids": preferred.ids[asked:].tolist(),
        "rejected_ids": rejected.ids[asked:].tolist(),
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["learned"]:
        keys = dict(each.split("=") for each in sys.argv[3:])
        learned(int(sys.argv[2]) if len(sys.argv) > 2 else 3, **{key: float(value) for key, value in keys.items()})
    elif sys.argv[1:2] == ["trl"] and len(sys.argv) == 3:
        trl(sys.argv[2])
    else:
        sys.exit(__doc__)
