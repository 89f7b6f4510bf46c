"""How well a model of digits tells what is no digit: AUROC of energy and distance, and the coverage kept on digits.

    python benchmarks/novelty.py [seconds of training]

Strange pictures, 750 of each, all made without a download: uniform noise, the test digits inverted, patches of two
photographs in gray, capital letters drawn by Pillow's own font (turned, scaled and shifted). Nothing is fitted on them.
The smallest candidate is served, int8, and measured beside the fp32 graph that it was made of.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from report import publish
from sklearn.datasets import load_sample_images
from sklearn.metrics import roc_auc_score

from glassworks.data.intervals import wilson
from glassworks.flow import release
from glassworks.job_files import load_job
from glassworks.optimization.measure import predict_all
from glassworks.packaging.opened import OpenedBundle
from glassworks.registry import Registry

Pixels = NDArray[np.uint8]
COVERAGE = 0.95
JOB = Path(__file__).parents[1] / "examples" / "digits.toml"
LETTERS = "ABCDEFGHJKLMNPQRTUVWXYZ"  # without those that look like a digit: I, O, S


def main() -> None:
    """Train, then ask."""
    seconds = sys.argv[1] if len(sys.argv) > 1 else "30"
    settings = [f'training.budget="{seconds}s"', f"model.novelty={COVERAGE}", 'optimization.minimize="size"']
    result: dict[str, object] = {}
    rows: list[tuple[str, object, str]] = []
    with tempfile.TemporaryDirectory() as home:
        made = release(load_job(JOB, settings), Registry.open({"GLASSWORKS_HOME": home}))
        opened, x = OpenedBundle(made.bundle), made.dataset.splits["test"].x
        result["accuracy"] = made.bundle.manifest.metrics["accuracy"].value
        for role in ("reference", "predict"):
            precision = made.bundle.artifact(role).artifact.precision
            strange = {name: novelty(opened, role, pictures) for name, pictures in contrasts(x).items()}
            result[precision], told = judged(novelty(opened, role, x), strange, precision)
            rows += told
    publish("novelty", result, rows)


def judged(
    familiar: NDArray[np.float32], strange: dict[str, NDArray[np.float32]], precision: str
) -> tuple[dict[str, object], list[tuple[str, object, str]]]:
    """What one graph keeps of the familiar and tells of the strange."""
    kept, count = int((familiar.max(axis=1) <= 0).sum()), len(familiar)
    low, high = wilson(kept, count)
    shown = f"{kept / count:.3f} [{low:.3f}, {high:.3f}]"
    result: dict[str, object] = {"kept": kept, "test": count}
    rows: list[tuple[str, object, str]] = [
        (f"{precision}: test digits taken as familiar, of {count}", shown, f"{COVERAGE}")
    ]
    for name, found in strange.items():
        aurocs = [auroc(familiar[:, column], found[:, column]) for column in (0, 1)]
        told = float((found.max(axis=1) > 0).mean())
        result[name] = {"energy": aurocs[0], "distance": aurocs[1], "told": told}
        shown = f"{aurocs[0]:.3f} / {aurocs[1]:.3f}; told {told:.3f}"
        rows.append((f"{precision}: {name}", shown, "AUROC of energy / distance"))
    return result, rows


def novelty(opened: OpenedBundle, role: str, x: Pixels) -> NDArray[np.float32]:
    """Energy and distance (N 2), above 0 where unlike the learned."""
    tensors = opened.task.encode(x, opened.manifest.preprocessing)
    return np.asarray(predict_all(opened.session(role), tensors, "novelty"), np.float32)


def auroc(familiar: NDArray[np.float32], strange: NDArray[np.float32]) -> float:
    """The chance that a strange picture is above a familiar one."""
    truth = np.repeat([0, 1], [len(familiar), len(strange)])
    return float(roc_auc_score(truth, np.concatenate([familiar, strange])))


def contrasts(digits: Pixels) -> dict[str, Pixels]:
    """As many strange pictures of each kind as there are digits."""
    generator = np.random.default_rng(0)
    noise = generator.integers(0, 256, digits.shape, np.uint8)
    return {
        "noise": noise,
        "inverted digits": 255 - digits,
        "patches of photographs": patches(len(digits), generator),
        "letters": np.stack([letter(generator) for _ in digits]),
    }


def patches(count: int, generator: np.random.Generator) -> Pixels:
    """Gray patches of 28 x 28 of the two photographs."""
    photographs = [np.asarray(Image.fromarray(each).convert("L")) for each in load_sample_images().images]
    found = []
    for number in range(count):
        photograph = photographs[number % 2]
        row, column = (int(generator.integers(0, side - 28)) for side in photograph.shape)
        found.append(photograph[row : row + 28, column : column + 28, None])
    return np.stack(found)


def letter(generator: np.random.Generator) -> Pixels:
    """A capital letter, white on black, thick as a pen's stroke, framed like a digit."""
    image = Image.new("L", (28, 28))
    font = ImageFont.load_default(float(generator.uniform(20, 26)))
    place = (14 + int(generator.integers(-2, 3)), 14 + int(generator.integers(-2, 3)))
    text = LETTERS[int(generator.integers(len(LETTERS)))]
    ImageDraw.Draw(image).text(place, text, fill=255, font=font, anchor="mm", stroke_width=1)
    return np.asarray(image.rotate(float(generator.uniform(-15, 15)), Image.Resampling.BILINEAR))[:, :, None]


if __name__ == "__main__":
    main()
