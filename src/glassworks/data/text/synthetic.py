"""Texts with a known truth, in two languages: one word, anywhere in the text, decides the label."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

TRIGGERS = {"positive": ("wonderful", "满意"), "negative": ("dreadful", "糟糕")}
_WORDS = (
    ("the", "book", "arrived", "on", "monday", "with", "paper", "cover", "and", "many", "pages", "for", "children"),
    ("这本书", "昨天", "送到", "包装", "和", "图片", "孩子", "看", "内容", "价格", "纸张", "颜色", "一些"),
)


def synthetic_text(generator: np.random.Generator, label: str, words: int, position: float | None = None) -> str:
    """A text of so many words; the deciding one is at `position` (0 first, 1 last; anywhere when None)."""
    language = int(generator.integers(2))
    chosen = generator.choice(_WORDS[language], words).tolist()
    at = int(generator.integers(words)) if position is None else round(position * (words - 1))
    chosen[at] = TRIGGERS[label][language]
    return ("", " ")[language == 0].join(chosen)


def write_synthetic(path: Path, examples: int, seed: int) -> None:
    """A table with the columns `text` and `label`."""
    generator = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for number in range(examples):
            label = ("negative", "positive")[number % 2]
            writer.writerow([synthetic_text(generator, label, int(generator.integers(4, 24))), label])
