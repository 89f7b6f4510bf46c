"""Tables of texts as offices save them: titles, row names, joined files, lost signs, labels that are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from glassworks.data.tabular.missing import trimmed
from glassworks.data.text.collection import Texts
from glassworks.data.text.reader import Columns, read_texts
from glassworks.errors import DataError

ROWS = [(f"the lamp number {n} came late", ("good", "bad")[n % 2]) for n in range(40)]
BODY = "\n".join(f"{text},{label}" for text, label in ROWS)
SOME = ("late", "rude", "cold")


def read(folder: Path, content: str, columns: Columns | None = None, scheme: str = "csv") -> Texts:
    (folder / "t").write_text(content, encoding="utf-8", newline="")
    return read_texts(f"{scheme}:{folder / 't'}", columns)


def codes(texts: Texts) -> list[str]:
    return [each.code.removeprefix("finding.") for each in texts.findings]


def refusal(folder: Path, content: str, columns: Columns | None = None) -> DataError:
    with pytest.raises(DataError) as caught:
        read(folder, content, columns)
    assert max(len(caught.value.problem), len(caught.value.mend)) <= 300
    return caught.value


@pytest.mark.parametrize(
    "content",
    [
        f"Reviews of our shop\n\ntext,label\n{BODY}\n",
        "Reviews of our shop,,\nExported 2024,,\ntext,label,\n" + "".join(f"{a},{b},\n" for a, b in ROWS),
        '"sep=;"\ntext;label\n' + BODY.replace(",", ";"),
        "text,label\n" + "\n".join(f"{n},{text},{label}" for n, (text, label) in enumerate(ROWS, 1)),
        f"\xa0text\xa0,label\u200b\n{BODY}\n\x1a",
        f"text,label\n{BODY}\ntext,label\n",
    ],
    ids=["title", "title with commas", "quoted sep", "names of rows", "invisible signs", "joined files"],
)
def test_what_offices_write_around_a_table_is_not_read(content: str, tmp_path: Path) -> None:
    found = read(tmp_path, content)
    assert list(zip(found.texts, (found.classes[n] for n in found.targets), strict=True)) == ROWS


def test_a_column_of_texts_with_commas_has_no_title(tmp_path: Path) -> None:
    error = refusal(tmp_path, "text\nwell, good\nwell, bad\n")
    assert "only column: text" in error.mend


def test_a_table_without_names_gets_a_mend_in_the_order_of_its_cells(tmp_path: Path) -> None:
    error = refusal(tmp_path, "\n".join(f"{label}\t{text}" for text, label in ROWS))
    assert 'data.header = ["label", "text"]' in error.mend


def test_an_unknown_delimiter_is_asked_for(tmp_path: Path) -> None:
    assert "data.delimiter" in refusal(tmp_path, "text::label\n" + BODY.replace(",", "::")).mend


def test_utf8_saved_twice_is_refused_in_a_table_without_quotation_marks(tmp_path: Path) -> None:
    twice = "text,label\n" + "\n".join(f"{text} cafÃ© schÃ¶n,{label}" for text, label in ROWS)
    assert "saved again" in refusal(tmp_path, twice).problem
    some = f"{twice}\n" + "\n".join(f"{text} again café,{label}" for text, label in ROWS * 2)
    assert "lines-read-twice" in codes(read(tmp_path, some))
    assert codes(read(tmp_path, f"text,label\n{BODY}\nun café,good\n")) == []


@pytest.mark.parametrize("lost", ["caf\ufffd", "??? ?? ????? ??"])
def test_signs_that_were_lost_are_told(lost: str, tmp_path: Path) -> None:
    assert codes(read(tmp_path, f"text,label\n{BODY}\nun {lost},good\n")) == ["lost-signs"]
    assert codes(read(tmp_path, f"text,label\n{BODY}\nreally??? what?,good\n")) == []


def test_labels_that_are_no_classes_are_told(tmp_path: Path) -> None:
    for label in ("2024-01-{n:02} 10:00", "id{n}", "0.{n:02}"):
        content = "text,label\n" + "\n".join(f"{text},{label.format(n=n)}" for n, (text, _) in enumerate(ROWS))
        assert "labels-unlike-classes" in codes(read(tmp_path, content))


def test_swapped_columns_are_refused_with_what_reads_them(tmp_path: Path) -> None:
    content = "text,label\n" + "\n".join(f"{label},{text}" for text, label in ROWS)
    error = refusal(tmp_path, content)
    assert 'data.text = "label" and data.label = "text"' in error.mend
    assert read(tmp_path, content, Columns(text="label", label="text")).classes == ("bad", "good")


def test_labels_that_may_say_nothing_are_told_with_a_way_to_leave_them_out(tmp_path: Path) -> None:
    content = f"text,label\n{BODY}\none more,?\nand one,unknown\n"
    found = read(tmp_path, content)
    assert 'data.rename = { "?" = "", "unknown" = "" }' in str(found.findings[0])
    assert read(tmp_path, content, Columns(rename={"?": "", "unknown": ""})).classes == ("bad", "good")
    signs = "text,label\n" + "\n".join(f"{text},{'+-'[n % 2]}" for n, (text, _) in enumerate(ROWS))
    assert codes(read(tmp_path, signs)) == []


def test_a_column_of_parts_that_is_not_used_is_told(tmp_path: Path) -> None:
    content = "text,label,Split\n" + "\n".join(
        f"{text},{label},{('train', 'val', 'test')[n % 3]}" for n, (text, label) in enumerate(ROWS)
    )
    assert codes(read(tmp_path, content)) == ["column-of-parts"]
    assert codes(read(tmp_path, content, Columns(split="Split"))) == []


@pytest.mark.parametrize("sign", ["/", " + ", "&", "\n", " #", " "])
def test_labels_between_other_signs_are_refused_and_read_by_the_mend(sign: str, tmp_path: Path) -> None:
    several = [[SOME[n % 3], *([SOME[(n + 1) % 3]] if n % 2 else [])] for n in range(40)]
    first = sign.strip() if "#" in sign else ""
    content = "text,label\n" + "\n".join(
        f'{text},"{first}{sign.join(each)}"' for (text, _), each in zip(ROWS, several, strict=True)
    )
    error = refusal(tmp_path, content)
    said = json.dumps(sign.strip() or sign)
    assert f"data.separator = {said}" in error.mend
    assert read(tmp_path, content, Columns(separator=sign.strip() or sign)).classes == tuple(sorted(SOME))
    assert "several labels" in refusal(tmp_path, content, Columns(separator="|")).problem


def test_names_of_more_than_one_word_are_no_several_labels(tmp_path: Path) -> None:
    for labels in (("very good", "very bad", "good", "bad"), ("C++", "C#", "C", "F#"), ("News/World", "News/Sport")):
        content = "text,label\n" + "\n".join(f"{text},{labels[n % len(labels)]}" for n, (text, _) in enumerate(ROWS))
        assert not read(tmp_path, content).multi_label


def test_lists_of_one_label_are_told_and_read_as_one(tmp_path: Path) -> None:
    content = "".join(json.dumps({"text": text, "label": [label]}) + "\n" for text, label in ROWS)
    assert codes(read(tmp_path, content, scheme="jsonl")) == ["lists-of-one"]
    found = read(tmp_path, content, Columns(multi_label=False), "jsonl")
    assert (found.classes, found.multi_label) == (("bad", "good"), False)


def test_a_document_with_one_list_of_objects_is_read(tmp_path: Path) -> None:
    rows = [{"text": text, "label": label} for text, label in ROWS]
    for indent in (None, 2):
        found = read(tmp_path, json.dumps({"version": 1, "data": rows}, indent=indent), scheme="jsonl")
        assert (len(found), codes(found)) == (40, ["list-within"])


def test_trimmed_takes_what_cannot_be_seen() -> None:
    assert trimmed("\ufeff\u200bgood job\u2060\xa0\u3000") == "good job"
