"""How many of the labels that look wrong are wrong: the ranked list of `sample:zh-reviews`, and a sample of it, read.

    python benchmarks/label_candidates.py

`judgements/zh_reviews_candidates.csv` holds 100 of the candidates, drawn without replacement by
`numpy.random.default_rng(0).choice`, in the order drawn. One reader (a language model) judged each from its text and
label alone, knowing neither rank nor probability: the label is wrong, is right, or cannot be told (neutral or mixed
texts, and those that are no review).
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from report import publish

from glassworks.data.intervals import wilson
from glassworks.data.text.reader import Columns, read_texts
from glassworks.data.text.study import study_texts

JUDGED = Path(__file__).parent / "judgements" / "zh_reviews_candidates.csv"
SAMPLE = 100


def main() -> int:
    report = study_texts(read_texts("sample:zh-reviews", Columns(same="letters")), validation=0.15, test=0.15, seed=0)
    ranked = report.candidates or ()
    drawn = np.random.default_rng(0).choice(len(ranked), SAMPLE, replace=False).tolist()
    with JUDGED.open(encoding="utf-8", newline="") as file:
        judged = [(row["name"], row["label"], row["judgement"]) for row in csv.DictReader(file)]
    same = [(ranked[place].name, ranked[place].label) for place in drawn] == [row[:2] for row in judged]
    # Where rounding differs the list may too; the judgements of those still on it stay valid.
    listed = {candidate.name for candidate in ranked}
    kept = Counter(judgement for name, _, judgement in judged if name in listed)
    total = kept.total()
    told = total - kept["cannot be told"]
    figures = {"of all": wilson(kept["wrong"], total), "of those that can be told": wilson(kept["wrong"], told)}
    rows: list[tuple[str, object, str]] = [
        ("candidates", f"{len(ranked):,} of {report.distinct - report.contradictions:,} labels", ""),
        ("the sample drawn is the one judged", str(same), "True"),
        *((f"judged: {name}", str(count), "") for name, count in kept.most_common()),
        ("precision, of all", _share(kept["wrong"], total), "published"),
        ("precision, of those that can be told", _share(kept["wrong"], told), ""),
    ]
    publish("label_candidates", {"candidates": len(ranked), "same": same, "judged": kept, "intervals": figures}, rows)
    return 0 if same else 1


def _share(hits: int, n: int) -> str:
    low, high = wilson(hits, n)
    return f"{hits / n:.2f} [{low:.2f}, {high:.2f}] of {n}"


if __name__ == "__main__":
    sys.exit(main())
