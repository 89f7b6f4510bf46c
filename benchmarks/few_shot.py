"""Five digits told apart from few pictures each, upon a model that learned the other five.

    python benchmarks/few_shot.py [seeds]

`sample:mnist-5k` is halved by its classes; a convnet learns one half (0 to 4, then 5 to 9) with its default recipe. Of
the other half 1, 5 or 20 pictures a class are kept to learn from and as many to validate with; all test pictures stay.
Beside it: the same method on bare pixels, and a convnet that learns from the few pictures alone.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from report import interval, publish

from glassworks.config import DataConfig, Job, OptimizationConfig
from glassworks.data.reader import read_pictures
from glassworks.flow import release
from glassworks.registry import Registry

SHOTS = (1, 5, 20)
HALVES = (("0", "1", "2", "3", "4"), ("5", "6", "7", "8", "9"))
PLAIN = OptimizationConfig(enabled=False)


def main() -> None:
    """Both halves in turn, each with several splits."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    found: dict[tuple[int, str], list[float]] = {}
    tests: set[int] = set()
    with tempfile.TemporaryDirectory() as home:
        registry = Registry.open({"GLASSWORKS_HOME": home})
        files = [write_half(Path(home), half) for half in HALVES]
        for learned, few in ((0, 1), (1, 0)):
            below = job(f"half-{learned}", files[learned], 0, {"embed": True})
            release(below, registry)
            for seed in range(seeds):
                for shots in SHOTS:
                    for name, (accuracy, examples) in measured(registry, files[few], below.name, shots, seed).items():
                        found.setdefault((shots, name), []).append(accuracy)
                        tests.add(examples)
    rows: list[tuple[str, object, str]] = []
    for (shots, name), values in found.items():
        rows.append(
            (
                f"{shots} a class, {name}",
                interval(values),
                f"{len(values)} runs, {min(tests)} to {max(tests)} test pictures each",
            )
        )
    for shots in SHOTS:
        own, rivals = (np.array(found[shots, "few_shot"]), [np.array(found[shots, n]) for n in ("pixels", "convnet")])
        gains = ", ".join(shown((own - rival).tolist()) for rival in rivals)
        rows.append((f"{shots} a class, few_shot less pixels, less convnet", gains, "paired by run"))
    publish("few_shot", {f"{shots} {name}": values for (shots, name), values in found.items()}, rows)


def measured(registry: Registry, source: str, below: str, shots: int, seed: int) -> dict[str, tuple[float, int]]:
    """Test accuracy and test pictures of each way, on the same pictures."""
    made = release(job("few", source, seed, {"embedding": below}, "few_shot", shots), registry, fresh=True)
    alone = release(job("alone", source, seed, {}, "convnet", shots), registry, fresh=True)
    accuracy = made.bundle.manifest.metrics["accuracy"]
    pixels = next(metrics for name, metrics in made.model.comparison.items() if "pixels" in name)["accuracy"]
    rival = alone.bundle.manifest.metrics["accuracy"]
    return {
        "few_shot": (accuracy.value, accuracy.examples),
        "pixels": (pixels.value, pixels.examples),
        "convnet": (rival.value, rival.examples),
    }


def job(
    name: str, source: str, seed: int, model: dict[str, object], family: str = "convnet", shots: int | None = None
) -> Job:
    """All else stays as it is by default; nothing is compressed."""
    data = DataConfig(source=source, seed=seed, per_class=shots)
    return Job(name=name, family=family, data=data, model=model, optimization=PLAIN)


def write_half(folder: Path, classes: tuple[str, ...]) -> str:
    """The pictures of some classes as an npz file."""
    pictures = read_pictures("sample:mnist-5k")
    names: NDArray[np.str_] = np.array(pictures.classes)[pictures.labels]
    rows = np.flatnonzero(np.isin(names, classes))
    file = folder / f"{classes[0]}.npz"
    np.savez(file, x=np.stack([np.asarray(pictures.pictures[row]).reshape(28, 28) for row in rows]), y=names[rows])
    return f"npz:{file}"


def shown(values: list[float]) -> str:
    """Mean in percent, with Student's interval over the runs."""
    mean, low, high = interval([100 * value for value in values])
    return f"{mean:.1f} [{low:.1f}, {high:.1f}]"


if __name__ == "__main__":
    main()
