"""The n-gram classifier that text models are held against: its accuracy and its time on `sample:zh-reviews`.

    python benchmarks/text_baseline.py [SEEDS]

A seed is another split. Its regularization is chosen on the validation split, the test split is looked at once.
"""

from __future__ import annotations

import sys
import time

from report import interval, publish

from glassworks.data.text.baseline import baseline_probabilities
from glassworks.data.text.dataset import prepare_texts
from glassworks.data.text.reader import Columns, read_texts


def main(seeds: int) -> None:
    texts = read_texts("sample:zh-reviews", Columns(same="letters"))
    accuracies, seconds = [], []
    for seed in range(seeds):
        dataset = prepare_texts(texts, validation=0.15, test=0.15, seed=seed)
        started = time.process_time()
        probabilities = baseline_probabilities(dataset.splits, len(dataset.classes))
        seconds.append(time.process_time() - started)
        accuracies.append(float((probabilities.argmax(axis=1) == dataset.splits["test"].y).mean()))
    mean, low, high = interval(accuracies)
    rows: list[tuple[str, object, str]] = [
        ("test accuracy, mean", f"{mean:.4f} [{low:.4f}, {high:.4f}]", "what networks must beat"),
        ("each seed", " ".join(f"{value:.4f}" for value in accuracies), ""),
        ("seconds of one core, largest", max(seconds), "at most 15"),
    ]
    publish("text_baseline", {"accuracies": accuracies, "seconds": seconds}, rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
