"""Reports on data: the numbers of examples are those of their preview, lists are bounded, progress is reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.archives import picture, write_zip
from tests.sent import kept_source

from glassworks.contracts import Progress
from glassworks.data.interactions.keys import InteractionData
from glassworks.data.keys import PictureData
from glassworks.data.preview import open_preview
from glassworks.data.reports import Report, report_on
from glassworks.data.text.keys import TextData
from glassworks.errors import Cancelled


class Stages(Progress):
    """Remembers them."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def start(self, stage: str, total: int | None = None) -> None:
        super().start(stage, total)
        self.seen.append(stage)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GLASSWORKS_HOME", str(tmp_path / "home"))
    return tmp_path


def reported(data: Any) -> Report:
    found = report_on(data, Progress())
    assert len(json.dumps(found.model_dump(mode="json"))) < 2**20
    return found


def test_pictures_side_by_side(home: Path) -> None:
    files = {f"{'cat' if each % 2 else 'dog'}/{each:02}.png": picture(each) for each in range(10)}
    files |= {"cat/00-broken.png": b"", "cat/copy.png": picture(1), "dog/wrong.png": picture(3)}
    source = kept_source(home, write_zip(home / "made.zip", dict(files)).read_bytes(), "pets.zip")
    found = reported(PictureData(source=source))
    assert (found.examples, found.distinct, found.class_counts) == (12, 10, {"cat": 6, "dog": 6})
    assert found.unreadable.items[0].name == "cat/00-broken.png"
    assert found.duplicates.total == 2
    looked = open_preview(source)
    for copies in found.duplicates.items:
        one, other = copies.pair
        assert copies.exact
        assert one.index is not None
        assert other.index is not None
        assert looked.thumbnail(one.index) == looked.thumbnail(other.index)
    assert found.contradictions.total == 1
    assert {each.name: each.label for each in found.contradictions.items[0]} == {
        "cat/03.png": "cat",
        "dog/wrong.png": "dog",
    }


def test_texts_and_what_a_leaking_split_pretends(home: Path) -> None:
    words = ["sun", "rain", "wind", "snow", "fog", "hail", "storm", "calm"]
    rows = [
        (f"today there will be {words[each % 8]} over the {words[each // 8 % 8]} number {each * 7919}", each % 8 < 4)
        for each in range(128)
    ]
    rows[5] = (rows[5][0], not rows[5][1])
    lines = [f"{text},{'good' if good else 'bad'}" for text, good in [*rows, *rows[:40]]]
    lines.insert(3, ",good")
    source = kept_source(home, ("text,label\n" + "\n".join(lines)).encode(), "weather.csv")
    progress = Stages()
    found = report_on(TextData(source=source), progress)
    assert progress.seen == ["read", "compare", "classify"]
    assert sum(each.exact for each in found.duplicates.items) == 40
    assert found.duplicates.total == 40 + found.numbers["near_duplicates"]
    assert found.unreadable.total == 1
    assert found.honest_split is not None
    assert found.random_split is not None
    assert found.candidates is not None
    for shown in (*(each for copies in found.duplicates.items for each in copies.pair),):
        assert shown.index is not None
        (example,) = open_preview(source).page(after=shown.index - 1, limit=1).items
        assert example.text == shown.text
    assert any("random split" in str(finding) for finding in found.findings)


def test_lists_are_bounded_and_say_how_many_there_are(home: Path) -> None:
    lines = "".join(f"the same text again,{'good' if each % 2 else 'bad'}\n" for each in range(3000))
    found = reported(TextData(source=kept_source(home, f"text,label\n{lines}".encode(), "same.csv")))
    assert (found.duplicates.total, len(found.duplicates.items)) == (2999, 200)
    assert found.honest_split is None
    assert any("no class has" in str(finding) for finding in found.findings)


def test_texts_without_labels(home: Path) -> None:
    found = reported(TextData(source=kept_source(home, b"one text\nand another\none  text\n", "a.txt"), label=""))
    assert (found.examples, found.distinct, found.class_counts) == (3, 2, {})
    assert found.findings[0].code == "finding.no-labels"


def test_interactions(home: Path) -> None:
    rows = "".join(f"u{each % 9},{each % 7},{each}\n" for each in range(90))
    source = kept_source(home, f"user,item,time\n{rows}".encode(), "events.csv")
    found = reported(InteractionData(source=source, time="time"))
    assert (found.kind, found.examples, found.numbers["users"]) == ("interactions", 90, 9)


def test_it_stops_where_it_is_cancelled(home: Path) -> None:
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        report_on(PictureData(source="sample:digits"), progress)
