"""A student learns from a teacher of the registry: whose labels, whose order, which texts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from glassworks.config import Job
from glassworks.contracts import Dataset, Split
from glassworks.data.text.dataset import further_texts
from glassworks.data.text.keys import TextData
from glassworks.errors import ConfigError, Unsupported
from glassworks.training.distillation import balanced, taught

TEXTS = np.array(["good", "bad", "fine"], object)


def data(y: NDArray[np.int64] | None = None) -> Dataset:
    """Three texts in two classes."""
    train = Split(x=TEXTS, y=np.array([1, 0, 1], np.int64) if y is None else y)
    held = Split(x=np.array(["Held, out!"], object), y=np.array([0], np.int64))
    return Dataset(
        name="d", fingerprint="f", classes=("no", "yes"), splits={"train": train, "validation": held, "test": held}
    )


def teach(x: NDArray[np.object_]) -> NDArray[np.float32]:
    """The teacher names yes first; it believes in yes by the text's first letter."""
    yes = np.array([0.9 if text[0] in "gf" else 0.2 for text in x.tolist()], np.float32)
    return np.stack([yes, 1 - yes], axis=1)


def test_probabilities_come_in_the_order_of_the_datas_classes() -> None:
    train = taught(data(), teach, ("yes", "no"), ()).splits["train"]
    assert train.soft is not None
    assert train.soft[:, 1].tolist() == pytest.approx([0.9, 0.2, 0.9])
    assert train.y.tolist() == [1, 0, 1]
    assert train.x.tolist() == TEXTS.tolist()


def test_texts_without_labels_get_the_teachers() -> None:
    found = taught(data(), teach, ("yes", "no"), ["great", "awful"], ["a finding"])
    train = found.splits["train"]
    assert train.x.tolist() == [*TEXTS.tolist(), "great", "awful"]
    assert train.y.tolist() == [1, 0, 1, 1, 0]
    assert train.soft is not None
    assert len(train.soft) == 5
    assert found.findings == ("a finding",)
    assert found.splits["test"] is found.splits["validation"]


def test_several_labels_are_guessed_one_by_one() -> None:
    several = np.array([[0, 1], [1, 0], [1, 1]], np.int64)
    train = taught(data(several), teach, ("yes", "no"), ["great"]).splits["train"]
    assert train.y.tolist()[-1] == [0, 1]


@pytest.mark.parametrize("several", [False, True])
def test_balanced_what_is_rare_is_as_likely_as_what_is_frequent(several: bool) -> None:
    """A teacher that knows the frequencies alone (one of four is yes) then knows nothing; what it is sure of stays."""
    y = np.array([1, 0, 0, 0], np.int64)
    soft = np.array([[0.75, 0.25], [0.75, 0.25], [0, 1], [1, 0]], np.float32)
    x = np.array(list("abcd"), object)
    train = Split(x=x, y=np.stack([1 - y, y], axis=1) if several else y, soft=soft)
    found = balanced(dataclasses.replace(data(), splits={"train": train})).splits["train"].soft
    assert found == pytest.approx(np.array([[0.5, 0.5], [0.5, 0.5], [0, 1], [1, 0]]))
    assert balanced(data()).splits["train"].soft is None


def test_a_teacher_of_other_labels_is_refused() -> None:
    with pytest.raises(ConfigError, match="the teacher knows the labels a, b, the data has no, yes") as caught:
        taught(data(), teach, ("a", "b"), ())
    assert "training.teacher" in caught.value.mend


def test_texts_of_the_splits_and_copies_do_not_join(tmp_path: Path) -> None:
    file = tmp_path / "more.csv"
    file.write_text("text\nheld out\nnew one\nNew: one!\nGOOD\nother\n", encoding="utf-8")
    for unlabeled, further in ((f"csv:{file}", ["new one", "other"]), ("", [])):
        config = TextData(source="sample:zh-reviews", unlabeled=unlabeled)
        assert further_texts(Job(name="a", family="recurrent_text", data=config), data()) == further


def test_pictures_have_no_teacher(tmp_path: Path) -> None:
    from glassworks.catalog import get
    from glassworks.contracts import Family
    from glassworks.flow import train
    from glassworks.registry import Registry

    job = get(Family, "convnet").tiny(tmp_path)
    taught_job = job.model_copy(update={"training": job.training.model_copy(update={"teacher": "any"})})
    with pytest.raises(Unsupported, match=r"training\.teacher: pictures are not learned from a teacher"):
        train(taught_job, Registry.open({"GLASSWORKS_HOME": str(tmp_path / "home")}))


def test_a_recurrent_student_of_a_transformer(tmp_path: Path) -> None:
    from glassworks.catalog import get
    from glassworks.contracts import Family
    from glassworks.flow import prepare, train
    from glassworks.progress import Silent
    from glassworks.references import taught_by_registry
    from glassworks.registry import Registry

    registry = Registry.open({"GLASSWORKS_HOME": str(tmp_path / "home")})
    job: Job = get(Family, "transformer_text").tiny(tmp_path)
    teacher = train(job, registry, Silent())
    student = get(Family, "recurrent_text").tiny(tmp_path / "student")
    quick = student.training.model_copy(update={"teacher": job.name, "epochs": 1})
    made = train(student.model_copy(update={"data": job.data, "training": quick}), registry, Silent())
    soft = made.dataset.splits["train"].soft
    assert soft is not None
    assert np.allclose(soft.sum(axis=1), 1, atol=1e-5)
    agree = (soft.argmax(axis=1) == teacher.dataset.splits["train"].y).mean()
    assert agree > 0.8
    assert made.bundle.manifest.job["training"]["teacher"] == f"{job.name}@1"  # type: ignore[call-overload,index]
    assert not [finding for finding in made.dataset.findings if "teacher" in finding]
    other = student.model_copy(update={"data": job.data.model_copy(update={"seed": 5}), "training": quick})
    pinned, again = taught_by_registry(other, prepare(other), registry, Silent())
    assert pinned.training.teacher == f"{job.name}@1"
    assert [finding for finding in again.findings if "the teacher learned from another split" in finding]
