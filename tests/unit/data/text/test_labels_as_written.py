"""Labels as people write them: missing ones, alike ones, and the layouts of more than one label a text."""

from __future__ import annotations

import json
from pathlib import Path

import polars
import pytest

from glassworks.data.tabular.format import TableFormat
from glassworks.data.tabular.missing import WORDS
from glassworks.data.text.collection import Texts
from glassworks.data.text.dataset import read_split
from glassworks.data.text.reader import Columns, read_texts
from glassworks.errors import DataError

TEXTS = [f"text number {n}" for n in range(40)]
LABELS = [sorted({("late", "rude", "cold")[n % 3], ("late", "rude")[n % 2]}) for n in range(40)]
NONE_AT = 7
LABELS[NONE_AT] = []


def csv(folder: Path, labels: list[str], name: str = "label") -> str:
    polars.DataFrame({"text": TEXTS[: len(labels)], name: labels}).write_csv(folder / "t.csv")
    return f"csv:{folder / 't.csv'}"


def jsonl(folder: Path, rows: list[str]) -> str:
    (folder / "t.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return f"jsonl:{folder / 't.jsonl'}"


def refusal(source: str, columns: Columns | None = None) -> DataError:
    with pytest.raises(DataError) as caught:
        read_texts(source, columns)
    assert max(len(caught.value.problem), len(caught.value.mend)) <= 300
    return caught.value


def codes(texts: Texts) -> list[str]:
    return [each.code.removeprefix("finding.") for each in texts.findings]


@pytest.mark.parametrize("word", sorted(WORDS))
def test_words_for_what_is_missing_are_no_class(word: str, tmp_path: Path) -> None:
    source = csv(tmp_path, ["good", word, "bad", "good"])
    found = read_texts(source)
    assert (found.classes, len(found)) == (("bad", "good"), 3)
    assert f"'{word}' (1)" in str(found.findings[0])
    assert "data.na = []" in str(found.findings[0])
    assert word in read_texts(source, Columns(form=TableFormat(na=()))).classes


def test_the_words_can_be_named_and_a_word_of_the_language_is_a_class(tmp_path: Path) -> None:
    source = csv(tmp_path, ["good", "-", "bad", "none", "NA"])
    assert read_texts(source).classes == ("-", "bad", "good", "none")
    assert read_texts(source, Columns(form=TableFormat(na=("-", "none")))).classes == ("NA", "bad", "good")


def test_missing_values_of_parquet_and_json(tmp_path: Path) -> None:
    labels = [1.0, None, float("nan"), 0.0]
    polars.DataFrame({"text": TEXTS[:4], "label": labels}).write_parquet(tmp_path / "t.parquet")
    assert read_texts(f"parquet:{tmp_path / 't.parquet'}").classes == ("0", "1")
    rows = ['{"text": "a b", "label": "good"}', '{"text": "c", "label": NaN}', '{"text": "d"}']
    found = read_texts(jsonl(tmp_path, [*rows, '{"text": "e", "label": "bad", "price": NaN},']))
    assert (found.classes, len(found)) == (("bad", "good"), 2)
    assert found.unreadable == (("line 2", "the label is empty"), ("line 3", "the label is empty"))


def test_texts_that_are_a_word_for_nothing_are_kept_and_shown(tmp_path: Path) -> None:
    rows = [("None", "good"), ("a", "bad"), ("null", "good")]
    polars.DataFrame(rows, schema=["text", "label"], orient="row").write_csv(tmp_path / "t.csv")
    source = f"csv:{tmp_path / 't.csv'}"
    assert len(read_texts(source)) == 3
    assert 'data.na = ["None"]' in str(read_texts(source).findings[0])
    assert read_texts(source, Columns(form=TableFormat(na=("null",)))).texts == ("None", "a")


def test_alike_labels_are_shown_with_a_mend_that_works(tmp_path: Path) -> None:
    source = csv(tmp_path, ["bad", "BAD", "bad ", "bad.", "good", "\u00a0good", "Good", "good"])
    found = read_texts(source)
    assert found.classes == ("BAD", "Good", "bad", "bad.", "good")
    assert "'bad' (2), 'BAD' (1), 'bad.' (1)" in str(found.findings[0])
    assert 'data.rename = { "BAD" = "bad", "bad." = "bad", "Good" = "good" }' in str(found.findings[0])
    rename = {"BAD": "bad", "bad.": "bad", "Good": "good"}
    assert read_texts(source, Columns(rename=rename)).classes == ("bad", "good")


def test_whole_numbers_are_one_label_however_they_are_written(tmp_path: Path) -> None:
    assert read_texts(csv(tmp_path, ["0", "1.0", "0.0", "1"])).classes == ("0", "1")
    assert read_texts(csv(tmp_path, ["1.0", "1.5", "1.5", "1"])).classes == ("1", "1.0", "1.5")
    rows = [json.dumps({"text": f"t {n}", "label": label}) for n, label in enumerate([0, 1.0, "1", "0"])]
    assert read_texts(jsonl(tmp_path, rows)).classes == ("0", "1")


def test_bytes_are_texts_however_they_were_written(tmp_path: Path) -> None:
    plain = ["It's late", "灯 is broken"]
    polars.DataFrame({"text": [str(each.encode()) for each in plain], "label": ["a", "b"]}).write_csv(
        tmp_path / "t.csv"
    )
    assert read_texts(f"csv:{tmp_path / 't.csv'}").texts == tuple(plain)
    polars.DataFrame({"text": [each.encode() for each in plain], "label": ["a", "b"]}).write_parquet(
        tmp_path / "t.parquet"
    )
    assert read_texts(f"parquet:{tmp_path / 't.parquet'}").texts == tuple(plain)
    polars.DataFrame({"text": [b"\xff\xfe", b"a"], "label": ["a", "b"]}).write_parquet(tmp_path / "t.parquet")
    assert "row 1: 'text' holds bytes that are not UTF-8" in refusal(f"parquet:{tmp_path / 't.parquet'}").problem


@pytest.mark.parametrize(
    ("row", "problem", "mend"),
    [
        ({"text": ["a", "b"], "label": "x"}, "line 1: 'text' is a list, not a text: ['a', 'b']", "' '.join(words)"),
        ({"text": "['a', 'b']", "label": "x"}, "line 1: 'text' is a list, not a text: ['a', 'b']", "' '.join(words)"),
        ({"text": {"body": "a"}, "label": "x"}, "line 1: 'text' is an object", 'data.text = "text.body"'),
        ({"text": "a", "label": {"name": "x"}}, "line 1: 'label' is an object", 'data.label = "label.name"'),
        ({"body": "a", "label": "x"}, "has no column 'text'", "its columns: body, label"),
    ],
)
def test_what_is_no_text_or_label_is_refused_by_its_row(
    row: dict[str, object], problem: str, mend: str, tmp_path: Path
) -> None:
    error = refusal(jsonl(tmp_path, [json.dumps(row)] * 4))
    assert problem in error.problem
    assert mend in error.mend


def test_what_is_within_objects_can_be_named(tmp_path: Path) -> None:
    rows = [{"data": {"body": f"text {n}"}, "label": {"name": "ab"[n % 2]}} for n in range(4)]
    found = read_texts(jsonl(tmp_path, list(map(json.dumps, rows))), Columns(text="data.body", label="label.name"))
    assert (found.texts[0], found.classes) == ("text 0", ("a", "b"))


def test_json_that_is_no_line_a_row(tmp_path: Path) -> None:
    rows = [{"text": TEXTS[n], "label": "ab"[n % 2]} for n in range(4)]
    for content in (json.dumps(rows), json.dumps(rows, indent=1)):
        assert len(read_texts(jsonl(tmp_path, [content]))) == 4
    columns = {"text": {"0": "a", "1": "b"}, "label": {"0": "x", "1": "y"}}
    assert "to_json(PATH, orient='records', lines=True)" in refusal(jsonl(tmp_path, [json.dumps(columns)])).mend


def expected(found: Texts) -> list[list[str]]:
    return [[found.classes[each] for each, has in enumerate(row) if has] for row in found.targets.tolist()]


@pytest.mark.parametrize("write", [str, json.dumps, lambda each: "[" + " ".join(map(repr, each)) + "]"])
def test_lists_as_text_are_lists(write: object, tmp_path: Path) -> None:
    found = read_texts(csv(tmp_path, [write(each) for each in LABELS]))  # type: ignore[operator]
    assert (expected(found), found.classes) == (LABELS, ("cold", "late", "rude"))
    assert codes(found) == ["lists-of-labels"]


def test_lists_and_objects_of_json_and_lists_of_parquet(tmp_path: Path) -> None:
    rows = [json.dumps({"text": text, "label": each}) for text, each in zip(TEXTS, LABELS, strict=True)]
    assert expected(read_texts(jsonl(tmp_path, rows))) == LABELS
    as_objects = [{name: int(name in each) for name in ("late", "rude", "cold")} for each in LABELS]
    rows = [json.dumps({"text": text, "label": each}) for text, each in zip(TEXTS, as_objects, strict=True)]
    assert expected(read_texts(jsonl(tmp_path, rows))) == LABELS
    polars.DataFrame({"text": TEXTS, "label": LABELS}).write_parquet(tmp_path / "t.parquet")
    assert expected(read_texts(f"parquet:{tmp_path / 't.parquet'}")) == LABELS


@pytest.mark.parametrize("sign", ["|", ";", ",", ", "])
def test_labels_between_signs_are_no_class_and_the_mend_reads_them(sign: str, tmp_path: Path) -> None:
    source = csv(tmp_path, [sign.join(each) for each in LABELS])
    error = refusal(source)
    assert "in 'label' looks like several labels" in error.problem
    separator = sign.strip()
    assert f'data.separator = "{separator}"' in error.mend
    assert expected(read_texts(source, Columns(separator=separator))) == LABELS
    single = read_texts(source, Columns(multi_label=False))
    assert not single.multi_label
    assert sign.join(("late", "rude")) in single.classes


def test_a_sign_in_names_of_classes_separates_nothing(tmp_path: Path) -> None:
    names = ["Food, Drinks", "Home, Garden", "Cars, Bikes"]
    assert read_texts(csv(tmp_path, [names[n % 3] for n in range(30)])).classes == tuple(sorted(names))


@pytest.mark.parametrize("yes", ["1", "True", "1.0", "yes"])
def test_a_column_for_each_label(yes: str, tmp_path: Path) -> None:
    no = {"1": "0", "True": "False", "1.0": "0.0", "yes": "no"}[yes]
    columns = {name: [yes if name in each else no for each in LABELS] for name in ("late", "rude", "cold")}
    polars.DataFrame({"text": TEXTS, **columns}).write_csv(tmp_path / "t.csv")
    source = f"csv:{tmp_path / 't.csv'}"
    assert 'data.labels = ["late", "rude", "cold"]' in refusal(source).mend
    named = Columns(labels=("late", "rude", "cold"))
    assert expected(read_texts(source, named)) == LABELS
    assert read_split(source, {"columns": named.kept()}, ["cold", "late", "rude"]).y.shape == (40, 3)
    polars.DataFrame({"text": ["a", "b"], "late": ["1", "5"]}).write_csv(tmp_path / "t.csv")
    assert "row 2: the column 'late' holds '5'" in refusal(source, Columns(labels=("late",))).problem


def test_rows_of_the_same_text_are_no_contradictions_where_they_are_labels(tmp_path: Path) -> None:
    rows = [(text, label) for text, each in zip(TEXTS, LABELS, strict=True) for label in each]
    polars.DataFrame(rows, schema=["text", "label"], orient="row").write_csv(tmp_path / "t.csv")
    source = f"csv:{tmp_path / 't.csv'}"
    error = refusal(source)
    assert "texts have several rows with different labels" in error.problem
    assert "data.multi_label = true" in error.mend
    found = read_texts(source, Columns(multi_label=True))
    assert expected(found) == [each for each in LABELS if each]
    assert not read_texts(source, Columns(multi_label=False)).multi_label


def test_a_word_for_no_label_is_shown_with_a_mend_that_works(tmp_path: Path) -> None:
    source = csv(tmp_path, ["|".join(each) or "none" for each in LABELS])
    found = read_texts(source, Columns(separator="|"))
    assert "none" in found.classes
    assert "label-for-none" in codes(found)
    found = read_texts(source, Columns(separator="|", rename={"none": ""}))
    assert expected(found) == LABELS


def test_a_column_that_is_there_twice_is_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,label,label\na,x,y\nb,y,x\n")
    assert "has the column 'label' more than once" in refusal(f"csv:{tmp_path / 't.csv'}").problem
    (tmp_path / "t.csv").write_text(",text,note,note,Label\n0,a,1,2,x\n1,b,1,2,y\n")
    assert read_texts(f"csv:{tmp_path / 't.csv'}").classes == ("x", "y")


def test_a_file_without_names_is_told_and_the_mend_reads_it(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("".join(f"a text of words {n},{'ab'[n % 2]}\n" for n in range(6)))
    error = refusal(f"csv:{tmp_path / 't.csv'}")
    assert "its first line looks like data" in error.problem
    assert 'data.header = ["text", "label"]' in error.mend
    columns = Columns(form=TableFormat(header=("text", "label")))
    assert len(read_texts(f"csv:{tmp_path / 't.csv'}", columns)) == 6
