"""Quantities that are measured on demand: by an engine alone, by several callers, by explanations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from glassworks.catalog import get
from glassworks.config import OptimizationConfig
from glassworks.contracts import Artifact, Load, Opened, Probe, Quantity, Runtime, Task
from glassworks.errors import Unsupported
from glassworks.families.convnet.networks import Default, deployable
from glassworks.onnx_graphs.export import write_onnx
from glassworks.optimization.candidates import Trial
from glassworks.optimization.measure import predict_all
from glassworks.optimization.search import optimize
from glassworks.progress import Silent

if TYPE_CHECKING:
    from glassworks.contracts import Session


def network(folder: Path, seed: int) -> Opened:
    """An untrained network of ours as a graph."""
    torch.manual_seed(seed)
    graph = torch.nn.Sequential(deployable(Default(16, 16, 1, 4).eval()), torch.nn.Softmax(dim=1)).eval()
    name = f"{seed}.onnx"
    write_onnx(graph, (torch.zeros(2, 1, 16, 16),), folder / name, inputs=("image",), outputs=("probabilities",))
    artifact = Artifact(role="predict", format="onnx", file=name, runtime="onnxruntime")
    return Opened(artifact=artifact, folder=folder)


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> list[Opened]:
    folder = tmp_path_factory.mktemp("networks")
    return [network(folder, seed) for seed in range(2)]


IMAGES = {"image": np.random.default_rng(0).random((40, 1, 16, 16), dtype=np.float32)}


def probe(opened: Opened, reference: Session) -> Probe:
    return Probe(
        task=get(Task, "image-classification"),
        preprocessing={},
        opened=opened,
        session=get(Runtime, "onnxruntime").open(opened),
        reference=reference,
        tensors=IMAGES,
        load=Load(1),
        budget_s=2.0,
    )


def test_explanations_of_the_same_graph_agree_and_of_another_one_hardly(networks: list[Opened]) -> None:
    reference = get(Runtime, "onnxruntime").open(networks[0])
    same, other = (get(Quantity, "explanation_agreement").measure(probe(each, reference)) for each in networks)
    assert same is not None
    assert other is not None
    assert same.value == pytest.approx(1.0)
    assert same.examples == 32
    assert abs(other.value) < 0.5
    assert other.interval[0] < other.value < other.interval[1]


def test_memory_is_that_of_a_process_of_its_own(networks: list[Opened]) -> None:
    reference = get(Runtime, "onnxruntime").open(networks[0])
    memory = get(Quantity, "memory")
    found = memory.measure(probe(networks[0], reference))
    assert found is not None
    assert 20 < found.value < 1000  # an interpreter, numpy, an engine and 100 kB of weights
    absent = Opened(artifact=networks[0].artifact.model_copy(update={"file": "absent.onnx"}), folder=Path("/nowhere"))
    broken = Probe(**{**vars(probe(networks[0], reference)), "opened": absent})
    with pytest.raises(Unsupported, match=r"the memory of absent\.onnx cannot be measured"):
        memory.measure(broken)


def test_texts_survive_the_way_to_the_process() -> None:
    from glassworks.optimization.resident import _from_json, _to_json

    texts = np.array([["a", b"\xff"], ["", "é"]], object)
    found = _from_json(_to_json({"text": texts, "ids": np.arange(3)[None]}))
    assert found["text"].tolist() == texts.tolist()
    assert found["ids"].tolist() == [[0, 1, 2]]


def test_callers_at_the_same_time_and_further_quantities_are_in_the_report(networks: list[Opened]) -> None:
    session = get(Runtime, "onnxruntime").open(networks[0])
    trial = Trial(
        task=get(Task, "image-classification"),
        opened=Opened(artifact=networks[0].artifact.model_copy(update={"runtime": ""}), folder=networks[0].folder),
        preprocessing={},
        calibration=[{"image": IMAGES["image"][row : row + 1]} for row in range(10)],
        validation=IMAGES,
        targets=predict_all(session, IMAGES).argmax(axis=1),
    )
    within = ("latency_p99@1x4 <= 5s", "accuracy_drop <= 100%", "throughput@8x2 >= 1/s")
    config = OptimizationConfig(budget=0.5, maximize="throughput@1x4", within=within)
    _, report = optimize(trial, config, Silent())
    assert (report.minimize, report.maximize, report.within) == ("", "throughput@1x4", within)
    for each in report.candidates:
        if not each.excluded:
            assert each.measured.keys() == {"throughput@1x4", "latency_p99@1x4", "throughput@8x2"}
            assert all(found.value > 0 for found in each.measured.values())
