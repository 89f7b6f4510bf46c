"""An encoder with pieces beside it: served, explained and compressed as the two together."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests.unit.families.transformer_text.encoders import TRICKY, write_encoder
from tests.unit.families.transformer_text.test_transformer_text import LONG, Tuned, job_of, reference, trained

from glassworks.catalog import found, get
from glassworks.contracts import Opened, Pass, Runtime, Split, Task
from glassworks.families._text.encoder import TOKENIZER
from glassworks.families._text.ngrams import NGRAMS, WORDS
from glassworks.families._text.tokens import tokenize
from glassworks.families.transformer_text.fine_tuning import scores_of
from glassworks.flow import train
from glassworks.progress import Silent
from glassworks.registry import Registry
from glassworks.text.session import TextSession
from glassworks.text.tokenization import Window

SHARE = 0.35


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    """On planted texts pieces know at once what an encoder with random weights has to learn."""
    home = tmp_path_factory.mktemp("mixed")
    folder = write_encoder(home / "encoder")
    job = job_of(folder, ngrams=3000)
    with pytest.MonkeyPatch.context() as patch:
        # A part of its own for both, so that no test passes by one of them alone.
        patch.setattr("glassworks.families.transformer_text.training.clearly_better_share", lambda *_: SHARE)
        release = train(job, Registry.open({"GLASSWORKS_HOME": str(home / "home")}), Silent())
    return Tuned(folder, job, release)


def wanted(mixed: Tuned, windows: list[Window]) -> NDArray[np.float32]:
    """Scores (W K) of windows by transformers and by the table."""
    network = mixed.network
    says, bias = network.says.numpy(), network.bias.numpy()
    rows = []
    for window in windows:
        with torch.no_grad():
            deep = reference(network, torch.from_numpy(window.ids)[None])[0].numpy()
        said = says[window.ngrams].sum(axis=0)
        linear = said[:-1] / max(float(said[-1]), 1e-6) ** 0.5 + bias
        rows.append(SHARE * deep + (1 - SHARE) * linear)
    return np.stack(rows).astype(np.float32)


def session_of(mixed: Tuned) -> TextSession:
    session = mixed.opened.session("predict")
    assert isinstance(session, TextSession)
    return session


def test_both_engines_give_the_mixture_for_ragged_batches(mixed: Tuned) -> None:
    artifact = mixed.release.bundle.artifact("predict")
    windows = [mixed.tokenization.windows(text)[0] for text in TRICKY]
    assert len({len(window.ngrams) for window in windows}) > 3
    for name in ("onnxruntime", "openvino"):
        chosen = artifact.artifact.model_copy(update={"runtime": name})
        session = found(Runtime)[name].open(Opened(artifact=chosen, folder=artifact.folder))
        scores = session.run(mixed.tokenization.tensors(windows))["scores"]
        assert np.abs(np.asarray(scores, np.float32) - wanted(mixed, windows)).max() <= 1e-4


def test_windows_of_a_long_text_are_averaged_by_their_tokens(mixed: Tuned) -> None:
    session = session_of(mixed)
    windows = session.tokenization.windows(LONG)
    assert len(windows) > 3
    weights = np.array([[window.weight] for window in windows], np.float64)
    mean = (wanted(mixed, windows) * weights).sum(axis=0) / weights.sum() / session.temperature
    assert np.abs(session.scores([LONG])[0] - mean).max() <= 1e-4


def test_validation_was_judged_as_it_is_served(mixed: Tuned) -> None:
    """The temperature belongs to the scores of both."""
    from glassworks.training.classification import fit_temperature

    session, split = session_of(mixed), mixed.release.dataset.splits["validation"]
    scores = session.scores(split.x.tolist()) * session.temperature
    assert fit_temperature(scores.astype(np.float32), split.y) == pytest.approx(session.temperature, rel=1e-3)
    accuracy = float(np.mean(scores.argmax(axis=1) == split.y))
    assert accuracy == mixed.release.model.metrics["accuracy"].value


@pytest.mark.parametrize("method", ["integrated_gradients", "input_x_gradient"])
def test_what_pieces_say_is_explained(mixed: Tuned, method: str) -> None:
    """Captum explains the encoder's part; what pieces say is added where they stand."""
    from captum.attr import LayerGradientXActivation, LayerIntegratedGradients

    text = "the wonderful book arrived on monday"
    (window,) = mixed.tokenization.windows(text)
    ids = torch.from_numpy(window.ids)[None]
    blank = torch.where(torch.from_numpy(window.offsets[:, 1] > window.offsets[:, 0])[None], 0, ids)
    layer = mixed.network.encoder.get_input_embeddings()
    integrated = method == "integrated_gradients"
    oracle: Any = (LayerIntegratedGradients if integrated else LayerGradientXActivation)(
        lambda tokens: reference(mixed.network, tokens), layer
    )
    opened = mixed.opened
    answer = opened.explain(np.array([text], object), method=method)
    more = {"baselines": blank, "n_steps": 200} if integrated else {}
    deep = SHARE * oracle.attribute(ids, target=answer.target, **more).sum(2)[0].detach().numpy()
    says = mixed.network.says.numpy()
    root = float(says[window.ngrams, -1].sum()) ** 0.5
    said = np.zeros(len(text))
    for piece, (begin, end) in zip(window.ngrams, window.ngram_offsets.tolist(), strict=True):
        touched = [(b, e) for b, e in window.offsets.tolist() if b < end and e > begin and e > b]
        for b, e in touched:
            said[b:e] += (1 - SHARE) * says[piece, answer.target] / root / len(touched) / (e - b)
    session = session_of(mixed)
    subject = opened.subject({"text": np.array([text.encode()], object)})
    subject.view("gradient")
    width = mixed.network.head.in_features
    rows = np.zeros((1, len(window.ids), width), np.float32)
    rows[0, :, 0] = deep
    placed = subject.align("gradient", rows)[0, 0]
    placed = (placed + np.add.reduceat(said, [begin for begin, _ in subject.spans])) / session.temperature
    assert np.abs(said).max() > 1e-3
    assert np.abs(answer.attribution.values[0, 0] - placed).max() <= 1e-2 * np.abs(placed).max()


