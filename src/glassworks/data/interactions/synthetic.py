"""Small interactions with a known taste: users of a group like items of that group's kind, in the order of time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from glassworks.config import Job, OptimizationConfig
from glassworks.data.interactions.keys import InteractionData

_GROUPS = 4


def write_synthetic(folder: Path, *, users: int, items: int, seed: int) -> None:
    """`events.csv` and `items.csv`: a rating of 5 for four of five items of the user's own kind, else of 2."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    kind = np.arange(items) % _GROUPS
    lines = ["who,what,when,stars"]
    for user in range(users):
        own, other = (np.flatnonzero(kind == user % _GROUPS), np.flatnonzero(kind != user % _GROUPS))
        met = [*generator.choice(own, 12, replace=False).tolist(), *generator.choice(other, 3, replace=False).tolist()]
        for item in generator.permutation(met).tolist():
            stars = 5 if kind[item] == user % _GROUPS else 2
            lines.append(f"u{user:03},{item},{int(generator.integers(0, 10_000))},{stars}")
    (folder / "events.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    names = ("garden", "music", "sports", "travel")
    rows = [f"{item},{names[kind[item]]},{item}.5,Thing {item}" for item in range(items)]
    (folder / "items.csv").write_text("\n".join(["what,kind,price,title", *rows]) + "\n", encoding="utf-8")


def tiny_job(family: str, folder: Path, model: dict[str, Any]) -> Job:
    """A job that is done in seconds."""
    write_synthetic(folder, users=80, items=96, seed=0)
    return Job(
        name=f"tiny-{family.replace('_', '-')}",
        family=family,
        data=InteractionData(
            source=f"csv:{folder / 'events.csv'}",
            user="who",
            item="what",
            time="when",
            weight="stars",
            positive=4,
            items=f"csv:{folder / 'items.csv'}",
            categories=("kind",),
            numbers=("price",),
            title="title",
            test=0.3,
        ),
        model=model,
        optimization=OptimizationConfig(batch_sizes=(1, 4)),
    )
