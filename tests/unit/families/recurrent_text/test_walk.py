"""Whoever follows a training from the family down to the optimizer's steps opens few files."""

from __future__ import annotations

from pathlib import Path

from benchmarks.walk import training_of, walk

from glassworks.storage import write_atomically


def test_a_training_is_followed_through_at_most_thirteen_files() -> None:
    found = training_of("recurrent_text")
    assert {"families/recurrent_text/training.py", "training/loop.py", "text/tokenization.py"} <= set(found.files)
    assert len(found.files) <= 13


def test_a_walk_through_one_file_returns_to_none(tmp_path: Path) -> None:
    found = walk(lambda: write_atomically(tmp_path / "file", b"x"), parts=("storage.py",))
    assert (found.files, found.returns) == (("storage.py",), 0)
