"""The search on a real graph: candidates, exclusions with reasons, the choice and its notes."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from glassworks.catalog import found, get
from glassworks.config import OptimizationConfig
from glassworks.contracts import Artifact, Candidate, Measurement, Opened, Pass, Progress, Runtime, Session, Task
from glassworks.errors import Unsupported
from glassworks.families.convnet.networks import Default, deployable
from glassworks.onnx_graphs.export import write_onnx
from glassworks.optimization.choice import choose
from glassworks.optimization.measure import measure_latencies, predict_all
from glassworks.optimization.objective import parse_objective
from glassworks.optimization.search import Trial, calibrating, optimize
from glassworks.progress import Silent
from glassworks.runtimes import open_session

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """An untrained network of ours, on random pictures labelled with its own answers: fp32 is always right."""
    folder = tmp_path_factory.mktemp("search")
    torch.manual_seed(0)
    network = deployable(Default(16, 16, 1, 4).eval())
    graph = torch.nn.Sequential(network, torch.nn.Softmax(dim=1)).eval()
    write_onnx(
        graph, (torch.zeros(2, 1, 16, 16),), folder / "predict.onnx", inputs=("image",), outputs=("probabilities",)
    )
    opened = Opened(artifact=Artifact(role="predict", format="onnx", file="predict.onnx"), folder=folder)
    images = np.random.default_rng(0).random((200, 1, 16, 16), dtype=np.float32)
    session = get(Runtime, "onnxruntime").open(opened)
    targets = predict_all(session, {"image": images}).argmax(axis=1)
    return Trial(
        task=get(Task, "image-classification"),
        opened=opened,
        preprocessing={},
        calibration=[{"image": images[row : row + 1]} for row in range(50)],
        validation={"image": images},
        targets=targets,
    )


class Heard(Progress):
    """Remembers what was reported."""

    def __init__(self) -> None:
        super().__init__()
        self.updates: list[dict[str, float | str]] = []

    def update(self, **values: float | str) -> None:
        super().update(**values)
        self.updates.append(values)


def test_each_candidate_is_reported_as_it_is_measured(trial: Trial) -> None:
    heard = Heard()
    _, report = optimize(trial, OptimizationConfig(budget=0.5, batch_sizes=(1, 8), within=()), heard)
    for candidate in (each for each in report.candidates if not each.excluded):
        said: dict[str, float | str] = {}
        for update in heard.updates:
            if update.get("candidate") == candidate.name:
                said |= update
        assert said == {
            "candidate": candidate.name,
            "engine": candidate.engine,
            "precision": candidate.precision,
            "size_bytes": candidate.size_bytes,
            **{name: each.value for name, each in candidate.metrics.items()},
            **{f"latency_p50@{batch}": ms for batch, ms in candidate.latency_p50_ms.items()},
            **{f"latency_p99@{batch}": ms for batch, ms in candidate.latency_p99_ms.items()},
        }


def test_a_model_that_counts_classes_alike_is_guarded_so(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassworks.optimization.candidates.found", lambda kind: {} if kind is Pass else found(kind))
    nothing_said = OptimizationConfig(budget=0.1)
    for balanced, metric in ((False, "accuracy"), (True, "balanced_accuracy")):
        _, report = optimize(replace(trial, balanced=balanced), nothing_said, Silent())
        assert report.within == (f"{metric}_drop <= 0.5%",)


def test_every_pass_in_every_runtime_is_measured_or_has_a_reason(trial: Trial) -> None:
    artifact, report = optimize(trial, OptimizationConfig(budget=1.0, within=("accuracy_drop <= 50%",)), Silent())
    # This network has no recurrent layer, and convolutions.
    impossible = {"int8_recurrent", "int8_weights", "int8_dynamic"}
    owned = {"int8 onnxruntime": "openvino", "int8_onnxruntime openvino": "onnxruntime"}
    passes = {name for name, each in found(Pass).items() if "onnx" in each.accepts and each.by_itself}
    runtimes = [name for name, each in found(Runtime).items() if "onnx" in each.accepts]
    names = [c.name for c in report.candidates]
    assert len(names) == len(set(names))
    assert set(names) == impossible | {
        f"{made} {runtime}" for made in {"fp32", *passes} - impossible for runtime in runtimes
    }
    for candidate in report.candidates:
        if candidate.excluded:
            allowed = ("no recurrent layer", "convolutions with ranges", "bfloat16")
            alone = owned.get(candidate.name)
            assert f"in {alone} alone" in candidate.excluded or any(each in candidate.excluded for each in allowed)
        else:
            assert candidate.name not in owned
            assert set(candidate.latency_p50_ms) == {1, 32}
            assert all(candidate.latency_p99_ms[b] >= candidate.latency_p50_ms[b] > 0 for b in (1, 32))
            assert candidate.size_bytes == (trial.opened.folder / _file(candidate)).stat().st_size
    fp32 = next(c for c in report.candidates if c.name == "fp32 onnxruntime")
    assert fp32.metrics["accuracy"].value == 1.0
    assert artifact.runtime in found(Runtime)
    assert report.reference.startswith("fp32 ")
    assert any("200 validation examples" in note for note in report.notes)


def _file(candidate: Candidate) -> str:
    made = candidate.name.split()[0]
    return "predict.onnx" if made in ("fp32", "bf16") else f"predict.{made}.onnx"


def test_ranges_come_from_all_labels_of_a_source_in_order() -> None:
    rows = np.repeat(np.arange(4), 600)
    found = calibrating(rows)
    assert len(found) == 300
    assert np.bincount(found, minlength=4).min() > 50
    assert np.array_equal(found, calibrating(rows))
    assert np.array_equal(calibrating(rows[:7]), rows[:7])


class Halved(Pass):
    """In fp32 too, and not what was trained: a graph whose answers are those of other pictures."""

    name, accepts, precision, exactness = "halved", frozenset({"onnx"}), "fp32", 24

    def apply(self, opened: Opened, calibration: Sequence[Tensors]) -> Artifact:
        import onnx

        graph = onnx.load(opened.path)
        (image,) = graph.graph.input
        nothing = onnx.helper.make_tensor("nothing", onnx.TensorProto.FLOAT, [], [0.0])
        graph.graph.initializer.append(nothing)
        for node in graph.graph.node:
            node.input[:] = ["dark" if name == image.name else name for name in node.input]
        graph.graph.node.insert(0, onnx.helper.make_node("Mul", [image.name, "nothing"], ["dark"]))
        onnx.save(graph, opened.folder / "halved.onnx")
        return opened.artifact.model_copy(update={"file": "halved.onnx"})


class Overwriting(Halved):
    """Does not keep to a file of its own."""

    name = "overwriting"

    def apply(self, opened: Opened, calibration: Sequence[Tensors]) -> Artifact:
        opened.path.write_bytes(opened.path.read_bytes() + b"\0")
        return opened.artifact


def with_passes(monkeypatch: pytest.MonkeyPatch, *more: Pass) -> None:
    passes = {**found(Pass), **{each.name: each for each in more}}
    monkeypatch.setattr(
        "glassworks.optimization.candidates.found", lambda kind: passes if kind is Pass else found(kind)
    )
    monkeypatch.setattr("glassworks.optimization.candidates.get", lambda kind, name: passes[name])


def test_a_further_pass_in_fp32_is_a_candidate_of_its_own(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured as what it is, and never what others are compared with."""
    with_passes(monkeypatch, Halved())
    artifact, report = optimize(trial, OptimizationConfig(budget=1.0, minimize="size"), Silent())
    names = [each.name for each in report.candidates]
    assert len(names) == len(set(names))
    for runtime in ("onnxruntime", "openvino"):
        trained, further = (report.candidate(f"{made} {runtime}") for made in ("fp32", "halved"))
        assert trained.metrics["accuracy"].value == 1.0 > further.metrics["accuracy"].value
        assert trained.size_bytes < further.size_bytes
        assert trained.latency_p50_ms != further.latency_p50_ms
    assert report.reference.startswith("fp32 ")
    assert artifact.made_by != "halved"


