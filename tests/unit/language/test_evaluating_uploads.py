"""A language model measured on what people upload: questions and answers in each form that is taken."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import polars
import pytest
from tests.archives import write_zip
from tests.unit.language.test_evaluating import Scripted, on

from glassworks.data.uploads.store import DataStore
from glassworks.errors import DataError
from glassworks.locations import home_of

ASKED = [(f"问题 {number}：多少，还有呢？", f"答案 {number}") for number in range(12)]
MODEL = dict(ASKED[:9])


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSWORKS_HOME", str(tmp_path / "home"))


def uploaded(folder: Path, content: bytes, name: str) -> str:
    file = folder / "sent"
    file.write_bytes(content)
    return DataStore().keep(file, name, None, hashlib.sha256(content).hexdigest()).source


def written(separator: str) -> str:
    lines = [("question", "answer"), *ASKED]
    return "\r\n".join(separator.join(f'"{cell}"' for cell in line) for line in lines) + "\r\n"


def lines(rows: list[dict[str, object]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def parquet(folder: Path) -> bytes:
    polars.DataFrame(ASKED, schema=["question", "answer"], orient="row").write_parquet(folder / "made.parquet")
    return (folder / "made.parquet").read_bytes()


PAIRS: list[dict[str, object]] = [{"question": asked, "answer": known} for asked, known in ASKED]
TALKS: list[dict[str, object]] = [
    {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": known}]}
    for asked, known in ASKED
]
FORMS = {
    "plain.csv": written(",").encode(),
    "from Excel with a mark.csv": written(",").encode("utf-8-sig"),
    "from a Chinese Excel.csv": written(",").encode("gb18030"),
    "semicolons.csv": written(";").encode(),
    "tabs.tsv": written("\t").encode(),
    "Unicode text of Excel.tsv": written("\t").encode("utf-16"),
    "lines.jsonl": lines(PAIRS),
    "lines with a mark.jsonl": b"\xef\xbb\xbf" + lines(PAIRS),
    "talks.jsonl": lines(TALKS),
    "table.parquet": b"",
}


@pytest.mark.parametrize("name", FORMS)
def test_each_form_that_people_send_gives_the_same_figures(tmp_path: Path, name: str) -> None:
    found = on(uploaded(tmp_path, FORMS[name] or parquet(tmp_path), name), Scripted(MODEL))
    assert found.metrics["exact_match"].value == pytest.approx(9 / 12)
    assert found.examples == 12
    assert found.about["measured"] == ("conversations" if name.startswith("talks") else "questions")


def test_one_table_in_a_zip_is_read_too(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "made.zip", {"inner.csv": FORMS["plain.csv"]}).read_bytes()
    assert on(uploaded(tmp_path, archive, "made.zip"), Scripted(MODEL)).examples == 12


def test_texts_alone_have_a_perplexity(tmp_path: Path) -> None:
    source = uploaded(tmp_path, b"One line of text.\nAnother line of text.\n", "notes.txt")
    assert set(on(source, Scripted({})).metrics) == {"perplexity"}


def test_an_office_document_is_refused_with_what_to_do(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "made.zip", {"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<w/>"})
    with pytest.raises(DataError, match="is an Office document") as refused:
        uploaded(tmp_path, archive.read_bytes(), "questions.xlsx")
    assert refused.value.mend == "save its table as CSV"


def test_a_broken_line_is_named_by_the_name_that_was_sent(tmp_path: Path) -> None:
    content = lines(PAIRS) + b'{"question": "cut o\n'
    with pytest.raises(DataError) as refused:
        on(uploaded(tmp_path, content, "mine.jsonl"), Scripted(MODEL))
    assert "mine.jsonl" in refused.value.problem
    assert "13" in refused.value.problem
    assert str(home_of()) not in refused.value.problem + refused.value.mend
