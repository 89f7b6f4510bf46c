"""How often a tuned model's answers are right when it says so, and whether training conversations like an answer are
found.

    python benchmarks/language_learning_confidence.py calibration [train]   error of its confidence on held-out notes
    python benchmarks/language_learning_confidence.py nearest               planted near copies that are found first

The work orders of `language_learning.py`, but so few to learn from (60) that a good part of the answers stays wrong: a
model that is always right is calibrated by saying so. 230 notes fit slope and offset, 270 others measure. The error is
that of 15 bins of equal width; beside it stands that of the model's own probabilities. With as few as 270 answers the
figure itself is no nearer to 0 than what chance gives a perfectly calibrated model: that stands beside it. Near copies:
each note with a word added, cut or punctuated, asked for among 200.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from language_learning import SOURCE, conversations
from report import publish

VALIDATION, TEST = 230, 270


def calibration(train: int) -> None:
    """As a user gets it: the figures on the card."""
    from glassworks import flow
    from glassworks.job_files import job_of
    from glassworks.language.confidence import confidence_of
    from glassworks.packaging.opened import OpenedBundle
    from glassworks.tasks._metrics import calibration_error

    total = train + VALIDATION + TEST
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        os.environ["GLASSWORKS_HOME"] = str(home)
        lines = "\n".join(json.dumps(each) for each in conversations(0, total))
        (home / "orders.jsonl").write_text(lines + "\n", encoding="utf-8")
        table = {
            "name": "orders",
            "family": "tuned_language_model",
            "data": {
                "source": f"jsonl:{home / 'orders.jsonl'}",
                "validation": VALIDATION / total,
                "test": TEST / total,
            },
            "model": {"source": SOURCE, "context": 512},
        }
        begun = time.perf_counter()
        release = flow.train(job_of(table, where="the benchmark"))
        taken, manifest = time.perf_counter() - begun, release.bundle.manifest
        known = confidence_of(manifest.preprocessing)
        if known is None:
            sys.exit("too few held-out answers were compared")
        opened = OpenedBundle(release.bundle, limited=False)
        answered = np.asarray(opened.output(release.dataset.splits["test"].x, "answered"), np.float64)
        opened.close()
    answered = answered[np.isfinite(answered).all(axis=1)]
    sure, right = known.of(answered[:, 0]), answered[:, 1]
    own = calibration_error(np.exp(np.minimum(answered[:, 0], 0)), right)
    after, brier = manifest.metrics["calibration_error"], manifest.metrics["brier"]
    chance = np.random.default_rng(0)
    perfect = [calibration_error(sure, (chance.random(len(sure)) < sure).astype(float)).value for _ in range(200)]
    rows = [
        ("accuracy, held out", _shown(manifest.metrics["exact_match"]), ""),
        ("calibration error of the model's own probabilities", _shown(own), ""),
        ("calibration error", _shown(after), "at most 0.05"),
        (
            "the same of a perfectly calibrated model",
            f"{np.mean(perfect):.3f}, 95 % below {np.quantile(perfect, 0.95):.3f}",
            "",
        ),
        ("Brier's score", _shown(brier), ""),
        ("release, s", f"{taken:.0f}", ""),
    ]
    for low in np.arange(0, 1, 0.2):
        inside = (sure >= low) & (sure < low + 0.2 + 1e-9 * (low > 0.7))
        if inside.any():
            text = f"says {sure[inside].mean():.2f}, right {right[inside].mean():.2f} of {inside.sum()}"
            rows.append((f"confidence {low:.1f} to {low + 0.2:.1f}", text, ""))
    figures = {"slope": known.slope, "offset": known.offset, "answered": answered.tolist(), "release_s": taken}
    publish("language_learning_calibration", figures, rows)


def _shown(measured: Any) -> str:
    low, high = measured.interval
    return f"{measured.value:.3f} [{low:.3f}, {high:.3f}] of {measured.examples}"


def nearest() -> None:
    """By the model as it is brought, with its weights in float16."""
    from glassworks.data.installed import installed
    from glassworks.language.continuous_batching import EngineSettings
    from glassworks.language.importing import bring, write
    from glassworks.language.nearest import id_of, keep, kept, text_of
    from glassworks.language.session import LanguageSession

    library, _, inner = SOURCE.removeprefix("package:").partition("/")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(bring(installed(library, inner), SOURCE), folder)
        session = LanguageSession(folder, folder, EngineSettings(cache_tokens=2048, threads=1))
        items = [json.dumps({**each, "tools": []}) for each in conversations(0, 200)]
        begun = time.perf_counter()
        keep(folder, items, session.embed)
        built, found, chosen = time.perf_counter() - begun, kept(folder), random.Random(1)
        if found is None:
            sys.exit("nothing was kept")
        first, begun = 0, time.perf_counter()
        for item in items:
            asked = _edited(text_of(json.loads(item)["messages"]), chosen)
            first += found.nearest(asked, session.embed, 1)[0]["id"] == id_of(item)
        each = (time.perf_counter() - begun) / len(items)
        session.close()
    rows = [
        ("near copies found first", f"{first} of {len(items)}", "at least 95 %"),
        ("index of 200, s", f"{built:.1f}", ""),
        ("one question, ms", f"{1e3 * each:.0f}", ""),
    ]
    publish("language_learning_nearest", {"first": first, "built_s": built, "each_s": each}, rows)


def _edited(text: str, chosen: random.Random) -> str:
    words = text.split(" ")
    at = chosen.randrange(len(words) - 1)
    words[at] = chosen.choice([f"{words[at]},", f"{words[at]} really", words[at][:-1] or words[at]])
    return " ".join(words)


if __name__ == "__main__":
    if sys.argv[1:2] == ["calibration"]:
        calibration(int(sys.argv[2]) if len(sys.argv) > 2 else 60)
    elif sys.argv[1:2] == ["nearest"]:
        nearest()
    else:
        sys.exit(__doc__)
