"""What is served knows the newest interactions; what is told of it was measured before it did."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from glassworks.config import Job
from glassworks.data.interactions.synthetic import tiny_job, write_synthetic
from glassworks.errors import Unsupported
from glassworks.flow import Release, evaluate, optimize, predict, train
from glassworks.progress import Silent
from glassworks.registry import Registry

NEW = 500
"""An item that everybody of the first group meets, after everything else."""


def job_with_news(folder: Path, family: str, **model: Any) -> Job:
    settings = {"trials": 2} if family == "content_based" else {"regularization": 10.0, "met": 0.0}
    job = tiny_job(family, folder, {**settings, **model})
    with (folder / "events.csv").open("a", encoding="utf-8") as file:
        for user in range(0, 80, 4):
            file.writelines(f"u{user:03},{item},{20_000 + user},5\n" for item in (NEW, 0, 4))
    with (folder / "items.csv").open("a", encoding="utf-8") as file:
        file.write(f"{NEW},garden,3.5,The newest\n")
    return job


def made(folder: Path, registry: Registry, family: str = "collaborative", **model: Any) -> Release:
    return train(job_with_news(folder, family, **model), registry, Silent())


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return Registry.open({"GLASSWORKS_HOME": str(tmp_path_factory.mktemp("home"))})


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> tuple[Release, Release]:
    folder = tmp_path_factory.mktemp("news")
    return made(folder, registry), made(folder, registry, refit=False)


def recommended(release: Release, registry: Registry) -> list[int]:
    request = json.dumps({"history": [0, 4, 8, 12, 16], "k": 20}).encode()
    (answer,) = predict(release.version.reference, request, registry)
    return [each["item"] for each in answer["items"]]


def test_the_newest_item_is_recommended_only_after_refitting(both: tuple[Release, Release], registry: Registry) -> None:
    whole, cut = (recommended(release, registry) for release in both)
    assert NEW in whole[:5]
    assert NEW not in cut


def test_the_metrics_are_those_from_before(both: tuple[Release, Release]) -> None:
    whole, cut = (release.bundle.manifest for release in both)
    assert (whole.refitted, cut.refitted) == (True, False)
    assert whole.metrics == cut.metrics
    assert whole.comparison == cut.comparison
    assert both[0].model.weights_sha256 == both[1].model.weights_sha256
    assert cut.lineage.weights_sha256 == both[1].model.weights_sha256 != whole.lineage.weights_sha256
    card = (both[0].bundle.folder / "card.md").read_text(encoding="utf-8")
    assert "fitted once more on everything, the test split too" in card


def test_what_it_learned_from_is_not_measured_again(
    both: tuple[Release, Release], registry: Registry, tmp_path: Path
) -> None:
    whole, cut = both
    for source in (None, whole.dataset.name):
        with pytest.raises(Unsupported, match="learned from its own test split") as caught:
            evaluate(whole.version.reference, registry, Silent(), source=source)
        assert "card" in caught.value.mend
    _, metrics, *_ = evaluate(cut.version.reference, registry, Silent())
    assert metrics == cut.bundle.manifest.metrics
    write_synthetic(tmp_path, users=40, items=96, seed=1)
    count, *_ = evaluate(whole.version.reference, registry, Silent(), source=f"csv:{tmp_path / 'events.csv'}")
    assert count == 40


def test_a_further_search_keeps_what_was_measured(both: tuple[Release, Release], registry: Registry) -> None:
    report, version = optimize(both[0].version.reference, {"budget": "2s"}, registry, Silent())
    assert "has learned from the validation split" in report.notes[-1]
    found = registry.resolve(version.reference).bundle.manifest
    assert found.refitted
    assert found.metrics == both[0].bundle.manifest.metrics


@pytest.mark.parametrize("family", ["content_based", "hybrid_recommender"])
def test_the_other_families_do_it_too(family: str, registry: Registry, tmp_path: Path) -> None:
    release = made(tmp_path, registry, family)
    assert release.bundle.manifest.refitted
    assert NEW in recommended(release, registry)


def test_switched_off_the_measured_model_is_served_bit_for_bit(both: tuple[Release, Release], tmp_path: Path) -> None:
    """What was measured before a refit, written out, is what is served without one."""
    from glassworks.families._recommendation.training import export

    whole, cut = both
    artifact = export(whole.model, tmp_path)
    for name in (artifact.file, *artifact.beside):
        assert (cut.bundle.folder / name).read_bytes() == (tmp_path / name).read_bytes(), name


def test_the_report_says_whose_the_metrics_are(both: tuple[Release, Release]) -> None:
    from rich.console import Console

    from glassworks.cli.tables import show_test

    for release, said in zip(both, (True, False), strict=True):
        console = Console(record=True, width=200, file=io.StringIO())
        show_test(release.bundle.manifest, "test", console)
        assert ("measured before the last fit" in console.export_text()) == said
