"""An extension of each kind is one new file, and nothing else: in the package itself, or in another distribution."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[1]
TOYS = Path(__file__).with_name("toys")
HOMES = {
    "toy_explainer": "explanation/methods",
    "toy_exporter": "packaging/exporters",
    "toy_family": "families",
    "toy_grader": "language/evaluation/graders",
    "toy_importer": "packaging/importers",
    "toy_pass": "optimization/passes",
    "toy_quantity": "optimization/quantities",
    "toy_runtime": "runtimes",
    "toy_sample": "data/samples",
    "toy_source": "data/sources",
    "toy_task": "tasks",
    "toy_verb": "cli/verbs",
    "toy_work": "runs/works",
}
"""The file of each toy, and the folder of the package that it belongs into."""
EVERYTHING = r"""
import json, runpy, sys
from pathlib import Path
from typer.testing import CliRunner
from glassworks.cli.app import app

def run(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, (words, done.output, done.exception)
    return done.stdout

def answer(*words):
    return json.loads(run(*words, "--json"))

Path("job.toml").write_text('name = "toy"\nfamily = "toy_family"\n[data]\nsource = "toy:80"\n')
found = {
    "catalog": answer("catalog"),
    "verb": run("toy-verb"),
    "sources": answer("data", "list"),
    "source": answer("data", "check", "toy:40", "--quick"),
    "sample": answer("data", "check", "sample:toy-sample", "--quick"),
    "train": answer("train", "job.toml"),
    "evaluate": answer("evaluate", "toy", "--data", "toy:60"),
    "predict": answer("predict", "toy", "95000 95000 95000 95000"),
    "explain": answer("explain", "toy", "95000 95000 95000 95000", "--method", "toy_explainer"),
    "optimize": answer("optimize", "toy", "--minimize", "size", "--budget", "1s"),
    "export": answer("export", "toy", "out", "--to", "toy_exporter"),
}
from glassworks.catalog import importer_of
from glassworks.registry import Registry
from glassworks.runs import Runs
from glassworks.runs.worker import Worker

Path("model.toy").write_text("low high")
imported = importer_of(Path("model.toy")).read(Path("model.toy"))
found["import"] = [imported.form, imported.labels, len(imported.graph.graph.node)]
runs = Runs(Registry.open())
counting = runs.submit("toy_work", {"most": 5})
Worker(Registry.open()).work(until_empty=True)
found["work"] = runs.get(counting.id).model_dump(mode="json")
if len(sys.argv) > 1:
    generate = runpy.run_path(sys.argv[1])
    found["pages"] = {name: page() for name, page in generate["PAGES"].items()}
print(json.dumps(found))
"""


def _used(folder: Path, path: list[Path], *arguments: str) -> Mapping[str, Any]:
    """What one process with the toys on its path finds, and what it does with them."""
    environment = {**os.environ, "GLASSWORKS_HOME": str(folder / "home"), "PYTHONPATH": os.pathsep.join(map(str, path))}
    done = subprocess.run(
        [sys.executable, "-c", EVERYTHING, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    found: Mapping[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def in_the_package(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """A copy of the package with one more file in the folder of each kind."""
    folder = tmp_path_factory.mktemp("copy")
    package = folder / "src" / "glassworks"
    shutil.copytree(ROOT / "src" / "glassworks", package, ignore=shutil.ignore_patterns("__pycache__"))
    for toy, home in HOMES.items():
        assert (package / home).is_dir()
        shutil.copy(TOYS / f"{toy}.py", package / home / f"{toy}.py")
    return _used(folder, [folder / "src"], str(ROOT / "docs" / "generate.py"))


@pytest.fixture(scope="module")
def in_another_distribution(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """A package of somebody else, which names its modules by entry points."""
    folder = tmp_path_factory.mktemp("other")
    shutil.copytree(TOYS, folder / "toyworks", ignore=shutil.ignore_patterns("__pycache__"))
    about = folder / "toyworks-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toyworks\nVersion: 1\n", encoding="utf-8")
    groups = (f"[glassworks.{toy.removeprefix('toy_')}]\n{toy} = toyworks.{toy}\n" for toy in HOMES)
    (about / "entry_points.txt").write_text("\n".join(groups), encoding="utf-8")
    return _used(folder, [ROOT / "src", folder])


def test_a_toy_is_there_for_each_kind() -> None:
    from glassworks.catalog import kinds

    assert {toy.removeprefix("toy_") for toy in HOMES} == {*kinds(), "verb"}


@pytest.fixture(params=["in_the_package", "in_another_distribution"])
def used(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    found: Mapping[str, Any] = request.getfixturevalue(request.param)
    return found


def test_the_catalog_lists_each(used: Mapping[str, Any]) -> None:
    for kind, listed in used["catalog"].items():
        assert any(name.startswith("toy") for name in listed), kind


def test_the_verb_runs(used: Mapping[str, Any]) -> None:
    assert used["verb"] == "hello\n"


def test_the_source_and_the_sample_are_listed_and_read(used: Mapping[str, Any]) -> None:
    assert "toy" in used["sources"]["schemes"]
    assert "toy-sample" in used["sources"]["samples"]
    assert used["source"]["examples"] == 40
    assert used["sample"]["examples"] == 2


def test_the_family_trains_and_its_task_predicts_and_measures(used: Mapping[str, Any]) -> None:
    assert used["train"]["metrics"]["accuracy"]["value"] == 1
    assert used["evaluate"]["metrics"]["accuracy"]["value"] == 1
    assert used["predict"]["outputs"] == {"label": "high"}


def test_the_explainer_explains(used: Mapping[str, Any]) -> None:
    assert used["explain"]["method"] == "toy_explainer"
    assert used["explain"]["label"] == "high"


def test_the_pass_is_a_candidate_in_the_runtime(used: Mapping[str, Any]) -> None:
    candidates = {each["name"]: each for each in used["optimize"]["candidates"]}
    assert candidates["toy_pass toy_runtime"]["excluded"] == ""
    assert "fp32 toy_runtime" in candidates


def test_the_exporter_writes(used: Mapping[str, Any]) -> None:
    assert used["export"]["files"] == ["out/name.txt"]


def test_the_importer_reads(used: Mapping[str, Any]) -> None:
    assert used["import"] == ["toy_importer", ["low", "high"], 2]


def test_the_reference_pages_list_each(in_the_package: Mapping[str, Any]) -> None:
    pages = in_the_package["pages"]
    for name in ("toy_explainer", "toy_exporter", "toy_family", "toy_pass", "toy_runtime", "toy-sample", "toy-task"):
        assert f"| `{name}` |" in pages["catalog.md"]
    assert "| `toy` | So many texts of four numbers" in pages["catalog.md"]
    assert "`toy:`" in pages["job.md"]
    assert "## `[model]` of the family `toy_family`" in pages["job.md"]
    assert "toy-verb" in pages["cli.md"]


def test_the_work_is_done_as_a_run(used: Mapping[str, Any]) -> None:
    assert (used["work"]["state"], used["work"]["about"], used["work"]["step"]) == ("succeeded", "to 5", 5)
    assert used["work"]["result"] == {"counted": 5}
