"""A served language model is measured by a run on a table that somebody uploaded."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from glassworks.control.paths import refuse_paths
from glassworks.data.uploads.store import DataStore
from glassworks.progress import Silent
from glassworks.runs.works.evaluate import Evaluate, EvaluateQuestions, EvaluateRequest

ASKED = "question,answer\r\n" + "".join(f'"问题 {number}：多少，还有呢？",答案 {number}\r\n' for number in range(12))


def test_a_run_measures_on_an_uploaded_table(
    language_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLASSWORKS_HOME", str(language_home))
    content = ASKED.encode("gb18030")
    (tmp_path / "sent").write_bytes(content)
    item = DataStore().keep(tmp_path / "sent", "questions.csv", None, hashlib.sha256(content).hexdigest())
    request = EvaluateRequest(
        model="tiny-language-model", data=item.source, questions=EvaluateQuestions(limit=4, max_tokens=4)
    )
    refuse_paths(request.model_dump())  # nothing of it may be named by programs elsewhere than here
    found = Evaluate().run(request, Silent())
    assert found["examples"] == 4
    assert found["metrics"]["exact_match"]["value"] == 0
    assert found["metrics"]["perplexity"]["value"] > 1
    assert found["about"]["measured"] == "questions"
    assert [row["expected"][:2] for row in found["about"]["rows"]] == ["答案"] * 3
