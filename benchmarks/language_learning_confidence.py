"""How often a tuned model's answers are right when it says so, and whether training conversations like an answer are
found.

    python benchmarks/language_learning_confidence.py calibration [train]   error of its confidence on held-out notes
    python benchmarks/language_learning_confidence.py doubt [fresh] [seed]  the same of a tiny model on thousands
    python benchmarks/language_learning_confidence.py nearest               planted near copies that are found first

The work orders of `language_learning.py`, but so few to learn from (60) that a good part of the answers stays wrong: a
model that is always right is calibrated by saying so. 230 notes fit slope and offset, 270 others measure. The error is
that of 15 bins of equal width; beside it stands that of the model's own probabilities. With as few as 270 answers the
figure itself is no nearer to 0 than what chance gives a perfectly calibrated model: that stands beside it. Thousands of
answers show more, and a tiny model gives them in minutes: codes of twelve letters, no near copies of each other, are
answered with one of four words by their last letter, which says too how often it is a word at random instead, in
training and in what is asked alike. Near copies: each note with a word added, cut or punctuated, asked for among 200.
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
from numpy.typing import NDArray
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


def doubt(fresh: int, seed: int) -> None:
    """A release by the product, fitted on its validation split; and fits to fewer of it, measured on the same ones."""
    from glassworks import flow
    from glassworks.families._language.synthetic import write_model
    from glassworks.families.tuned_language_model.conversations import read
    from glassworks.job_files import job_of
    from glassworks.language.confidence import confidence_of, fit
    from glassworks.packaging.opened import OpenedBundle

    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        os.environ["GLASSWORKS_HOME"] = str(home)
        write_model(home / "model", seed=seed, width=64, feed_forward=128)
        rows = _doubtful(seed, LEARNED + FITTED + 40 + fresh)
        for part, some in (("known", rows[:-fresh]), ("fresh", rows[-fresh:])):
            (home / f"{part}.jsonl").write_text("\n".join(map(json.dumps, some)) + "\n", encoding="utf-8")
        total = LEARNED + FITTED + 40
        table = {
            "name": "doubt",
            "family": "tuned_language_model",
            "data": {"source": f"jsonl:{home / 'known.jsonl'}", "validation": FITTED / total, "test": 40 / total},
            "model": {"source": f"folder:{home / 'model'}", "method": "full", "answers_shown": 0},
            "training": {"epochs": 12, "learning_rate": 5e-3, "threads": 1, "batch_size": 16, "seed": seed},
        }
        release = flow.train(job_of(table, where="the benchmark"))
        opened = OpenedBundle(release.bundle, limited=False)
        asked = read(f"jsonl:{home / 'fresh.jsonl'}", release.bundle.manifest.preprocessing).x
        held, new = (
            np.asarray(opened.output(x, "answered"), np.float64)
            for x in (release.dataset.splits["validation"].x, asked)
        )
        opened.close()
        known = confidence_of(release.bundle.manifest.preprocessing)
    held, new = (each[np.isfinite(each).all(axis=1)] for each in (held, new))
    found = {len(held): known, **{few: fit(*held[:few].T) for few in (25, 50, 100, 200)}}
    own = _figures(np.exp(np.minimum(new[:, 0], 0)), new[:, 1])
    table_rows = [
        ("accuracy, held out", f"{new[:, 1].mean():.3f} of {len(new)}", ""),
        ("the model's own", own["text"], ""),
    ]
    values: dict[str, Any] = {"own": own}
    for count, each in sorted(found.items()):
        if each is None:
            sys.exit(f"too few of {count} answers were compared")
        values[str(count)] = {**_figures(each.of(new[:, 0]), new[:, 1]), "told": each.supported, "error": each.error}
        told = "told" if each.supported else f"not told, {each.needed} are needed"
        text = f"{values[str(count)]['text']}; expected {each.error:.3f}: {told}"
        table_rows.append((f"fitted on {count}", text, "at most 0.05"))
    publish(f"language_learning_doubt_{seed}", values, table_rows + _reliability(known, new))


LEARNED, FITTED = 600, 400
WORDS, LETTERS = ("north", "south", "west", "east"), "abcdefghijklmnop"


def _doubtful(seed: int, count: int) -> list[dict[str, Any]]:
    chance, found = random.Random(seed), []
    for _ in range(count):
        code, last = "".join(chance.choices(LETTERS, k=11)), chance.randrange(len(LETTERS))
        doubted = chance.random() < last / len(LETTERS)
        answer = chance.choice(WORDS) if doubted else WORDS[last % 4]
        code += LETTERS[last].upper()
        messages = [{"role": "user", "content": code}, {"role": "assistant", "content": answer}]
        found.append({"messages": messages})
    return found


def _figures(sure: NDArray[np.float64], right: NDArray[np.float64]) -> dict[str, Any]:
    """The calibration error in 15 bins of equal width; what chance gives a perfectly calibrated model; and the root of
    the squared error less what chance adds to it in each bin (Kumar, Liang and Ma 2019)."""
    from glassworks.tasks._metrics import calibration_error, mean_square

    measured, chance = calibration_error(sure, right), np.random.default_rng(0)
    perfect = [calibration_error(sure, (chance.random(len(sure)) < sure).astype(float)).value for _ in range(100)]
    bins, squared = np.minimum((sure * 15).astype(int), 14), 0.0
    for each in np.unique(bins):
        inside = bins == each
        share, n = right[inside].mean(), int(inside.sum())
        if n > 1:
            squared += n / len(sure) * ((share - sure[inside].mean()) ** 2 - share * (1 - share) / (n - 1))
    debiased = float(np.sqrt(max(squared, 0.0)))
    text = f"{_shown(measured)}, by chance {np.mean(perfect):.3f}, debiased root mean square {debiased:.3f}"
    return {"error": measured.value, "interval": measured.interval, "chance": float(np.mean(perfect)),
            "debiased": debiased, "brier": mean_square(sure - right).value, "text": text}  # fmt: skip


def _reliability(known: Any, answered: NDArray[np.float64]) -> list[tuple[str, str, str]]:
    """Confidence and share of right answers in tenths."""
    sure, right, rows = known.of(answered[:, 0]), answered[:, 1], list[tuple[str, str, str]]()
    tenths = np.minimum((sure * 10).astype(int), 9)
    for each in np.unique(tenths):
        inside = tenths == each
        text = f"says {sure[inside].mean():.3f}, right {right[inside].mean():.3f} of {inside.sum()}"
        rows.append((f"confidence {each / 10:.1f} to {each / 10 + 0.1:.1f}", text, ""))
    return rows


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
    elif sys.argv[1:2] == ["doubt"]:
        doubt(*(int(each) for each in (*sys.argv[2:4], *("3000", "0")[len(sys.argv[2:4]) :])))
    elif sys.argv[1:2] == ["nearest"]:
        nearest()
    else:
        sys.exit(__doc__)
