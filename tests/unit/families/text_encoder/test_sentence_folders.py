"""Folders of sentence-transformers: vectors against the library itself, and what is not honored is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.unit.families.transformer_text.architectures import write_architecture

from glassworks.catalog import get
from glassworks.config import DataConfig, Job, OptimizationConfig
from glassworks.contracts import Family, Model
from glassworks.errors import ConfigError, DataError
from glassworks.families._text.encoder import find_backbone
from glassworks.families.text_encoder.encoding import prepare
from glassworks.families.text_encoder.settings import TextEncoderConfig
from glassworks.flow import train
from glassworks.packaging.opened import OpenedBundle
from glassworks.progress import Silent
from glassworks.registry import Registry

st = pytest.importorskip("sentence_transformers")
modules = pytest.importorskip("sentence_transformers.sentence_transformer.modules")

WIDTH = 32
TEXTS = (
    "the excellent lamp arrived on monday",
    "broken box",
    "a paper cover with the book",
    "Lamp and BOOK",
    "the book " * 20,
    "x",
)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_architecture(tmp_path_factory.mktemp("encoder") / "bert", "bert")


def pooled(*modes: str, prompt: bool = True) -> Any:
    return modules.Pooling(WIDTH, modes, include_prompt=prompt)


def dense(wide: int, out: int, activation: Any = None, **more: Any) -> Any:
    return modules.Dense(wide, out, activation_function=activation or torch.nn.Tanh(), **more)


KINDS: dict[str, Callable[[], list[Any]]] = {
    "cls": lambda: [pooled("cls")],
    "max": lambda: [pooled("max")],
    "mean": lambda: [pooled("mean")],
    "mean_sqrt_len": lambda: [pooled("mean_sqrt_len_tokens"), dense(WIDTH, 24)],
    "weighted_mean": lambda: [pooled("weightedmean")],
    "last": lambda: [pooled("lasttoken")],
    "several": lambda: [pooled("cls", "max", "mean")],
    "dense": lambda: [pooled("mean"), dense(WIDTH, 16)],
    "dense_twice": lambda: [
        pooled("mean"),
        dense(WIDTH, 48, torch.nn.GELU()),
        dense(48, 8, torch.nn.Identity(), bias=False),
    ],
    "dense_normalize": lambda: [pooled("cls"), dense(WIDTH, WIDTH), modules.Normalize()],
    "residual": lambda: [pooled("mean"), dense(WIDTH, 20, use_residual=True)],
    "layer_norm": lambda: [pooled("mean"), modules.LayerNorm(WIDTH), modules.Dropout(0.3)],
}


def saved(folder: Path, encoder: Path, behind: list[Any], **more: Any) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        reading = {"max_seq_length": more.pop("max_seq_length", None), "do_lower_case": more.pop("lower", False)}
        transformer = modules.Transformer(str(encoder), **reading)
        st.SentenceTransformer(modules=[transformer, *behind], device="cpu", **more).save_pretrained(str(folder))
    return folder


def by_library(folder: Path, **how: Any) -> Any:
    found = np.asarray(st.SentenceTransformer(str(folder), device="cpu").encode(list(TEXTS), **how), np.float64)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def job_of(folder: Path, **model: Any) -> Job:
    (folder.parent / "texts.csv").write_text("text\n" + "\n".join(TEXTS) + "\n", encoding="utf-8")
    return Job(
        name="sentences",
        family="text_encoder",
        data=DataConfig(source=f"csv:{folder.parent / 'texts.csv'}"),
        model={"backbone": f"folder:{folder}", **model},
        optimization=OptimizationConfig(enabled=False),
    )


def served(folder: Path, tmp_path: Path, **model: Any) -> Any:
    """Vectors by the bundle's own graph."""
    made = train(job_of(folder, **model), Registry.open({"GLASSWORKS_HOME": str(tmp_path / "home")}), Silent())
    agreement = made.bundle.manifest.metrics["agreement"].value
    vectors = np.asarray(OpenedBundle(made.bundle).predict(np.array(TEXTS, object))["embedding"])
    assert agreement == pytest.approx(1, abs=1e-5)
    return vectors


