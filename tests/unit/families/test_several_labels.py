"""Pictures with several labels, or none, through the whole flow: found, explained each on its own shape, exported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from glassworks.catalog import get
from glassworks.cli.answers import file_row
from glassworks.config import DataConfig, Job, OptimizationConfig, TrainingConfig
from glassworks.contracts import Exporter, Family, Pictures, Task
from glassworks.errors import DataError, Unsupported
from glassworks.families.convnet.novelty import fit_novelty
from glassworks.families.convnet.synthetic import SHAPES, Box, write_shapes
from glassworks.families.few_shot import FewShot
from glassworks.flow import Release, evaluate, release
from glassworks.packaging.frames import Watcher
from glassworks.packaging.opened import OpenedBundle
from glassworks.progress import Silent
from glassworks.registry import Registry

SIDE = 32
Boxes = dict[str, dict[str, Box]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("several")


@pytest.fixture(scope="module")
def boxes(home: Path) -> Boxes:
    write_shapes(home / "learned", examples=320, side=SIDE, seed=0)
    return write_shapes(home / "other", examples=60, side=SIDE, seed=9)


@pytest.fixture(scope="module")
def registry(home: Path) -> Registry:
    return Registry.open({"GLASSWORKS_HOME": str(home / "home")})


@pytest.fixture(scope="module")
def made(home: Path, boxes: Boxes, registry: Registry) -> Release:
    job = Job(
        name="shapes",
        family="convnet",
        data=DataConfig(source=f"folder:{home / 'learned'}"),
        model={"novelty": 0.9},
        training=TrainingConfig(epochs=10, batch_size=32, precision="fp32", class_weights="balanced"),
        optimization=OptimizationConfig(budget=1.0),
    )
    return release(job, registry, Silent())


@pytest.fixture(scope="module")
def opened(made: Release) -> OpenedBundle:
    return OpenedBundle(made.bundle)


def test_each_label_is_found_by_itself(made: Release, opened: OpenedBundle, home: Path, boxes: Boxes) -> None:
    metrics = made.bundle.manifest.metrics
    f1 = {"micro_f1", "macro_f1"}
    assert {"accuracy", "balanced_accuracy", *f1, "exact_match", "log_loss", "calibration_error"} == metrics.keys()
    assert not made.bundle.manifest.warnings
    assert "most frequent labels" in made.bundle.manifest.comparison
    for name in ("accuracy", "balanced_accuracy", "micro_f1", "macro_f1", "exact_match"):
        low, high = metrics[name].interval
        assert 0.75 < low <= metrics[name].value <= high <= 1, name
    thresholds = np.array(made.bundle.manifest.preprocessing["thresholds"], np.float32)
    assert len(thresholds) == len(SHAPES)
    right = 0
    for name, own in boxes.items():
        x = opened.read((home / "other" / name).read_bytes())
        outputs = opened.predict(x)
        (answer,) = opened.task.answer(outputs, opened.manifest.labels)
        assert outputs["label_set"].dtype == np.bool_
        told = [label for label, _ in answer["labels"]]
        over = np.asarray(outputs["probabilities"])[0] >= thresholds
        assert sorted(told) == [label for label, each in zip(opened.manifest.labels, over, strict=True) if each]
        shares = [share for _, share in answer["labels"]]
        assert shares == sorted(shares, reverse=True)
        right += set(told) == own.keys()
    assert right >= 0.95 * len(boxes)


def test_the_explanation_of_a_label_lies_on_its_own_shape(opened: OpenedBundle, home: Path, boxes: Boxes) -> None:
    """Of the shapes in a picture, what speaks for a label lies on its own. Occlusion looks at probabilities, which
    hardly change where they are close to 1."""
    crowded = [(name, own) for name, own in boxes.items() if len(own) >= 3][:5]
    for method, share in (("integrated_gradients", 0.9), ("grad_cam", 0.9), ("occlusion", 0.7)):
        right = total = 0
        for name, own in crowded:
            x = opened.read((home / "other" / name).read_bytes())
            for label in own:
                explanation = opened.explain(x, method=method, target=label, grade=False)
                values = explanation.attribution.values[0].sum(axis=0)
                means = {each: values[top:low, left:end].mean() for each, (top, left, low, end) in own.items()}
                right += max(means, key=means.__getitem__) == label
                total += 1
        assert right >= share * total >= share * 15, method


def test_another_source_is_measured_by_the_labels_that_are_told(
    made: Release, registry: Registry, opened: OpenedBundle, home: Path, boxes: Boxes
) -> None:
    examples, metrics, *_ = evaluate(made.version.reference, registry, source=f"folder:{home / 'other'}")
    assert examples == len(boxes)
    exact = 0
    for name, own in boxes.items():
        x = opened.read((home / "other" / name).read_bytes())
        (answer,) = opened.task.answer(opened.predict(x), opened.manifest.labels)
        exact += {label for label, _ in answer["labels"]} == own.keys()
    assert metrics["exact_match"].value == pytest.approx(exact / len(boxes))


def test_int8_is_guarded_by_the_f1_of_what_is_told(made: Release) -> None:
    report = made.report
    assert report is not None
    assert get(Task, "image-classification").guard(np.zeros((2, 3), np.int64)) == "micro_f1"
    smaller = [each for each in report.candidates if each.precision == "int8" and not each.excluded]
    assert smaller
    assert all(each.metrics["micro_f1"].value > 0.9 for each in smaller)
    assert "micro_f1_drop <= 0.5%" in json.dumps(report.model_dump(mode="json"))


def test_strange_pictures_are_told_and_familiar_ones_are_not(made: Release, opened: OpenedBundle) -> None:
    x = made.dataset.splits["test"].x
    strange = np.random.default_rng(0).integers(0, 256, x.shape, dtype=np.uint8)
    familiar, unlike = (
        np.mean([each["familiar"] for each in opened.task.answer(opened.predict(rows), opened.manifest.labels)])
        for rows in (x, strange)
    )
    assert familiar > 0.75
    assert unlike < 0.2


def test_a_set_of_labels_is_a_class_of_its_own_for_novelty(made: Release) -> None:
    import torch

    pixels = torch.from_numpy(made.dataset.splits["train"].x).permute(0, 3, 1, 2)
    targets = torch.from_numpy(made.dataset.splits["train"].y)
    network = made.model.network
    found = fit_novelty(network, (pixels, targets), pixels[:50], 0.9)
    sets, counts = np.unique(targets.numpy(), axis=0, return_counts=True)
    assert found.centers.shape[0] == int((counts >= 10).sum()) + bool((counts < 10).any())
    assert len(sets) > found.centers.shape[0] - 1
    scores = torch.tensor([[1.0, -2.0, 0.5, 3.0]])
    energy = found.raw(torch.zeros(1, found.whiten.shape[0]), scores)[0, 0]
    assert float(energy) == pytest.approx(-float(np.log1p(np.exp(scores.numpy())).sum()), abs=1e-5)


def test_clips_are_told_the_labels_that_most_frames_have(opened: OpenedBundle, home: Path, boxes: Boxes) -> None:
    names = [next(name for name, own in boxes.items() if own.keys() == each) for each in ({"disk"}, {"ring", "disk"})]
    frames = [np.asarray(Image.open(home / "other" / name)) for name in names]
    watcher = Watcher(opened)
    seen = [watcher.see(frames[place]) for place in (0, 1, 1)]
    told = [{label for label, _ in each.answer["labels"]} for each in seen]
    assert told == [{"disk"}, {"disk", "ring"}, {"disk", "ring"}]
    clip = watcher.clip or {}
    assert {label for label, _ in clip["labels"]} == {"disk", "ring"}
    one = Watcher(opened, smoothing=0.9)
    assert [{label for label, _ in one.see(frames[place]).answer["labels"]} for place in (0, 1)] == [{"disk"}] * 2


def test_a_picture_shows_a_band_for_each_label(opened: OpenedBundle) -> None:
    pixels = np.full((96, 128, 3), 200, np.uint8)
    assert isinstance(opened.task, Pictures)
    for count in range(4):
        labels = [[name, 0.9] for name in list(SHAPES)[:count]]
        shown = opened.task.show(pixels, {}, {"label": "disk", "probability": 0.4, "labels": labels})
        changed = (shown != pixels).any(axis=(1, 2))
        assert changed.sum() == (12 * count + 1 if count else 0)


def test_tables_show_all_labels_in_one_column() -> None:
    answer = {"label": "disk", "probability": 0.9, "top": [], "labels": [["disk", 0.9], ["ring", 0.754]]}
    task = get(Task, "image-classification")
    assert file_row(task, {"file": "a.png", **answer}) == {"file": "a.png", "labels": "disk 90%, ring 75%"}
    assert task.present({**answer, "labels": []}).title == "none"


def test_the_edge_folder_tells_the_same_labels(made: Release, opened: OpenedBundle, home: Path, tmp_path: Path) -> None:
    get(Exporter, "edge").export(made.bundle.folder, tmp_path / "edge")
    # The folder holds the fp32 graph, whichever is served.
    role = "reference" if "reference" in {each.role for each in opened.manifest.artifacts} else "predict"
    for number in range(3):
        picture = home / "other" / f"{number:04}.png"
        x = opened.task.encode(opened.read(picture.read_bytes()), opened.manifest.preprocessing)
        (wanted,) = opened.task.answer(opened.session(role).run(x), opened.manifest.labels)
        asked = [sys.executable, str(tmp_path / "edge" / "run.py"), "predict", str(picture)]
        found = json.loads(subprocess.run(asked, check=True, capture_output=True, cwd=tmp_path).stdout)
        # Engines differ in the last digits, and so in the order of labels that are as likely.
        assert dict(found["labels"]) == pytest.approx(dict(wanted["labels"]), abs=0.01)
        assert found["familiar"] == wanted["familiar"]


def test_the_onnx_folder_prints_the_same_labels(
    made: Release, opened: OpenedBundle, home: Path, tmp_path: Path
) -> None:
    get(Exporter, "onnx").export(made.bundle.folder, tmp_path / "onnx")
    block = (tmp_path / "onnx" / "README.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    picture = (home / "other" / "0001.png").read_bytes()
    (tmp_path / "onnx" / "picture.png").write_bytes(picture)
    ran = subprocess.run([sys.executable, "-c", block], check=True, capture_output=True, cwd=tmp_path / "onnx")
    (wanted,) = opened.task.answer(opened.predict(opened.read(picture)), opened.manifest.labels)
    printed = {line.split()[0] for line in ran.stdout.decode().splitlines()}
    assert printed == {label for label, _ in wanted["labels"]}
    outputs = onnxruntime.InferenceSession(tmp_path / "onnx" / "model.onnx").get_outputs()
    assert [each.name for each in outputs] == ["probabilities", "label_set", "novelty"]


def test_what_takes_one_label_says_so(home: Path, boxes: Boxes, made: Release) -> None:
    job = Job(
        name="few", family="few_shot", data=DataConfig(source=f"folder:{home / 'other'}"), model={"embedding": "x"}
    )

    class Sized:
        preprocessing = made.model.preprocessing

    with pytest.raises(Unsupported, match="few_shot gives one label a picture") as caught:
        FewShot(Sized()).prepare(job)  # type: ignore[arg-type]
    assert caught.value.mend == "learn them with a convnet"
    with pytest.raises(DataError, match="no examples to measure"):
        get(Task, "image-classification").evaluate(lambda name: np.zeros((0, 4)), np.zeros((0, 4), np.int64))


def test_a_variant_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="convnet has no variant 'none'") as caught:
        get(Family, "convnet").variant("none", tmp_path)
    assert caught.value.mend == "variants: several_labels"
