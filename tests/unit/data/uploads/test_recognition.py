"""What a file is, by its content; what is unclear is refused with what to do."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import polars
import pytest
from tests.archives import picture, write_zip

from glassworks.data.uploads.records import Item
from glassworks.data.uploads.store import DataStore
from glassworks.errors import DataError

REVIEWS = "text,label\n" + "".join(f"a text of {each} words,{'good' if each % 2 else 'bad'}\n" for each in range(30))
EVENTS = "user,item,time,rating\n" + "".join(f"u{each % 7},{each % 5},{each},{each % 5 + 1}\n" for each in range(60))
CHINESE = "内容,标签\n" + "".join(
    f"这是第{each}条很长的评论，我非常喜欢这本书,{'好' if each % 2 else '坏'}\n" for each in range(30)
)


def kept(tmp_path: Path, content: bytes, name: str, kind: Any = None) -> tuple[DataStore, Item]:
    file = tmp_path / "sent"
    file.write_bytes(content)
    store = DataStore(tmp_path / "home")
    return store, store.keep(file, name, kind, hashlib.sha256(content).hexdigest())


def refusal(tmp_path: Path, content: bytes, name: str, kind: Any = None) -> DataError:
    with pytest.raises(DataError) as caught:
        kept(tmp_path, content, name, kind)
    assert not [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    return caught.value


def zipped(tmp_path: Path, files: dict[str, bytes]) -> bytes:
    return write_zip(tmp_path / "made.zip", dict(files)).read_bytes()


def test_pictures_in_a_zip(tmp_path: Path) -> None:
    content = zipped(tmp_path, {f"pets/{'cat' if each % 2 else 'dog'}/{each}.png": picture(each) for each in range(8)})
    _, item = kept(tmp_path, content, "anything.bin")
    assert (item.kind, item.form, item.examples) == ("pictures", "folder", 8)


def test_pictures_with_a_table_of_labels(tmp_path: Path) -> None:
    files = {f"all/{each}.png": picture(each) for each in range(4)}
    labels = "file,labels\n" + "".join(f"{each}.png,{'a;b' if each % 2 else 'a'}\n" for each in range(4))
    _, item = kept(tmp_path, zipped(tmp_path, {**files, "all/labels.csv": labels.encode()}), "labelled.zip")
    assert (item.kind, item.examples) == ("pictures", 4)


def test_what_is_left_out_of_a_zip_is_told(tmp_path: Path) -> None:
    files = {f"pets/{'cat' if each % 2 else 'dog'}/photo{each}": picture(each, kind="JPEG") for each in range(8)}
    others = {
        "pets/top.png": picture(9),
        "pets/read.me": b"x",
        "__MACOSX/pets/._a.png": b"x",
        "pets/dog /x.png": picture(7),
    }
    _, item = kept(tmp_path, zipped(tmp_path, {**files, **others}), "sent.zip")
    assert item.examples == 9
    assert item.notes == (
        "1 files that are no pictures were left out: read.me",
        "1 files that systems add were left out: __MACOSX/pets/._a.png",
        "'dog' is one class: 'dog', 'dog ' differ in blanks or in how Unicode writes them",
        "1 pictures lie outside the class folders and are left out: top.png",
    )


def test_parts_in_a_zip_are_kept_and_told(tmp_path: Path) -> None:
    files = {f"{part}/{name}/1.png": picture(7) for part in ("train", "test") for name in ("cat", "dog")}
    _, item = kept(tmp_path, zipped(tmp_path, files), "sent.zip")
    assert item.examples == 4
    assert item.notes == ('the folders test, train are parts, which data.split = "folders" keeps',)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"1.png": b"x", "2.png": b"x"}, "2 pictures but no subfolder"),
        ({"cat/1.png": b"x"}, "only one class, 'cat'"),
        ({"train/1.png": b"x", "test/2.png": b"x"}, "these are splits, not classes"),
        ({"a.txt": b"x", "b.txt": b"x"}, "2 files, and none is a picture"),
        ({".DS_Store": b"x"}, "no file"),
        ({"inner.zip": b"PK\x03\x04..."}, "holds another archive, 'inner.zip'"),
        ({"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b"<x/>"}, "is an Office document"),
    ],
)
def test_a_zip_that_is_no_data(files: dict[str, bytes], said: str, tmp_path: Path) -> None:
    error = refusal(tmp_path, zipped(tmp_path, files), "sent.zip")
    assert said in error.problem
    assert "'sent.zip'" in error.problem
    assert str(tmp_path) not in str(error)


@pytest.mark.parametrize(
    ("content", "name", "form", "kind", "examples"),
    [
        (REVIEWS, "reviews.csv", "csv", "texts", 30),
        (REVIEWS, "reviews", "csv", "texts", 30),
        (REVIEWS.replace(",", "\t"), "reviews.tsv", "tsv", "texts", 30),
        (REVIEWS.replace(",", ";"), "reviews.csv", "csv", "texts", 30),
        (EVENTS, "events.csv", "csv", "interactions", 60),
        (CHINESE, "评论.csv", "csv", "texts", 30),
        ("one\n\ntwo, and three\nfour\n", "lines.txt", "text", "texts", 3),
        ("text\nfirst of all\nsecond of all\n", "alone.csv", "csv", "texts", 2),
    ],
)
def test_tables_and_texts(content: str, name: str, form: str, kind: str, examples: int, tmp_path: Path) -> None:
    _, item = kept(tmp_path, content.encode(), name)
    assert (item.form, item.kind, item.examples) == (form, kind, examples)


@pytest.mark.parametrize(
    ("encoding", "note"),
    [("utf-8-sig", None), ("utf-16", "UTF-16"), ("utf-16-le", "UTF-16-LE"), ("gb18030", "GB18030")],
)
def test_any_encoding_becomes_utf8(encoding: str, note: str | None, tmp_path: Path) -> None:
    store, item = kept(tmp_path, CHINESE.encode(encoding), "评论.csv")
    assert store.content(item).read_text(encoding="utf-8") == CHINESE
    assert item.notes == ((f"converted from {note}",) if note else ())


def test_json_lines_and_parquet_and_a_table_in_a_zip(tmp_path: Path) -> None:
    lines = "".join(json.dumps({"text": f"text {each}", "label": str(each % 2)}) + "\n" for each in range(20))
    assert kept(tmp_path, lines.encode(), "a.txt")[1].form == "jsonl"
    polars.DataFrame({"user": [1, 2], "item": [3, 4]}).write_parquet(tmp_path / "a.parquet")
    _, item = kept(tmp_path, (tmp_path / "a.parquet").read_bytes(), "events")
    assert (item.form, item.kind, item.examples) == ("parquet", "interactions", 2)
    store, item = kept(tmp_path, zipped(tmp_path, {"deep/er/reviews.csv": REVIEWS.encode()}), "sent.zip")
    assert (item.form, item.kind) == ("csv", "texts")
    assert sorted(path.name for path in store.content(item).parent.iterdir()) == ["content.csv", "meta.json"]


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"", "empty.csv", "is empty"),
        (b" \n \n", "blank.csv", "nothing but blanks"),
        (b"\x1f\x8b\x08abc", "a.csv.gz", "packed by gzip"),
        (b"%PDF-1.7", "a.csv", "is a PDF"),
        (picture(1), "cat.png", "is one picture"),
        (b"a,b\n1,2\n1,2,3\n", "a.csv", "row 2 has 3 values"),
        (b"1,2\n3,4\n", "a.csv", "'1' is no name of a column"),
        (b"a,a\n3,4\n", "a.csv", "'a' is no name of a column of its own"),
        (b"a,b\n", "a.csv", "holds no row"),
        (b'a,b\n"x,1\n', "a.csv", "is no table"),
        (b"a,b\nc,d\n", "a.txt", "could be a table or a text"),
        (b"[1, 2]", "a.json", "does not begin with a JSON object"),
        (b'{"a": 1}\nx\n', "a.jsonl", "line 2 is no JSON object"),
        (b"\x00\x01\x02" * 100, "a.bin", "zero bytes"),
        (b"PAR1 and nothing", "a.parquet", "is no table"),
        (b"PK\x03\x04 and nothing", "a.zip", "not a whole zip archive"),
    ],
)
def test_what_is_unclear_is_refused(content: bytes, name: str, said: str, tmp_path: Path) -> None:
    error = refusal(tmp_path, content, name)
    assert said in error.problem
    assert error.mend
    assert str(tmp_path) not in str(error)


def test_another_kind_than_was_said_is_refused(tmp_path: Path) -> None:
    assert "holds no pictures" in refusal(tmp_path, REVIEWS.encode(), "a.csv", "pictures").problem
    content = zipped(tmp_path, {"a/1.png": picture(1), "b/2.png": picture(2)})
    assert "holds pictures, not texts" in refusal(tmp_path, content, "a.zip", "texts").problem
    assert "is no table" in refusal(tmp_path, b"one line\nand two\n", "a.txt", "interactions").problem


def test_a_table_that_could_be_both_has_no_kind_until_somebody_says_it(tmp_path: Path) -> None:
    rows = "".join(f"u{each},{each},the {each} book is one that I would read again and again,5\n" for each in range(9))
    content = f"user,item,review,stars\n{rows}".encode()
    _, item = kept(tmp_path, content, "both.csv")
    assert item.kind is None
    _, again = kept(tmp_path, content, "both.csv", "texts")
    assert (again.id, again.kind) == (item.id, "texts")
    assert kept(tmp_path, content, "both.csv")[1].kind == "texts"
    with pytest.raises(DataError, match="holds no pictures"):
        kept(tmp_path, content, "both.csv", "pictures")
