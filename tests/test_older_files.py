"""What earlier versions wrote still opens: bundles, job files and a registry, see tests/older/README.md."""

from __future__ import annotations

import base64
import json
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from glassworks import flow
from glassworks.catalog import found
from glassworks.cli.app import app
from glassworks.contracts import Family, Task
from glassworks.job_files import load_job
from glassworks.packaging.archive import unpack_bundle
from glassworks.packaging.opened import OpenedBundle
from glassworks.registry import Registry
from glassworks.serving.access.clock import Clock
from glassworks.serving.access.keys import KeyStore
from glassworks.serving.access.ledger import Ledger

HERE = Path(__file__).with_name("older")
TASKS = ("image-classification", "image-to-image", "recommendation", "text-classification", "text-embedding")
TOLERANCE = 1e-4
"""Other processors add in another order."""


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files, unpacked."""
    folder = tmp_path_factory.mktemp("older")
    with tarfile.open(HERE / "files.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "older"


@pytest.fixture
def home(older: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the registry, named by GLASSWORKS_HOME; the folder to work in is empty."""
    shutil.copytree(older / "home", tmp_path / "home")
    monkeypatch.setenv("GLASSWORKS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture(scope="module")
def recorded(older: Path) -> Mapping[str, Any]:
    """What was answered then, by task."""
    answers: dict[str, Any] = json.loads((older / "answers.json").read_text(encoding="utf-8"))
    return answers


@pytest.mark.parametrize("task", TASKS)
def test_a_bundle_of_before_answers_and_explains_as_then(
    task: str, older: Path, recorded: Mapping[str, Any], tmp_path: Path
) -> None:
    then = recorded[task]
    bundle = str(older / f"{task}.glass")
    registry = Registry.open({"GLASSWORKS_HOME": str(tmp_path)})
    value = base64.b64decode(then["input"])
    _assert_alike(_plain(flow.predict(bundle, value, registry)), then["answer"])
    explanation, _ = flow.explain(bundle, value, registry, method=then["method"], seed=1)
    np.testing.assert_allclose(explanation.attribution.values, then["values"], rtol=TOLERANCE, atol=TOLERANCE)
    manifest = registry.resolve(bundle).bundle.manifest
    assert (manifest.task, manifest.family) == (task, then["family"])


@pytest.mark.parametrize("task", TASKS)
def test_its_samples_are_answered_as_then(task: str, older: Path, tmp_path: Path) -> None:
    bundle = unpack_bundle(older / f"{task}.glass", tmp_path / "bundle")
    opened = OpenedBundle(bundle)
    samples = json.loads((bundle.folder / "samples.json").read_text(encoding="utf-8"))
    assert samples
    for sample in samples:
        given = {tensor["name"]: _array(tensor) for tensor in sample["inputs"]}
        outputs = opened.session("predict").run(given)
        for tensor in sample["outputs"]:
            _assert_alike(_plain(outputs[tensor["name"]]), _plain(_array(tensor)))


@pytest.mark.usefixtures("home")
def test_models_of_before_are_shown(recorded: Mapping[str, Any]) -> None:
    for task in TASKS:
        shown = CliRunner().invoke(app, ["show", recorded[task]["model"], "--json"])
        assert shown.exit_code == 0, shown.output
        assert json.loads(shown.stdout)["manifest"]["task"] == task


@pytest.mark.usefixtures("home")
def test_aliases_and_lineage_of_before_are_resolved() -> None:
    registry = Registry.open()
    assert len(registry.models()) == len(TASKS)
    assert registry.resolve("tiny-operators").version == 1
    assert registry.resolve("tiny-operators@champion").version == 1
    assert [each.version for each in registry.lineage("tiny-operators", 2)] == [2, 1]
    assert registry.resolve("tiny-operators@2").bundle.manifest.lineage.parent == "tiny-operators@1"


def test_a_lost_database_comes_back_from_records_of_before(home: Path) -> None:
    (home / "registry.db").unlink()
    assert Registry.open().resolve("tiny-operators").version == 1


def test_a_key_and_a_ledger_of_before_are_read(home: Path, recorded: Mapping[str, Any]) -> None:
    then = recorded["access"]
    key = KeyStore(home, Clock()).find(then["secret"].encode())
    assert key is not None
    assert (key.name, key.models) == ("shop", ("tiny-convnet",))
    (total,) = Ledger(home, Clock()).totals()
    assert (total.rows, total.model) == (then["rows"], "tiny-convnet")


@pytest.mark.usefixtures("home")
def test_feedback_of_before_is_read() -> None:
    repeated = {"id": "e1", "user": "u001", "item": 3}
    assert flow.feedback("tiny-collaborative", [repeated]) == {"accepted": 0, "repeated": 1}


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("task", TASKS)
def test_the_job_of_a_bundle_of_before_prepares_the_same_data(task: str, recorded: Mapping[str, Any]) -> None:
    """Its `[data]` has the keys of all modalities; the tiny data are written where the job looks for them."""
    name = recorded[task]["family"]
    found(Family)[name].tiny(Path("data") / name)
    examples, metrics, *_ = flow.evaluate(recorded[task]["model"])
    assert examples > 0
    registry = Registry.open()
    then = registry.resolve(recorded[task]["model"]).bundle.manifest
    metric = found(Task)[task].metric
    assert metrics[metric].value == pytest.approx(then.metrics[metric].value, abs=0.02)


@pytest.mark.usefixtures("home")
def test_a_model_of_before_is_optimized_again() -> None:
    found(Family)["image_operators"].tiny(Path("data/image_operators"))
    report, version = flow.optimize("tiny-operators@1", {"minimize": "size", "budget": 1.0})
    assert report.chosen
    assert version.reference == "tiny-operators@3"


JOBS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("pictures", {"source": "npz:{}/data/bars.npz", "hosts": ("pictures.example:8000",), "per_class": 40, "seed": 3}),
    ("texts", {"source": "csv:{}/data/texts.csv", "unlabeled": "jsonl:{}/data/more.jsonl", "separator": "|"}),
    ("interactions", {"source": "csv:{}/data/events.csv", "items": "csv:{}/data/items.csv", "positive": 4}),
)


@pytest.mark.parametrize(("modality", "expected"), JOBS)
def test_a_job_file_of_before_is_read(
    modality: str, expected: Mapping[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    job = load_job(HERE / f"{modality}.toml")
    for key, value in expected.items():
        assert getattr(job.data, key) == (value.format(HERE) if isinstance(value, str) else value)
    assert capsys.readouterr().err == ""


def _array(tensor: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    kind: Any = {"FP32": np.float32, "BYTES": object}.get(tensor["datatype"]) or tensor["datatype"].lower()
    data = [value.encode() if isinstance(value, str) else value for value in tensor["data"]]
    return np.array(data, kind).reshape(tensor["shape"])


def _plain(value: Any) -> Any:
    return json.loads(
        json.dumps(value, default=lambda each: each.decode() if isinstance(each, bytes) else each.tolist())
    )


def _assert_alike(now: Any, then: Any) -> None:
    """Equal, but for the last digits of numbers."""
    if isinstance(then, Mapping):
        assert now.keys() == then.keys()
        for key, value in then.items():
            _assert_alike(now[key], value)
    elif isinstance(then, list):
        assert len(now) == len(then)
        for one, other in zip(now, then, strict=True):
            _assert_alike(one, other)
    elif isinstance(then, float):
        assert now == pytest.approx(then, rel=TOLERANCE, abs=TOLERANCE)
    elif isinstance(then, str) and then.startswith("{"):
        _assert_alike(json.loads(now), json.loads(then))
    else:
        assert now == then
