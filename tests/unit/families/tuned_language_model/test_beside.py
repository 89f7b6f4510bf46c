"""A tuned language model that chooses among few answers stands beside what a classifier of texts makes of the rows."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from glassworks import flow
from glassworks.cli.tables import show_comparison, show_test
from glassworks.config import Job, OptimizationConfig, TrainingConfig
from glassworks.contracts import Progress
from glassworks.data.conversations.keys import ConversationData
from glassworks.errors import Cancelled, MissingLibrary
from glassworks.families._language.synthetic import write_model
from glassworks.packaging import beside
from glassworks.registry import Registry

WORDS = ("red", "cat", "sun", "bird", "tree", "moon", "fish", "stone")
QUESTIONS = [f"{one} {other}" for one in WORDS for other in WORDS if one != other]


def job(folder: Path, **model: Any) -> Job:
    """The answer is the first word: a classifier learns it at once, the tiny model does not. A search may be within
    metrics that no classifier has."""
    write_model(folder / "model", seed=0)
    rows = ({"prompt": each, "completion": each.split()[0]} for each in QUESTIONS)
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    how = {"source": f"folder:{folder / 'model'}", "max_tokens": 8, "answers_shown": 0, "rank": 2}
    return Job(
        name="beside",
        family="tuned_language_model",
        data=ConversationData(source=f"jsonl:{folder / 'rows.jsonl'}"),
        model={**how, **model},
        training=TrainingConfig(epochs=1, threads=1),
        optimization=OptimizationConfig(within=("perplexity_rise <= 1%",)),
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> flow.Release:
    folder = tmp_path_factory.mktemp("beside")
    return flow.train(job(folder), Registry.open({"GLASSWORKS_HOME": str(folder / "home")}))


def test_it_is_measured_on_the_same_test_rows(made: flow.Release) -> None:
    manifest = made.bundle.manifest
    known = {**manifest.comparison, "this": manifest.metrics, "baseline": manifest.baseline}
    shares = {name: found["exact_match"] for name, found in known.items() if "exact_match" in found}
    assert shares.keys() == {"transformer_text", "most frequent answer", "this", "baseline"}
    assert {share.examples for share in shares.values()} == {len(made.dataset.splits["test"])}
    assert shares["transformer_text"].value > 0.8 > shares["this"].value


def test_it_is_printed_beside_the_model(made: flow.Release) -> None:
    said = StringIO()
    console = Console(file=said, width=200)
    show_comparison(made, console)
    show_test(made.bundle.manifest, "test", console)
    table = said.getvalue()
    head = next(line for line in table.splitlines() if "transformer_text" in line)
    assert [name in head for name in ("this model", "before tuning", "most frequent answer")] == [True] * 3
    value = made.bundle.manifest.comparison["transformer_text"]["exact_match"].value
    assert f"{value:.4f}" in next(line for line in table.splitlines() if "exact_match" in line)
    assert "simple baseline" in table


def test_a_model_that_is_worse_is_said_to_be(made: flow.Release) -> None:
    said = " ".join(made.bundle.manifest.warnings)
    assert "the model does not beat transformer_text, which learned from the same rows: exact_match 0." in said
    assert "does not beat the simple baseline: exact_match" in said


def test_without_its_libraries_nothing_is_compared(
    made: flow.Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise MissingLibrary("transformer_text needs the library 'sklearn'", "pip install 'glassworks[train]'")

    monkeypatch.setattr(beside, "require", missing)
    assert compare(made, tmp_path, Progress()) is made.model
    assert not list(tmp_path.iterdir())


def test_it_ends_when_the_release_is_cancelled(made: flow.Release, tmp_path: Path) -> None:
    class Late(Progress):
        """Cancelled while the classifier is trained: after its own stage has begun."""

        def start(self, stage: str, total: int | None = None) -> None:
            super().start(stage, total)
            self.cancel()

    with pytest.raises(Cancelled):
        compare(made, tmp_path, Late())


def compare(made: flow.Release, folder: Path, progress: Progress) -> Any:
    from glassworks.catalog import get
    from glassworks.contracts import Family
    from glassworks.job_files import stored_job

    manifest = made.bundle.manifest
    asked = stored_job(manifest.job, where="the test")
    return beside.measured_beside(get(Family, manifest.family), asked, made.dataset, made.model, folder, progress)
