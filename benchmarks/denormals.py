"""Subnormals: what it saves to take them as 0, by engine, precision and batch; whether answers keep their bits.

    python benchmarks/denormals.py [--budget 10]

The digits of examples/digits.toml after two epochs, and a small recurrent network on planted texts. Each session takes
turns with the same one that keeps subnormals; `served` says what the product does.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import timeit
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest import mock

import numpy as np
from report import publish

from glassworks.catalog import get
from glassworks.config import DataConfig, Job, OptimizationConfig, TrainingConfig
from glassworks.contracts import Artifact, Opened, Pass, Runtime, Session
from glassworks.data.text.synthetic import write_synthetic
from glassworks.errors import GlassworksError
from glassworks.flow import Release, train
from glassworks.job_files import load_job
from glassworks.optimization.measure import measure_latencies
from glassworks.optimization.search import calibrating
from glassworks.registry import Registry
from glassworks.runtimes import open_session
from glassworks.runtimes._flushing import Flushing

DIGITS = Path(__file__).parents[1] / "examples" / "digits.toml"
BATCHES = (1, 32)
PASSES = {"digits": ("int8", "bf16"), "texts": ("int8_recurrent",)}
KEPT = "glassworks.runtimes.openvino_runtime.Flushing"


class Within(Session):
    """A session that is asked while subnormals are 0: for engines that the product asks without that."""

    def __init__(self, session: Session) -> None:
        self._session, self._flushing = session, Flushing()
        self.signature = session.signature

    def run(self, tensors, outputs=None):  # type: ignore[no-untyped-def]
        with self._flushing:
            return self._session.run(tensors, outputs)


def processor() -> str:
    """Its name, as Linux tells it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def trained(home: Path) -> dict[str, Release]:
    """Digits and texts."""
    registry = Registry.open({"GLASSWORKS_HOME": str(home / "home")})
    write_synthetic(home / "texts.csv", 400, 0)
    texts = Job(
        name="texts",
        family="recurrent_text",
        data=DataConfig(source=f"csv:{home / 'texts.csv'}"),
        training=TrainingConfig(epochs=3),
        optimization=OptimizationConfig(enabled=False),
    )
    return {"digits": train(load_job(DIGITS, ["training.epochs=2"]), registry), "texts": train(texts, registry)}


def artifacts(made: Release, names: Sequence[str], folder: Path) -> Iterator[Artifact]:
    """The model as it was trained, and in other precisions."""
    manifest = made.bundle.manifest
    plain = next(each for each in manifest.artifacts if each.role == "predict").model_copy(update={"runtime": ""})
    for file in made.bundle.folder.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    opened, task = Opened(artifact=plain, folder=folder), get_task(made)
    rows = task.calibration(calibrating(made.dataset.splits["train"].x), opened, manifest.preprocessing)
    yield plain
    for name in names:
        with contextlib.suppress(GlassworksError):
            yield get(Pass, name).apply(opened, rows)


def get_task(made: Release):  # type: ignore[no-untyped-def]
    """Of the model."""
    from glassworks.contracts import Task

    return get(Task, made.bundle.manifest.task)


def pair(made: Release, artifact: Artifact, runtime: str, folder: Path) -> dict[str, Session]:
    """The same session that keeps subnormals, and that takes them as 0."""
    chosen = Opened(artifact=artifact.model_copy(update={"runtime": runtime, "threads": 1}), folder=folder)
    how, task = made.bundle.manifest.preprocessing, get_task(made)
    some = task.encode(made.dataset.splits["test"].x[:1], how)
    with mock.patch(KEPT, contextlib.nullcontext):
        kept = open_session(task, chosen, how, limited=False)
        kept.run(some)  # what a thread needs is made at its first call
    flushed = open_session(task, chosen, how, limited=False)
    return {"kept": kept, "as 0": flushed if runtime == "openvino" else Within(flushed)}


def same_bits(sessions: dict[str, Session], tensors: dict[str, np.ndarray]) -> bool:
    """Of all outputs for all rows, in batches of 32."""
    rows = len(next(iter(tensors.values())))
    for begin in range(0, rows, 32):
        some = {name: values[begin : begin + 32] for name, values in tensors.items()}
        kept, flushed = (session.run(some) for session in sessions.values())
        if any(kept[name].tobytes() != flushed[name].tobytes() for name in kept if kept[name].dtype != object):
            return False
    return True


def measure(made: dict[str, Release], home: Path, budget_s: float) -> list[dict[str, object]]:
    """A row a model, precision, engine and batch."""
    rows: list[dict[str, object]] = []
    for name, release in made.items():
        folder = home / f"files-{name}"
        folder.mkdir()
        for artifact in artifacts(release, PASSES[name], folder):
            for runtime in ("openvino", "onnxruntime"):
                if get(Runtime, runtime).precisions[artifact.precision] or artifact.runtime not in ("", runtime):
                    continue
                try:
                    sessions = pair(release, artifact, runtime, folder)
                except GlassworksError:
                    continue
                test = get_task(release).encode(release.dataset.splits["test"].x, release.bundle.manifest.preprocessing)
                same = same_bits(sessions, test)
                for batch in BATCHES:
                    taken = measure_latencies(sessions, test, batch, budget_s)
                    row = {"model": name, "engine": runtime, "precision": artifact.precision, "batch": batch}
                    times = {kind: found[0] for kind, found in taken.items()}
                    rows.append({**row, "p50_ms": times, "same_bits": same, "served": runtime == "openvino"})
    return rows


def sent(made: Release, home: Path, budget_s: float) -> dict[str, float]:
    """p50 in milliseconds of digits in fp32 at batch 32, for pictures whose pixels are all subnormal."""
    folder = home / "files-digits"
    plain = next(each for each in made.bundle.manifest.artifacts if each.role == "predict")
    sessions = pair(made, plain, "openvino", folder)
    shape = (32, *(size for size in made.model.signature.inputs[0].shape[1:]))
    tensors = {made.model.signature.inputs[0].name: np.full(shape, 1e-39, np.float32)}
    return {kind: found[0] for kind, found in measure_latencies(sessions, tensors, 32, budget_s).items()}


def cost_ns() -> float:
    """Of setting the mode and putting it back."""
    flushing = Flushing()

    def once() -> None:
        with flushing:
            pass

    return 1e9 * min(timeit.repeat(once, number=200, repeat=500)) / 200


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--budget", type=float, default=10.0, help="seconds a row")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        made = trained(home)
        rows = measure(made, home, options.budget)
        subnormal = sent(made["digits"], home, options.budget)
    cost = cost_ns()
    publish(
        "denormals",
        {"processor": processor(), "rows": rows, "subnormal_pictures": subnormal, "cost_ns": cost},
        [
            ("processor", processor(), ""),
            ("setting the mode and putting it back, ns", f"{cost:.0f}", "<= 1000"),
            (
                "digits fp32 openvino, batch 32, pictures of subnormals: kept / as 0, p50 ms",
                f"{subnormal['kept']:.3f} / {subnormal['as 0']:.3f}",
                "",
            ),
            *(
                (
                    f"{row['model']} {row['precision']} {row['engine']}, batch {row['batch']}: kept / as 0, p50 ms",
                    f"{row['p50_ms']['kept']:.3f} / {row['p50_ms']['as 0']:.3f}",
                    f"{'the same bits' if row['same_bits'] else 'OTHER BITS'}{', served so' if row['served'] else ''}",
                )
                for row in rows
            ),
        ],
    )