def test_a_pass_that_writes_over_a_file_is_refused(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copyfile(trial.opened.path, tmp_path / "predict.onnx")
    own = dataclasses.replace(trial, opened=dataclasses.replace(trial.opened, folder=tmp_path))
    with_passes(monkeypatch, Overwriting())
    with pytest.raises(Unsupported, match=r"'overwriting' wrote over predict\.onnx, which the export had made"):
        optimize(own, OptimizationConfig(budget=0.5), Silent())


class Failing(Session):
    """Opens, and cannot answer."""

    def __init__(self, one: Session, said: str) -> None:
        self.signature, self.said = one.signature, said

    def run(self, tensors: Tensors, outputs: Sequence[str] | None = None) -> dict[str, Array]:
        raise RuntimeError(self.said)


def failing(monkeypatch: pytest.MonkeyPatch, said: str, *runtimes: str) -> None:
    def opened(task: Task, one: Opened, *args: Any, **options: Any) -> Session:
        session = open_session(task, one, *args, **options)
        return Failing(session, said) if one.artifact.runtime in runtimes else session

    monkeypatch.setattr("glassworks.optimization.candidates.open_session", opened)


@pytest.mark.parametrize(
    ("said", "told"), [("no kernel for this\nand a second line", "no kernel for this"), ("", "RuntimeError")]
)
def test_an_engine_that_fails_is_left_out_with_its_reason(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, said: str, told: str
) -> None:
    failing(monkeypatch, said, "openvino")
    artifact, report = optimize(trial, OptimizationConfig(budget=0.5, within=()), Silent())
    assert artifact.runtime == "onnxruntime"
    left_out = {each.name: each.excluded for each in report.candidates if each.engine == "openvino"}
    assert left_out["fp32 openvino"] == left_out["int8 openvino"] == told


def test_without_an_engine_that_answers_the_reason_is_raised(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, "no kernel", *found(Runtime))
    with pytest.raises(RuntimeError, match="no kernel"):
        optimize(trial, OptimizationConfig(budget=0.5), Silent())


def test_int8_is_really_int8_and_smaller(trial: Trial) -> None:
    import onnx

    artifact = get(Pass, "int8").apply(trial.opened, trial.calibration)
    graph = onnx.load(trial.opened.folder / artifact.file).graph
    integers = [t for t in graph.initializer if t.data_type in (onnx.TensorProto.INT8, onnx.TensorProto.UINT8)]
    assert (
        sum(int(np.prod(t.dims)) for t in integers) > 0.9 * sum(int(np.prod(t.dims)) for t in graph.initializer) * 0.9
    )
    sizes = [(trial.opened.folder / file).stat().st_size for file in ("predict.onnx", artifact.file)]
    assert sizes[1] < 0.5 * sizes[0]


def measured(name: str, precision: str, p99: float, accuracy: float) -> Candidate:
    """A candidate with these figures."""
    return Candidate(
        name=name,
        engine="e",
        precision=precision,
        latency_p50_ms={1: p99, 32: p99 * 10},
        latency_p99_ms={1: p99, 32: p99 * 10},
        size_bytes=10,
        metrics={"accuracy": Measurement(value=accuracy, interval=(0, 1), examples=100)},
    )


OBJECTIVE = parse_objective("latency_p99", ["accuracy_drop <= 0.5%"])
FP32 = measured("fp32 e", "fp32", 1.0, 0.95)


def test_the_quickest_that_keeps_the_constraints_wins_and_losses_are_told() -> None:
    quick, wrong = measured("bf16 e", "bf16", 0.5, 0.947), measured("int8 e", "int8", 0.1, 0.90)
    chosen, notes = choose([FP32, quick, wrong], FP32, OBJECTIVE)
    assert chosen is quick
    assert "int8 e breaks accuracy_drop <= 0.5%" in notes
    assert any(note.startswith("accuracy is 0.9470, fp32 e has 0.9500") for note in notes)


def test_a_difference_within_the_noise_keeps_fp32() -> None:
    chosen, _ = choose([FP32, measured("int8 e", "int8", 0.98, 0.95)], FP32, OBJECTIVE)
    assert chosen is FP32


def test_a_smaller_but_slower_winner_is_told() -> None:
    objective = parse_objective("size", [])
    small = measured("int8 e", "int8", 3.0, 0.95).model_copy(update={"size_bytes": 3})
    chosen, notes = choose([FP32, small], FP32, objective)
    assert chosen is small
    assert any("takes 3.00 times as long as fp32 e" in note for note in notes)


def test_constraints_that_nobody_keeps_name_the_nearest() -> None:
    objective = parse_objective("latency_p99", ["latency_p99 <= 1us", "accuracy >= 90%"])
    with pytest.raises(Unsupported, match=r"the nearest, fp32 e, breaks: latency_p99 <= 1us") as told:
        choose([FP32, measured("int8 e", "int8", 0.5, 0.5)], FP32, objective)
    assert "relax" in told.value.mend


def test_latency_is_measured_in_turns_over_varied_rows(trial: Trial) -> None:
    calls: list[tuple[str, float]] = []

    class Recording:
        """Remembers whose turn it was and what it got."""

        def __init__(self, name: str) -> None:
            self.name = name

        def run(self, tensors: dict[str, np.ndarray]) -> None:
            assert len(tensors["image"]) == 4
            calls.append((self.name, float(tensors["image"].sum())))

    sessions = {name: Recording(name) for name in ("a", "b")}
    measure_latencies(sessions, trial.validation, 4, budget_s=0.0)  # type: ignore[arg-type]
    timed = calls[10:]
    assert [name for name, _ in timed] == ["a"] * 10 + ["b"] * 10
    assert len({total for _, total in timed}) == 10


def test_rows_fewer_than_a_batch_are_repeated_and_none_is_lost(trial: Trial) -> None:
    few = {"image": np.ascontiguousarray(trial.validation["image"][:3])}
    session = get(Runtime, "onnxruntime").open(trial.opened)
    assert measure_latencies({"a": session}, few, 32, budget_s=0.0)["a"][0] > 0
    assert len(predict_all(session, {"image": trial.validation["image"]})) == 200


def test_runtimes_agree_and_refuse_damaged_files(trial: Trial, tmp_path: Path) -> None:
    from glassworks.errors import BundleError

    answers = []
    for runtime in found(Runtime).values():
        if "onnx" not in runtime.accepts:
            continue
        session = runtime.open(trial.opened)
        assert session.signature.inputs[0].shape == (-1, 1, 16, 16)
        assert session.signature.outputs[0].name == "probabilities"
        answers.append(predict_all(session, trial.validation))
        (tmp_path / "predict.onnx").write_bytes(b"not a graph")
        with pytest.raises(BundleError, match=r"cannot open predict\.onnx"):
            runtime.open(Opened(artifact=trial.opened.artifact, folder=tmp_path))
    assert np.abs(answers[0] - answers[1]).max() < 1e-5
