"""Where texts come from, and what is said when they cannot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import polars
import pytest
from tests.patience import PATIENCE_S

from glassworks.data.text.collection import Texts
from glassworks.data.text.dataset import labelled_split
from glassworks.data.text.reader import Columns, read_texts
from glassworks.errors import DataError, InputError

ROWS = [("a good book", "good"), ("一本坏书", "bad"), ("so, so\nlong\u2028and “quoted”", "good")]


def table(rows: list[tuple[str, str]] = ROWS, text: str = "text", label: str = "label") -> polars.DataFrame:
    return polars.DataFrame({text: [t for t, _ in rows], label: [name for _, name in rows]})


def write(folder: Path, scheme: str, frame: polars.DataFrame) -> str:
    """The rows under a scheme; its source."""
    if scheme == "csv":
        frame.write_csv(folder / "t.csv")
        return f"csv:{folder / 't.csv'}"
    if scheme == "tsv":
        frame.write_csv(folder / "t.tsv", separator="\t")
        return f"csv:{folder / 't.tsv'}"
    if scheme == "jsonl":
        lines = [json.dumps(row, ensure_ascii=False) for row in frame.to_dicts()]
        (folder / "t.jsonl").write_text("\n".join(lines) + "\n\n", encoding="utf-8")
        return f"jsonl:{folder / 't.jsonl'}"
    path = folder / "data" / "train-0.parquet" if scheme == "hf" else folder / "t.parquet"
    path.parent.mkdir(exist_ok=True)
    frame.write_parquet(path)
    return f"hf:{folder}" if scheme == "hf" else f"parquet:{path}"


def pairs(texts: Texts) -> list[tuple[str, str]]:
    return [(text, texts.labels(index)) for index, text in enumerate(texts.texts)]


def refusal(source: str, columns: Columns | None = None) -> InputError:
    with pytest.raises(InputError) as caught:
        read_texts(source, columns)
    assert len(str(caught.value).splitlines()) == 2
    return caught.value


KINDS = ("csv", "tsv", "jsonl", "parquet", "hf")


@pytest.mark.parametrize("kind", KINDS)
def test_every_scheme_reads_the_same(kind: str, tmp_path: Path) -> None:
    texts = read_texts(write(tmp_path, kind, table()))
    assert pairs(texts) == ROWS
    assert texts.classes == ("bad", "good")
    assert texts.fingerprint == read_texts(write(tmp_path, "parquet", table(ROWS[::-1]))).fingerprint


@pytest.mark.parametrize("kind", KINDS)
def test_columns_are_named(kind: str, tmp_path: Path) -> None:
    source = write(tmp_path, kind, table(text="评论", label="stars"))
    assert pairs(read_texts(source, Columns(text="评论", label="stars"))) == ROWS
    error = refusal(source)
    assert "'text'" in error.problem
    assert "name yours: data.text = ..." in error.mend
    assert "'label'" in refusal(source, Columns(text="评论")).problem


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_many_labels_a_text(kind: str, tmp_path: Path) -> None:
    source = write(tmp_path, kind, table([("one", "a|b"), ("two", "b"), ("three", "")]))
    texts = read_texts(source, Columns(separator="|"))
    assert texts.multi_label
    assert texts.targets.tolist() == [[1, 1], [0, 1], [0, 0]]
    assert texts.labels(2) == "none"


def test_lists_of_labels_need_no_separator_in_the_data(tmp_path: Path) -> None:
    frame = polars.DataFrame({"text": ["one", "two"], "label": [["a", "b"], ["b"]]})
    for kind in ("jsonl", "parquet"):
        texts = read_texts(write(tmp_path, kind, frame), Columns(separator="|"))
        assert texts.targets.tolist() == [[1, 1], [0, 1]]


def test_whole_numbers_are_labels_and_blanks_around_one_do_not_count(tmp_path: Path) -> None:
    frame = polars.DataFrame({"text": ["one", "two"], "label": [1.0, 2.0]})
    assert read_texts(write(tmp_path, "parquet", frame)).classes == ("1", "2")
    assert read_texts(write(tmp_path, "csv", table([("one", "a"), ("two", " a "), ("three", "b")]))).classes == (
        "a",
        "b",
    )


def test_empty_texts_and_labels_are_named_and_not_fatal(tmp_path: Path) -> None:
    texts = read_texts(write(tmp_path, "csv", table([*ROWS, ("", "good"), (" \n", "bad"), ("x", "")])))
    assert pairs(texts) == ROWS
    assert texts.unreadable == (
        ("row 4", "the text is empty"),
        ("row 5", "the text is empty"),
        ("row 6", "the label is empty"),
    )


def test_a_megabyte_of_text_is_one_text(tmp_path: Path) -> None:
    long = "很长的文章。" * 60_000
    texts = read_texts(write(tmp_path, "csv", table([*ROWS, (long, "good")])))
    assert texts.texts[-1] == long
    assert len(long.encode()) > 1_000_000


@pytest.mark.parametrize(
    ("name", "content", "problem", "mend"),
    [
        ("e.csv", b"", "/e.csv is empty", "give a table with a line of column names"),
        ("e.csv", b"text,label\n", "holds no row", "give a source with texts and labels"),
        ("e.jsonl", b"", "holds no row", "give a source with texts and labels"),
        ("e.parquet", b"", "is not a Parquet file: ", "write it again as Parquet"),
        ("t.parquet", b"text,label\na,b\n", "is not a Parquet file: ", "write it again as Parquet"),
        (
            "t.csv",
            b"text,label\na,b\nc,d,e\n",
            "t.csv, line 3 has 3 cells, the line of column names 2: c,d,e",
            'put a text that holds , in "quotes"',
        ),
        ("t.csv", b"text,label\na,g\nb,g\n", "holds only one label, 'g'", "name another column: data.label"),
        (
            "t.csv",
            b"text,label\n,g\n,h\n",
            "holds no labelled text: row 1: the text is empty",
            "give texts with labels",
        ),
        ("t.csv", "text,label\néé,é\n".encode() + b"\xff", "/t.csv is not valid UTF-8: byte 19", "mend that line, or"),
        (
            "t.jsonl",
            b'{"text": "a", "label": "b"}\n{"text": \n',
            "t.jsonl, line 2 is not JSON",
            "one JSON object a line",
        ),
        ("t.jsonl", b"[1]\n", "t.jsonl, line 1 is not an object of JSON", "write one JSON object a line"),
        ("t.jsonl", b'{"text": "a"}\n', "t.jsonl has no column 'label'", "data.label = ..."),
        ("none.csv", None, "there is no file", "give the path of a file that exists"),
        ("none.jsonl", None, "there is no file", "give the path of a file that exists"),
        ("none.parquet", None, "there is no file", "give the path of a file that exists"),
    ],
)
def test_damage_is_refused(name: str, content: bytes | None, problem: str, mend: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    error = refusal(f"{name.partition('.')[2]}:{tmp_path / name}")
    assert problem in error.problem
    assert mend in error.mend


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("reviews", "the source 'reviews' is not SCHEME:WHAT"),
        ("csv:", "the source 'csv:' is not SCHEME:WHAT"),
        ("npz:x", "'npz' is no source of texts"),
        ("sample:none", "there is no sample 'none'"),
        ("sample:zh-news", "'sample:zh-news' holds 19,484 texts and no label"),
    ],
)
def test_unknown_sources(source: str, problem: str) -> None:
    assert refusal(source).problem.startswith(problem)


def test_a_folder_without_parquet(tmp_path: Path) -> None:
    assert "holds no Parquet file" in refusal(f"hf:{tmp_path}").problem


@pytest.mark.parametrize("settings", [{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}])
def test_a_hub_that_cannot_be_reached(settings: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "glassworks", "data", "check", "hf:someone/reviews"],
        env={**os.environ, "HF_HOME": str(tmp_path), **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 2
    problem, mend = done.stderr.splitlines()
    assert problem.startswith("error: the data set 'someone/reviews' cannot be loaded from the hub: ")
    assert mend == "mend: check name and network, or give a local copy: hf:FOLDER"


def test_labels_that_the_model_does_not_know(tmp_path: Path) -> None:
    texts = read_texts(write(tmp_path, "csv", table()))
    split = labelled_split(texts, ("worst", "good", "bad"))
    assert split.y.tolist() == [1, 2, 1]
    with pytest.raises(DataError) as caught:
        labelled_split(texts, ("good", "neutral"))
    assert caught.value.problem.endswith("holds labels that the model does not know: bad; it knows good, neutral")
    assert caught.value.mend == "give texts with the model's labels, or train a model with these"
