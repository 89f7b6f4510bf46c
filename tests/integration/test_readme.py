"""The README is true: its commands and its Python run, both languages say the same, links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from glassworks.cli.app import app
from glassworks.config import Job, load_job
from glassworks.errors import DataError

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "README.zh-CN.md")
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("src/**/*.md")]
)


def blocks(document: str, language: str) -> list[str]:
    """The fenced blocks of a language in a document."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_both_languages_show_the_same_blocks() -> None:
    for language in ("bash", "python", "toml", "text"):
        assert blocks("README.md", language) == blocks("README.zh-CN.md", language)
        assert blocks("README.md", language)


def test_every_command_and_every_line_of_python_runs(tmp_path: Path) -> None:
    """In a copy of the examples, with a registry of its own and the commands of this environment."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "GLASSWORKS_HOME": str(tmp_path / "home"), "COLUMNS": "100"}
    for block in blocks("README.md", "bash"):
        for command in block.strip().splitlines():
            done = subprocess.run(command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    for block in blocks("README.md", "python"):
        done = subprocess.run(
            [sys.executable, "-c", block], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("digits@3 ")
    assert (tmp_path / "why.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "exported" / "model.onnx").is_file()


@pytest.mark.parametrize("document", [*DOCUMENTS, "src/glassworks/families/convnet/README.md"])
def test_the_job_files_shown_are_valid(document: str, tmp_path: Path) -> None:
    for block in blocks(document, "toml"):
        (tmp_path / "job.toml").write_text(block, encoding="utf-8")
        job = load_job(tmp_path / "job.toml")
        assert isinstance(job, Job)
        from glassworks.catalog import get
        from glassworks.contracts import Family
        from glassworks.families.convnet import settings

        settings(job)
        with pytest.raises(DataError):
            get(Family, job.family).prepare(job)


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.toml")), ids=lambda path: path.name)
def test_the_job_files_of_the_examples_are_valid(path: Path) -> None:
    from glassworks.families.convnet import settings

    settings(load_job(path))


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)", text):
        if not target.startswith(("http:", "https:", "mailto:")):
            assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"


def test_every_verb_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    verbs = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    assert len(verbs) > 10
    for verb in [*verbs, *(group.name for group in app.registered_groups)]:
        assert f"glassworks {verb}" in text, verb
