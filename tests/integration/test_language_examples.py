"""The examples that tune language models: each is a job, its data are read, and a tiny model goes the whole way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from glassworks import flow
from glassworks.contracts import Dataset, Progress
from glassworks.data.conversations.choices import choices_of
from glassworks.data.samples import repair_notes
from glassworks.families._language.synthetic import write_model
from glassworks.job_files import load_job
from glassworks.references import taught_by_registry
from glassworks.registry import Registry

EXAMPLES = Path(__file__).parents[2] / "examples"
TUNED = ("classify", "extract", "answer")
SIZES = {"train": 160, "validation": 60, "test": 120}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("tiny") / "model"
    write_model(folder, seed=0)
    return f"model.source=folder:{folder}"


def prepared(name: str, model: str, home: Path) -> Dataset:
    return flow.prepare(
        load_job(EXAMPLES / f"{name}.toml", [model]), registry=Registry.open({"GLASSWORKS_HOME": str(home)})
    )


@pytest.mark.parametrize("name", TUNED)
def test_what_it_learns_from(name: str, model: str, tmp_path: Path) -> None:
    found = prepared(name, model, tmp_path)
    sizes = {part: len(split) for part, split in found.splits.items()}
    assert sizes["test"] == SIZES["test"]
    assert 0.95 * SIZES["train"] <= sizes["train"] <= SIZES["train"]
    assert choices_of(found) is not None
    first = json.loads(found.splits["train"].x[0])["messages"]
    assert [turn["role"] for turn in first] == ["user", "assistant"]


def test_the_examples_ask_for_codes_objects_and_parts_of_the_note(model: str, tmp_path: Path) -> None:
    answers = {}
    for name in TUNED:
        items = [json.loads(item)["messages"] for item in prepared(name, model, tmp_path).splits["test"].x.tolist()]
        answers[name] = [(turns[0]["content"], turns[1]["content"]) for turns in items]
    assert {answer for _, answer in answers["classify"]} == {"KX3", "PD8", "RV1", "ZM6", "HT9"}
    assert all(code not in note for note, _ in answers["classify"] for code in ("KX3", "PD8", "RV1", "ZM6", "HT9"))
    for note, answer in answers["extract"]:
        fields = json.loads(answer)
        assert list(fields) == ["code", "urgency", "object", "order"]
        assert f" {fields['object']}" in note
        assert str(fields["order"]) in note
    assert all(note.endswith("?") for note, _ in answers["answer"])
    assert all(answer in note.lower() for note, answer in answers["answer"] if answer not in ("urgent", "normal"))


def test_a_tiny_model_goes_the_way_of_the_examples_and_teaches(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repair_notes, "PARTS", {"train": 40, "validation": 20, "test": 20, "unlabeled": 30})
    registry = Registry.open({"GLASSWORKS_HOME": str(tmp_path)})
    quick = [model, "training.epochs=1", "training.threads=1", "model.rank=2", "model.answers_shown=0"]
    made = flow.train(load_job(EXAMPLES / "classify.toml", quick), registry)
    assert {"transformer_text", "most frequent answer"} <= made.bundle.manifest.comparison.keys()
    student = load_job(EXAMPLES / "distill.toml")
    known, taught = taught_by_registry(student, flow.prepare(student, registry=registry), registry, Progress())
    assert known.training.teacher == "classify@1"
    learned = taught.splits["train"]
    assert learned.soft is not None
    assert learned.soft.shape == (len(learned), 5)
    assert len(learned) > 5 * 5 + 30  # the labelled ones, those of the part that has no label, and more
