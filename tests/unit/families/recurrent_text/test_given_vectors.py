"""A network that begins with vectors of words which others have learned: `model.vectors`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.unit.training.test_word_vectors import written

from glassworks import flow
from glassworks.config import Job
from glassworks.contracts import Model
from glassworks.errors import DataError
from glassworks.families._text.word_vectors import read_word_vectors
from glassworks.families.recurrent_text import RecurrentText
from glassworks.job_files import load_job
from glassworks.packaging.opened import OpenedBundle
from glassworks.progress import Silent
from glassworks.registry import Registry

GIVEN = {"book": (1.0, -2.0, 0.5), "the": (0.25, 1.0, -1.0), "书": (2.0, 0.5, 0.0)}


def job_with(folder: Path, vectors: Path, **training: object) -> Job:
    job = RecurrentText().tiny(folder)
    return job.model_copy(
        update={
            "model": {**job.model, "vectors": f"file:{vectors}"},
            "training": job.training.model_copy(update={"epochs": 1, **training}),
        }
    )


def trained(job: Job, folder: Path) -> Model:
    folder.mkdir(exist_ok=True)
    return RecurrentText().train(RecurrentText().prepare(job), job, folder, Silent())


def test_tokens_begin_with_their_vectors_at_the_spread_of_the_familys_own(tmp_path: Path) -> None:
    job = job_with(tmp_path, written(tmp_path / "words", GIVEN), learning_rate=1e-12)
    network, tokenizer, _ = trained(job, tmp_path / "run").network
    table, own = network.embedding.weight.detach().numpy(), 16
    assert table.shape[1] == own + 3
    assert table[:, own:].std() == pytest.approx(table[:, :own].std(), rel=1e-4)
    scale = table[tokenizer.token_to_id("book"), own] / GIVEN["book"][0]
    for word, values in GIVEN.items():
        np.testing.assert_allclose(table[tokenizer.token_to_id(word), own:], scale * np.array(values), rtol=1e-4)
    assert np.abs(table[:2, own:]).max() < 1e-9


def test_a_changed_file_is_a_changed_run(tmp_path: Path) -> None:
    words, run = tmp_path / "words", tmp_path / "run"
    job = job_with(tmp_path, written(words, GIVEN))
    first = trained(job, run)
    again = trained(job, run)
    assert not first.resumed
    assert again.resumed
    assert again.preprocessing["vectors"]["sha256"] == read_word_vectors(f"file:{words}").sha256
    written(words, {**GIVEN, "book": (9.0, 9.0, 9.0)})
    other = trained(job, run)
    assert not other.resumed
    assert other.weights_sha256 != first.weights_sha256
    assert other.preprocessing["vectors"]["sha256"] == read_word_vectors(f"file:{words}").sha256


def test_the_bundle_needs_the_file_no_more(tmp_path: Path) -> None:
    words = written(tmp_path / "words", GIVEN)
    registry = Registry.open({"GLASSWORKS_HOME": str(tmp_path / "home")})
    release = flow.train(job_with(tmp_path, words), registry, Silent())
    sha256 = read_word_vectors(f"file:{words}").sha256
    words.unlink()
    opened = OpenedBundle(release.bundle)
    outputs = opened.predict(np.array(["the book"], object))
    opened.close()
    assert release.bundle.manifest.preprocessing["vectors"] == {"source": f"file:{words}", "sha256": sha256}
    assert all(np.isfinite(value).all() for value in outputs.values() if value.dtype.kind == "f")


def test_a_file_that_is_missing_is_told_before_anything_is_learned(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere cannot be read"):
        trained(job_with(tmp_path, tmp_path / "nowhere"), tmp_path / "run")


def test_a_relative_path_counts_from_the_job(tmp_path: Path) -> None:
    lines = ['name = "a"', 'family = "recurrent_text"', "[data]", 'source = "csv:x.csv"', "[model]"]
    (tmp_path / "job.toml").write_text("\n".join([*lines, 'vectors = "file:words"']), encoding="utf-8")
    assert load_job(tmp_path / "job.toml").model["vectors"] == f"file:{tmp_path / 'words'}"
