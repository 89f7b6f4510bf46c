"""Recipe `default` against the textbook recipe `classic`, and the loop against the same steps by hand.

    python benchmarks/training.py [SEEDS]

Each seed is another split and another start. Every figure is taken in one run, the recipes taking turns.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from report import interval, publish
from torch import Tensor

from glassworks.catalog import get
from glassworks.config import DataConfig, Job, TrainingConfig
from glassworks.contracts import Dataset, Family
from glassworks.families.convnet.deciding import averaged, view_scores
from glassworks.families.convnet.recipes import RECIPES, Shape
from glassworks.progress import Silent
from glassworks.training.loop import fit
from glassworks.training.plan import Learner, Plan, constant, usable_cpus

SHORT_EPOCHS = 2
OVERHEAD_EPOCHS, OVERHEAD_ROUNDS = 3, 9


def job(recipe: str, seed: int, epochs: int | None = None) -> Job:
    """Digits with that recipe; the seed is that of the split and of the training."""
    return Job(
        name="digits",
        family="convnet",
        data=DataConfig(source="sample:mnist-5k", seed=seed),
        training=TrainingConfig(recipe=recipe, seed=seed, epochs=epochs),
    )


def run(recipe: str, seed: int, dataset: Dataset, epochs: int | None = None) -> tuple[float, float]:
    """(seconds of the whole training stage, error on the test split)."""
    test = dataset.splits["test"]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "run"
        place.mkdir()
        model = get(Family, "convnet").train(dataset, job(recipe, seed, epochs), place, Silent())
    pixels = torch.from_numpy(test.x).permute(0, 3, 1, 2)
    scores = view_scores(model.network, pixels, model.network.views)
    answers = averaged(scores, model.network.temperature, multi_label=False).argmax(axis=1)
    return model.seconds, float((answers != test.y).mean())


def recipes(seeds: int) -> dict[str, object]:
    """Times and errors of classic, of default cut short, and of default."""
    kinds = {"classic": ("classic", None), "default, 2 epochs": ("default", SHORT_EPOCHS), "default": ("default", None)}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
    warm = get(Family, "convnet").prepare(job("classic", 99))
    for recipe, _ in kinds.values():
        run(recipe, 99, warm, 1)
    for seed in range(seeds):
        dataset = get(Family, "convnet").prepare(job("classic", seed))
        for name, (recipe, epochs) in kinds.items():
            found[name].append(run(recipe, seed, dataset, epochs))
    classic, short, full = found.values()
    wall = [s[0] / c[0] for s, c in zip(short, classic, strict=True)]
    kept = [s[1] <= c[1] for s, c in zip(short, classic, strict=True)]
    ratio = statistics.mean(e for _, e in full) / statistics.mean(e for _, e in classic)
    return {
        "runs": {name: [{"seconds": s, "test_error": e} for s, e in rows] for name, rows in found.items()},
        "test_error_mean_interval": {name: interval([e for _, e in rows]) for name, rows in found.items()},
        "seconds_median": {name: statistics.median(s for s, _ in rows) for name, rows in found.items()},
        "short_wall_over_classic": wall,
        "short_wall_over_classic_median": statistics.median(wall),
        "short_reaches_classic_accuracy": kept,
        "default_error_over_classic": ratio,
        "default_error_over_classic_by_seed": [f[1] / c[1] for f, c in zip(full, classic, strict=True)],
        "test_examples": 750,
    }


def _learner(pixels: Tensor, targets: Tensor, evaluate: Callable[[], Mapping[str, float]]) -> Learner:
    recipe = RECIPES["classic"]
    torch.manual_seed(0)
    network = recipe.build(Shape(28, 28, 1, 10), None)

    def loss(indices: Tensor) -> Tensor:
        scores = network(pixels[indices].float().div_(255))
        return torch.nn.functional.cross_entropy(scores, targets[indices])

    return Learner(
        network=network,
        optimizers=recipe.optimizers(network, 1e-3),
        examples=len(targets),
        loss=loss,
        evaluate=evaluate,
    )


def overhead() -> dict[str, float]:
    """The loop (progress, sampling, checks, logging) over a plain loop of the same steps; medians of rounds in turn."""
    train = get(Family, "convnet").prepare(job("classic", 0)).splits["train"]
    pixels, targets = torch.from_numpy(train.x).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(train.y)
    torch.set_num_threads(usable_cpus())
    ours, hand = [], []
    for _ in range(OVERHEAD_ROUNDS):
        learner = _learner(pixels, targets, dict)
        plan = Plan(
            epochs=OVERHEAD_EPOCHS, batch_size=32, schedule=constant, seed=0, metric="accuracy", drop_last=False
        )
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            fit(learner, plan, Path(folder), Silent())
            ours.append(time.perf_counter() - start)
        learner = _learner(pixels, targets, dict)
        (optimizer,) = learner.optimizers
        start = time.perf_counter()
        learner.network.train()
        for _ in range(OVERHEAD_EPOCHS):
            for indices in torch.randperm(len(targets)).split(32):
                optimizer.zero_grad(set_to_none=True)
                learner.loss(indices).backward()
                optimizer.step()
        hand.append(time.perf_counter() - start)
    ratios = sorted(a / b - 1 for a, b in zip(ours, hand, strict=True))
    return {"loop_overhead_median": statistics.median(ratios), "lowest": ratios[0], "highest": ratios[-1]}


if __name__ == "__main__":
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    torch.set_num_threads(usable_cpus())
    result = {**recipes(seeds), **overhead()}
    mean, low, high = result["test_error_mean_interval"]["default"]  # type: ignore[index]
    publish(
        "training",
        result,
        [
            (
                "default, 2 epochs: wall time over classic's (median)",
                result["short_wall_over_classic_median"],
                "<= 0.25",
            ),
            (
                "default, 2 epochs: reaches classic's test accuracy",
                f"{sum(result['short_reaches_classic_accuracy'])} of {seeds} seeds",
                "all",
            ),  # type: ignore[arg-type]
            ("default: test error over classic's (means)", result["default_error_over_classic"], "<= 0.60"),
            ("default: test error, mean [95 %]", f"{mean:.4f} [{low:.4f}, {high:.4f}]", ""),
            ("loop over the same steps by hand (median)", result["loop_overhead_median"], "<= 0.03"),
        ],
    )