def network_vectors(folder: Path, **model: Any) -> Any:
    """Vectors by the network, in the order of TEXTS."""
    job = job_of(folder, **model)
    dataset = prepare(job, TextEncoderConfig.model_validate(job.model))
    rows = {text: row for part in dataset.splits.values() for text, row in zip(part.x, part.y, strict=True)}
    return np.stack([rows[text.strip() if text.strip() in rows else text] for text in TEXTS])


def same(found: Any, wanted: Any) -> bool:
    return found.shape == wanted.shape and bool(((found * wanted).sum(axis=1) >= 0.9999).all())


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_are_those_of_sentence_transformers(kind: str, encoder: Path, tmp_path: Path) -> None:
    folder = saved(tmp_path / kind, encoder, KINDS[kind]())
    assert same(network_vectors(folder), by_library(folder))


@pytest.mark.parametrize("kind", ["several", "dense_twice", "last", "weighted_mean"])
def test_the_served_graph_gives_them_too(kind: str, encoder: Path, tmp_path: Path) -> None:
    folder = saved(tmp_path / kind, encoder, KINDS[kind](), max_seq_length=16)
    assert same(served(folder, tmp_path), by_library(folder))


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("way", ["cls", "mean", "max", "weightedmean", "lasttoken"])
def test_prompts_stand_before_every_text(way: str, counted: bool, encoder: Path, tmp_path: Path) -> None:
    prompts = {"query": "excellent book: ", "passage": "paper "}
    folder = saved(tmp_path / "p", encoder, [pooled(way, prompt=counted)], prompts=prompts, default_prompt_name="query")
    assert same(network_vectors(folder), by_library(folder))
    assert same(network_vectors(folder, prompt="passage"), by_library(folder, prompt_name="passage"))
    assert not same(network_vectors(folder, prompt=""), by_library(folder))
    with pytest.raises(ConfigError, match=r"'model.prompt' is 'title', the encoder's folder has: .*passage, query"):
        network_vectors(folder, prompt="title")


def test_a_prompt_is_served(encoder: Path, tmp_path: Path) -> None:
    folder = saved(tmp_path / "p", encoder, [pooled("mean")], prompts={"q": "a book: "}, default_prompt_name="q")
    assert same(served(folder, tmp_path), by_library(folder))


def test_longer_texts_are_cut_as_the_folder_says(encoder: Path, tmp_path: Path) -> None:
    folder = saved(tmp_path / "short", encoder, [pooled("mean")], max_seq_length=12)
    assert same(network_vectors(folder), by_library(folder))
    assert not same(network_vectors(folder, long_texts="windows"), by_library(folder))
    plain = find_backbone(f"folder:{folder}")
    assert plain.sentence.most == 12


