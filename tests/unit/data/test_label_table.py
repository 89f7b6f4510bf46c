"""`labels.csv` beside pictures: the forms people have, splits that keep rare labels, and all that can be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glassworks.config import DataConfig
from glassworks.data import label_table
from glassworks.data.checks import check_pictures
from glassworks.data.dataset import labelled_split, prepare_pictures
from glassworks.data.reader import read_pictures
from glassworks.data.splits import strata
from glassworks.errors import DataError


def noise(path: Path, seed: int, side: int = 12) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index in range(4):
        noise(tmp_path / "yard" / f"{index}.png", index)
    return tmp_path / "yard"


def table(folder: Path, text: str | bytes) -> str:
    (folder / "labels.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    return f"folder:{folder}"


LISTED = "file,labels\n0.png,cat;dog\n1.png,\n2.png,dog\n3.png, cat | dog \n"
COLUMNS = "\ufeffcat,filename,dog\r\n1,0.png,1\r\n0,1.png,0\r\n0,2.png,1\r\n1,3.png,1\r\n"
NOTES = 'file_name,tags,notes\n0.png,dog;cat,"a, b"\n1.png,,\n\n2.png,dog,x\n3.png,cat;dog;cat,1\n'


@pytest.mark.parametrize("text", [LISTED, COLUMNS, NOTES])
def test_the_forms_that_people_have_say_the_same(folder: Path, text: str) -> None:
    pictures = read_pictures(table(folder, text))
    assert pictures.classes == ("cat", "dog")
    assert pictures.names == ("0.png", "1.png", "2.png", "3.png")
    assert pictures.labels.tolist() == [[1, 1], [0, 0], [0, 1], [1, 1]]
    assert [pictures.label(index) for index in range(3)] == ["cat, dog", "none", "dog"]
    assert pictures.fingerprint == read_pictures(table(folder, LISTED)).fingerprint


def test_pictures_may_lie_deeper_and_a_broken_one_is_named(folder: Path) -> None:
    noise(folder / "more" / "4.png", 4)
    (folder / "broken.png").write_bytes(b"no picture")
    pictures = read_pictures(table(folder, LISTED + "more/4.png,cat\nmore\\4.png,cat\nbroken.png,dog\n"))
    assert pictures.names[-1] == "more/4.png"
    assert len(pictures) == 5
    assert pictures.unreadable[0][0] == "broken.png"


@pytest.mark.parametrize(
    ("text", "problem", "mend"),
    [
        (
            "picture_name,labels\nhello,cat\n",
            "has no column 'file'; it has: picture_name, labels",
            "name the pictures'",
        ),
        ("file\n0.png\n", "has no column of labels; it has: file", "write the columns file and labels"),
        ("file,labels\n0.png,cat;dog\nnone.png,dog\n", "line 3: there is no picture 'none.png'", "put it into the"),
        (
            "file,labels\n0.png,cat;dog\n0.png,dog\n",
            "'0.png' has two lines, with the labels 'cat;dog'",
            "one line",
        ),
        ("file,labels\n0.png,cat\n1.png,\n", "holds only one class, 'cat'", "add pictures of another class"),
        ("file,labels\n0.png,\n1.png,\n", "names no label", "write a line for each picture"),
        ("file,labels\n../secret.png,cat;dog\n", "'../secret.png' leads out of the folder", "name pictures from"),
        ("file,labels\n/etc/hosts,cat;dog\n", "'/etc/hosts' leads out of the folder", "name pictures from"),
        ("file,cat,dog\n0.png,1,1\n1.png,1,perhaps\n", "line 3: the column 'dog' holds 'perhaps'", "0 and 1 a label"),
        ("file,labels\n0.png,cat,dog\n", "line 2 has 3 cells", 'in "quotes"'),
        ("file,cat,cat\n0.png,1,1\n", "has the column 'cat' twice", "a name of its own"),
        ("", "is empty", "give a table with a line of column names"),
        ("file,cat,dog\n0.png,1,0\n", "no picture of the class 'dog' can be read", "take the class away"),
        (
            b"file,labels\n0.png,\xc3\xa9t\xc3\xa9\xc3\xa9;\xe9\n",
            "is not valid UTF-8: byte 26 (line 2)",
            "mend that line",
        ),
    ],
)
def test_what_is_wrong_is_an_error_of_two_lines(folder: Path, text: str | bytes, problem: str, mend: str) -> None:
    noise(folder.parent / "secret.png", 9)
    with pytest.raises(DataError) as caught:
        read_pictures(table(folder, text))
    assert problem in caught.value.problem
    assert mend in caught.value.mend
    assert len(str(caught.value).splitlines()) <= 2


def test_a_link_out_of_the_folder_is_refused(folder: Path) -> None:
    noise(folder.parent / "secret.png", 9)
    (folder / "link.png").symlink_to(folder.parent / "secret.png")
    with pytest.raises(DataError, match="leads out of the folder"):
        read_pictures(table(folder, "file,labels\nlink.png,cat;dog\n"))


@pytest.fixture
def yard(tmp_path: Path) -> Path:
    """120 pictures: every third has `common`, one of ten `rare`; one copy agrees, another one contradicts."""
    rows = ["file,labels"]
    for index in range(120):
        noise(tmp_path / f"{index:03}.png", index)
        labels = ["common"] * (index % 3 == 0) + ["rare"] * (index % 10 == 0) + ["odd"] * (index % 2)
        rows.append(f"{index:03}.png,{';'.join(labels)}")
    noise(tmp_path / "agrees.png", 30)
    noise(tmp_path / "contradicts.png", 31)
    rows += ["agrees.png,common;rare", "contradicts.png,common;odd"]
    (tmp_path / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    return tmp_path


def test_copies_stand_together_and_rare_labels_in_every_split(yard: Path) -> None:
    pictures = read_pictures(f"folder:{yard}")
    report = check_pictures(pictures)
    assert report.class_counts == {"common": 42, "odd": 61, "rare": 13}
    assert report.contradictory == (("031.png (odd)", "contradicts.png (common, odd)"),)
    for seed in range(3):
        data = DataConfig(source=f"folder:{yard}", seed=seed)
        dataset = prepare_pictures(pictures, data, height=12, width=12, channels=3)
        rare = dataset.classes.index("rare")
        assert {name: int(split.y[:, rare].sum()) for name, split in dataset.splits.items()} == {
            "train": 9,
            "validation": 2,
            "test": 2,
        }
        assert dataset.examples == 120  # the contradiction is left out
        seen = [{each.tobytes() for each in split.x} for split in dataset.splits.values()]
        assert not seen[0] & seen[1] and not seen[0] & seen[2] and not seen[1] & seen[2]


def test_another_source_counts_in_the_models_labels(folder: Path) -> None:
    pictures = read_pictures(table(folder, "file,labels\n0.png,dog\n1.png,\n"), min_classes=1)
    size = {"height": 12, "width": 12, "channels": 3}
    assert labelled_split(pictures, size, ("cat", "dog")).y.tolist() == [[0, 1], [0, 0]]
    with pytest.raises(DataError, match="classes that the model does not know: dog"):
        labelled_split(pictures, size, ("cat",))


def test_a_picture_stands_for_its_rarest_label() -> None:
    targets = np.array([[1, 1], [1, 0], [1, 0], [0, 0]])
    assert strata(targets).tolist() == [1, 0, 0, 2]


def test_a_table_of_too_many_labels_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_table, "_MOST_TARGETS", 3)
    for name in ("a.png", "b.png"):
        (tmp_path / name).touch()
    (tmp_path / "labels.csv").write_text("file,labels\na.png,x\nb.png,y\n")
    with pytest.raises(DataError, match="has 2 labels for 2 pictures"):
        read_pictures(f"folder:{tmp_path}")
