"""A look at data: quick for large ones, safe for hostile ones, the same numbers as learning will see."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
from PIL import Image
from tests.archives import picture, write_zip
from tests.sent import kept

from glassworks.data.preview import Preview, open_preview
from glassworks.data.uploads.store import DataStore
from glassworks.errors import DataError, InputError, NotFound


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GLASSWORKS_HOME", str(tmp_path / "home"))
    return tmp_path


def look(folder: Path, content: bytes, name: str, kind: Any = None) -> Preview:
    return open_preview(kept(folder, content, name, kind).source)


def pets(folder: Path, **more: bytes) -> bytes:
    files = {f"pets/{'cat' if each % 3 else 'dog'}/{each:02}.png": picture(each) for each in range(12)}
    return write_zip(folder / "made.zip", {**files, **more}).read_bytes()


def test_pictures_by_their_names(home: Path) -> None:
    found = look(home, pets(home), "pets.zip")
    assert (found.kind, found.examples()) == ("pictures", 12)
    assert [(each.name, each.examples) for each in found.classes()] == [("cat", 8), ("dog", 4)]
    first = found.page(limit=5, label="dog")
    assert [each.index for each in first.items] == [8, 9, 10, 11]
    assert first.next is None
    page = found.page(limit=5)
    assert page.next == 4
    assert [each.index for each in found.page(after=4, limit=50).items] == list(range(5, 12))
    assert found.page(label="bird").items == []
    assert Image.open(io.BytesIO(found.thumbnail(0))).size == (12, 12)


@pytest.mark.parametrize("index", [-1, 12, 10**9])
def test_a_picture_that_is_not_there(index: int, home: Path) -> None:
    with pytest.raises(NotFound):
        look(home, pets(home), "pets.zip").thumbnail(index)


def test_a_large_picture_is_small_and_a_huge_one_is_refused(home: Path) -> None:
    written = io.BytesIO()
    Image.fromarray(np.zeros((1500, 3000, 3), np.uint8)).save(written, "JPEG")
    head = bytearray(picture(1))
    head[16:24] = (100_000).to_bytes(4, "big") * 2
    content = write_zip(
        home / "made.zip", {"a/1.jpg": written.getvalue(), "a/2.png": bytes(head), "a/3.png": b"", "b/1.png": b"x"}
    ).read_bytes()
    found = look(home, content, "mixed.zip")
    assert Image.open(io.BytesIO(found.thumbnail(0))).size == (256, 128)
    for index in (1, 2, 3):
        with pytest.raises(InputError):
            found.thumbnail(index)


def test_pictures_with_many_labels(home: Path) -> None:
    labels = "file,labels\n0.png,a;b\n1.png,a\n2.png,\n"
    files = {f"{each}.png": picture(each) for each in range(3)}
    found = look(home, write_zip(home / "made.zip", {**files, "labels.csv": labels.encode()}).read_bytes(), "a.zip")
    assert [(each.name, each.examples) for each in found.classes()] == [("a", 2), ("b", 1)]
    assert [each.label for each in found.page().items] == ["a, b", "a", "none"]


def test_a_table_of_texts(home: Path) -> None:
    rows = "".join(f"{each},this is the text of row {each},{'good' if each % 3 else 'bad'}\n" for each in range(30))
    found = look(home, f"number,review,verdict\n{rows}".encode(), "a.csv")
    assert found.layout().roles == {"text": "review", "label": "verdict"}
    assert [column.kind for column in found.layout().columns] == ["number", "text", "text"]
    assert found.layout().columns[0].sample == ("0", "1", "2")
    assert [(each.name, each.examples) for each in found.classes()] == [("good", 20), ("bad", 10)]
    page = found.page(limit=2, label="bad")
    assert [(each.index, each.label) for each in page.items] == [(0, "bad"), (3, "bad")]
    assert found.page(after=page.next or 0, limit=2, label="bad").items[0].index == 6
    assert page.items[0].row == {"number": "0", "review": "this is the text of row 0", "verdict": "bad"}


def test_json_lines_with_lists_of_labels(home: Path) -> None:
    lines = [{"text": f"a text about {each}", "label": ["x", "y"] if each % 2 else ["x"]} for each in range(10)]
    found = look(home, "\n".join(map(json.dumps, lines)).encode(), "a.jsonl")
    assert [(each.name, each.examples) for each in found.classes()] == [("x", 10), ("y", 5)]
    assert found.page(limit=1, label="y").items[0].index == 1


def test_a_table_of_interactions(home: Path) -> None:
    rows = "".join(f"u{each % 4},{each % 6},{each},{each % 5}\n" for each in range(40))
    found = look(home, f"customer_id,Product ID,date,Rating\n{rows}".encode(), "a.csv")
    assert found.kind == "interactions"
    assert found.layout().roles == {"user": "customer_id", "item": "Product ID", "time": "date", "weight": "Rating"}
    assert found.classes() == ()
    assert found.page(limit=1).items[0].row == {"customer_id": "u0", "Product ID": "0", "date": "0", "Rating": "0"}


def test_lines_of_a_text(home: Path) -> None:
    found = look(home, b"one\n\ntwo\nthree\n", "a.txt")
    assert (found.examples(), found.classes()) == (3, ())
    assert [(each.index, each.text) for each in found.page(after=0).items] == [(1, "two"), (2, "three")]


@pytest.mark.parametrize(
    ("source", "kind", "examples"),
    [
        ("sample:digits", "pictures", 1797),
        ("sample:zh-reviews", "texts", 35_123),
        ("sample:movielens-small", "interactions", 100_004),
    ],
)
def test_samples(source: str, kind: str, examples: int) -> None:
    found = open_preview(source)
    assert (found.kind, found.examples()) == (kind, examples)
    assert len(found.page(limit=3).items) == 3
    assert found.page(limit=3).next == 2


@pytest.mark.parametrize("source", ["folder:/etc", "csv:/etc/passwd", "", "npz:x"])
def test_other_sources_are_not_looked_at(source: str) -> None:
    with pytest.raises(DataError):
        open_preview(source)


def test_what_is_not_there() -> None:
    for source in ("uploaded:" + "0" * 32, "uploaded:../../etc", "sample:nothing", "uploaded:0123", "uploaded"):
        with pytest.raises(NotFound):
            open_preview(source)


def test_a_short_id_is_enough_as_long_as_it_is_one(home: Path) -> None:
    item = kept(home, b"text,label\na b,c\nd e,f\n", "a.csv")
    assert open_preview(f"uploaded:{item.id[:8]}").examples() == 2
    with pytest.raises(NotFound):
        open_preview(f"uploaded:{item.id[:7]}")
    other = DataStore().content(item).parent
    twin = other.with_name(f"{item.id[:8]}{'0' * 24}")
    twin.mkdir()
    (twin / "meta.json").write_bytes((other / "meta.json").read_bytes())
    with pytest.raises(NotFound, match="the ids of 2 begin with"):
        open_preview(f"uploaded:{item.id[:8]}")


def test_a_large_table_is_not_read_to_be_looked_at(home: Path) -> None:
    polars.DataFrame({"user": np.arange(3_000_000) % 1000, "item": np.arange(3_000_000)}).write_parquet(
        home / "a.parquet"
    )
    item = kept(home, (home / "a.parquet").read_bytes(), "a.parquet")
    begun = time.monotonic()
    found = open_preview(item.source)
    assert (found.examples(), len(found.page(limit=50).items)) == (3_000_000, 50)
    assert time.monotonic() - begun < 5