def test_lower_case_as_the_folder_says(encoder: Path, tmp_path: Path) -> None:
    cased = shutil.copytree(encoder, tmp_path / "cased")
    tokenizer = json.loads((cased / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["normalizer"]["lowercase"] = False
    (cased / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    folders = [saved(tmp_path / str(lower), cased, [pooled("mean")], lower=lower) for lower in (False, True)]
    vectors = [network_vectors(folder) for folder in folders]
    for folder, found in zip(folders, vectors, strict=True):
        assert same(found, by_library(folder))
    assert not same(*vectors)


def older_layout(folder: Path) -> None:
    """As of 2020: the transformer in a folder of its own, and names of then."""
    (folder / "0_Transformer").mkdir()
    for name in (
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "sentence_bert_config.json",
    ):
        (folder / name).rename(folder / "0_Transformer" / name)
    listed = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    listed[0]["path"] = "0_Transformer"
    for each in listed:
        each["type"] = "sentence_transformers.models." + each["type"].rpartition(".")[2]
    (folder / "modules.json").write_text(json.dumps(listed), encoding="utf-8")
    said = {"word_embedding_dimension": WIDTH, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": False}
    said |= {"pooling_mode_max_tokens": True, "pooling_mode_mean_sqrt_len_tokens": False}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(said), encoding="utf-8")


def test_older_folders(encoder: Path, tmp_path: Path) -> None:
    folder = saved(tmp_path / "old", encoder, [pooled("mean"), dense(WIDTH, 16)])
    layer = folder / "2_Dense" / "model.safetensors"
    from safetensors.torch import load_file

    torch.save(load_file(layer), layer.with_name("pytorch_model.bin"))
    layer.unlink()
    older_layout(folder)
    assert same(network_vectors(folder), by_library(folder))


def test_an_encoder_of_t5_as_gtr_has_it(tmp_path: Path) -> None:
    t5 = write_architecture(tmp_path / "t5", "t5")
    folder = saved(
        tmp_path / "gtr", t5, [pooled("mean"), dense(WIDTH, 24, torch.nn.Identity(), bias=False), modules.Normalize()]
    )
    assert same(network_vectors(folder), by_library(folder))


def spoiled(folder: Path, change: Callable[[list[dict[str, Any]]], None]) -> None:
    listed = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    change(listed)
    (folder / "modules.json").write_text(json.dumps(listed), encoding="utf-8")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("WeightedLayerPooling", "has the module WeightedLayerPooling, which is not known here"),
        ("StaticEmbedding", "begins with the module StaticEmbedding, which is no transformer"),
        ("activation", r"has the activation my\.Own, which is not of torch\.nn"),
        ("weights", "holds neither model.safetensors nor pytorch_model.bin"),
        ("mode", "pools by 'median', which is not known here"),
        ("outside", "names a folder outside of it"),
    ],
)
def test_what_is_not_honored_is_refused(kind: str, words: str, encoder: Path, tmp_path: Path) -> None:
    folder = saved(tmp_path / "f", encoder, [pooled("mean"), dense(WIDTH, 16)])
    if kind == "activation":
        config = json.loads((folder / "2_Dense" / "config.json").read_text(encoding="utf-8"))
        (folder / "2_Dense" / "config.json").write_text(json.dumps({**config, "activation_function": "my.Own"}))
    elif kind == "weights":
        (folder / "2_Dense" / "model.safetensors").unlink()
    elif kind == "mode":
        (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode": "median"}')
    elif kind == "outside":
        spoiled(folder, lambda listed: listed[2].update(path="../x"))
    else:
        spoiled(folder, lambda listed: listed[0 if kind == "StaticEmbedding" else 2].update(type=f"x.{kind}"))
    with pytest.raises(DataError, match=words) as caught:
        network_vectors(folder)
    assert len(str(caught.value).splitlines()) == 2
    assert all(len(line) <= 300 + 2 * len(str(tmp_path)) for line in str(caught.value).splitlines())


def test_a_classifier_is_built_on_all_of_it(encoder: Path, tmp_path: Path) -> None:
    from glassworks.data.text.synthetic import write_synthetic

    folder = saved(tmp_path / "s", encoder, [pooled("max"), dense(WIDTH, 12)])
    write_synthetic(tmp_path / "planted.csv", examples=120, seed=3)
    job = Job(
        name="frozen",
        family="transformer_text",
        data=DataConfig(source=f"csv:{tmp_path / 'planted.csv'}"),
        model={"backbone": f"folder:{folder}", "mode": "frozen", "ngrams": 0},
    )
    family = get(Family, "transformer_text")
    (tmp_path / "run").mkdir()
    model: Model = family.train(family.prepare(job), job, tmp_path / "run", Silent())
    network = model.network[0]
    assert network.head.in_features == 12
    ids = torch.tensor([[0, 5, 6, 7, 2]])
    with torch.no_grad():
        features = network.pool(network.embed(ids), torch.ones_like(ids))[0].numpy()
    text = find_backbone(f"folder:{folder}").tokenizer.decode([5, 6, 7])
    assert len(text.split()) == 3
    wanted = st.SentenceTransformer(str(folder), device="cpu").encode([text])[0]
    assert features @ wanted / np.linalg.norm(features) / np.linalg.norm(wanted) >= 0.9999