def test_int8_keeps_what_pieces_say(mixed: Tuned, tmp_path: Path) -> None:
    task, x = get(Task, "text-classification"), mixed.release.dataset.splits["train"].x
    artifact = mixed.release.bundle.artifact("predict")
    assert set(artifact.artifact.beside) == {TOKENIZER, WORDS, NGRAMS}
    for name in (artifact.artifact.file, *artifact.artifact.beside):
        shutil.copyfile(artifact.folder / name, tmp_path / name)
    opened = Opened(artifact=artifact.artifact, folder=tmp_path)
    some = task.calibration(x[:60], opened, mixed.release.model.preprocessing)
    quick = get(Pass, "int8").apply(opened, some)
    runtime = get(Runtime, "onnxruntime")
    (a, b) = (runtime.open(Opened(artifact=each, folder=tmp_path)) for each in (quick, artifact.artifact))
    scores = [np.concatenate([each.run(row)["scores"] for row in some]) for each in (a, b)]
    assert (
        np.corrcoef(scores[0].ravel(), scores[1].ravel())[0, 1] > 0.9
    )  # without VNNI int8 sums overflow; without pieces it would be near 0


def test_a_finished_run_is_read_again_with_its_pieces(tmp_path: Path) -> None:
    job = job_of(write_encoder(tmp_path / "encoder"), mode="frozen", ngrams=3000)
    first = trained(job, tmp_path / "run")
    assert first.network[0].has_ngrams
    again = trained(job, tmp_path / "run")
    assert again.resumed
    assert again.weights_sha256 == first.weights_sha256
    assert again.preprocessing == first.preprocessing
    assert again.preprocessing["pieces"] == NGRAMS


def test_where_pieces_do_not_help_the_bundle_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = "glassworks.families.transformer_text.training.clearly_better_share"
    monkeypatch.setattr(where, lambda *_: 1.0)
    folder = write_encoder(tmp_path / "encoder")
    models = [trained(job_of(folder, mode="frozen", ngrams=n), tmp_path / f"run{n}") for n in (3000, 0)]
    assert models[0].weights_sha256 == models[1].weights_sha256
    assert models[0].preprocessing == models[1].preprocessing
    assert not models[0].network[0].has_ngrams
    assert not (tmp_path / "run0" / WORDS).exists()


def test_training_reads_pieces_as_the_server_does(mixed: Tuned) -> None:
    x = np.array([LONG, "short", ""], object)
    bundle = mixed.release.bundle.folder
    preprocessing = mixed.release.model.preprocessing
    texts = tokenize(Split(x=x, y=np.zeros(3, np.int64)), bundle, preprocessing, 64)
    network, session = mixed.network, session_of(mixed)
    with torch.no_grad():
        linear = torch.cat([network.linear(torch.from_numpy(each)[None]) for each in texts.ngrams]).numpy()
    both = SHARE * scores_of(network, texts) + (1 - SHARE) * texts.bags.averaged(linear)
    served = np.asarray(session.scores(x.tolist()), np.float32) * session.temperature
    assert np.abs(both - served).max() <= 1e-4


def test_some_texts_are_what_reading_them_alone_gives(mixed: Tuned) -> None:
    x = np.array([LONG, "short", "", LONG[:90], "the book"], object)
    bundle, preprocessing = mixed.release.bundle.folder, mixed.release.model.preprocessing
    rows = np.array([0, 3, 4])
    some = tokenize(Split(x=x, y=np.arange(5)), bundle, preprocessing, 3).subset(rows)
    alone = tokenize(Split(x=x[rows], y=rows), bundle, preprocessing, 3)
    for name in ("ids", "ngrams"):
        pairs = zip(getattr(some, name), getattr(alone, name), strict=True)
        assert all(np.array_equal(one, other) for one, other in pairs)
    for name in ("weights", "starts", "targets"):
        assert np.array_equal(getattr(some, name), getattr(alone, name))
    assert len(some.ids) > len(some)


@pytest.mark.parametrize(("mode", "texts"), [("full", 60), ("frozen", 168)])
def test_a_head_that_goes_on_learning_begins_with_some_of_the_texts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, texts: int
) -> None:
    where = "glassworks.families.transformer_text.head"
    monkeypatch.setattr(f"{where}._TEXTS", 60)
    monkeypatch.setattr(f"{where}._TEXTS_A_LABEL", 10)
    asked: list[int] = []

    def noted(network: Any, given: Any, **options: Any) -> Any:
        asked.append(len(given) if options.get("pooled") else 0)
        return scores_of(network, given, **options)

    monkeypatch.setattr(f"{where}.scores_of", noted)
    model = trained(job_of(write_encoder(tmp_path / "encoder"), mode=mode), tmp_path / "run")
    assert asked[0] == texts
    assert model.network[0].head.weight.abs().max() > 0
