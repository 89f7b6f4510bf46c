"""`labels.csv` as programs and people save it: read to the same labels and told, or refused in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glassworks.data.checks import check_pictures
from glassworks.data.collection import Pictures
from glassworks.data.keys import PictureData
from glassworks.data.reader import Reading, read_pictures
from glassworks.errors import DataError

ROWS = {f"{index:03}.png": ("ring",) * (index % 2) + ("box",) * (index % 3 == 0) for index in range(12)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index, name in enumerate(ROWS):
        pixels = np.random.default_rng(index).integers(0, 256, (8, 8, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    return tmp_path


def listed(delimiter: str = ",", between: str = ";", head: str = "file,labels", quote: str = "") -> str:
    rows = (f"{name}{delimiter}{quote}{between.join(labels)}{quote}\n" for name, labels in ROWS.items())
    return f"{head.replace(',', delimiter)}\n{''.join(rows)}"


def columns(yes: str, no: str, head: str = "file,ring,box") -> str:
    rows = (
        ",".join((name, *(yes if each in labels else no for each in ("ring", "box")))) for name, labels in ROWS.items()
    )
    return f"{head}\n" + "".join(f"{row}\n" for row in rows)


def saved(folder: Path, text: str | bytes, **keys: Any) -> Pictures:
    (folder / "labels.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    source = f"folder:{folder}"
    return read_pictures(source, Reading.of(PictureData(source=source, **keys)))


def told(found: Pictures) -> str:
    return "\n".join(map(str, check_pictures(found).findings))


SAVED: dict[str, str | bytes] = {
    "plain": listed(),
    "Excel in German": listed(";", ","),
    "semicolons quoted": listed(";", ";", quote='"'),
    "tabs": listed("\t"),
    "mark of UTF-8": b"\xef\xbb\xbf" + listed().encode(),
    "UTF-16": listed().encode("utf-16"),
    "Windows lines": listed().replace("\n", "\r\n"),
    "lines of old Macs": listed().replace("\n", "\r"),
    "case": listed(head="File,Labels"),
    "other words": listed(head="Image Name,Tags"),
    "IMAGE_PATH": listed(head="IMAGE_PATH,category"),
    "blanks": listed(", ", "; ", head="file,labels"),
    "commas": listed(quote='"', between=","),
    "commas and blanks": listed(quote='"', between=", "),
    "lists of Python": listed()
    .replace(",", ",\"['")
    .replace(";", "', '")
    .replace("\n", "']\"\n")
    .replace("file,\"['labels']\"", "file,labels"),
    "index": "\n".join(
        f"{'' if number == 0 else number - 1},{line}" for number, line in enumerate(listed().split("\n")) if line
    ),
    "floats": columns("1.0", "0.0"),
    "TRUE": columns("TRUE", "FALSE"),
    "True": columns("True", "False"),
    "yes": columns("yes", "no"),
    "WAHR": columns("WAHR", "FALSCH"),
    "oui": columns("oui", "non"),
    "commas of decimals": columns("1~0", "0~0").replace(",", ";").replace("~", ","),
    "German": listed(";", ",", head="Datei,Klasse"),
    "other names of columns": listed(head="id,Finding"),
    "minus one": columns("1", "-1"),
    "crosses": columns("x", ""),
    "index and columns": "\n".join(
        f"{'' if number == 0 else number - 1},{line}"
        for number, line in enumerate(columns("1", "0").split("\n"))
        if line
    ),
    "notes and columns": "\n".join(
        f"{line},{'width' if number == 0 else 640 + number}"
        for number, line in enumerate(columns("1", "0").split("\n"))
        if line
    ),
    "Windows paths": listed().replace("0", ".\\0", 1),
    "drives": listed().replace("\n0", "\nC:\\Users\\me\\photos\\0"),
    "home": listed().replace("\n0", "\n/home/me/photos/0"),
    "folders": listed().replace("\n0", "\nphotos/0"),
    "upper": listed().replace(".png", ".PNG"),
    "no suffix": listed().replace(".png", ""),
    "other suffix": listed().replace(".png", ".jpg"),
    "labels.CSV": listed(),
}


@pytest.mark.parametrize("name", SAVED)
def test_what_people_save_says_the_same(name: str, folder: Path) -> None:
    found = saved(folder, SAVED[name])
    wanted = {each: set(labels) for each, labels in ROWS.items()}
    given = {
        each: {found.classes[at] for at in np.flatnonzero(row)}
        for each, row in zip(found.names, found.labels, strict=True)
    }
    assert given == wanted


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "commas",
            "2 cells hold several labels with commas between, such as 'ring,box'; data.separator says otherwise",
        ),
        ("upper", "12 names of pictures in the table differ from their files in case, folders or suffix: '000.PNG' is"),
        ("no suffix", "'000' is read as 000.png"),
        ("drives", "'C:\\Users\\me\\photos\\000.png' is read as 000.png"),
        ("notes and columns", "1 columns of the table hold other things than 0 and 1 and are read as notes: width"),
        ("crosses", "empty cells in the columns of labels are read as 0"),
    ],
)
def test_what_was_understood_is_told(name: str, said: str, folder: Path) -> None:
    assert said in told(saved(folder, SAVED[name]))


def test_a_table_of_another_name(folder: Path) -> None:
    (folder / "Labels.CSV").write_text(listed())
    assert read_pictures(f"folder:{folder}").multi_label


def test_what_is_not_named_is_counted(folder: Path) -> None:
    found = saved(folder, "\n".join(listed().split("\n")[:6]))
    assert len(found) == 5
    assert "7 pictures are not named in the table of labels and are left out: 005.png, 006.png, 007.png" in told(found)


@pytest.mark.parametrize(
    ("text", "problem", "mend"),
    [
        (
            listed().replace("003.png", "03.png"),
            "line 5: there is no picture '03.png'; '003.png' is the nearest",
            "correct",
        ),
        (listed().replace("003.png", "zebra.png"), "line 5: there is no picture 'zebra.png'", "put it into the folder"),
        (columns("1", "0").replace("1", "maybe", 1), "line 2: the column 'box' holds 'maybe'", "0 and 1 a label"),
        (columns("1", "0").replace("1", "-1", 1), "the column 'box' holds '-1'", "0 and 1 a label"),
        (
            listed(between=" ") + "000.png,box\n",
            "'ring box' in 'labels' looks like labels with blanks",
            'data.separator = " "',
        ),
        (
            listed(head="what,labels").replace(".png", ".gone"),
            "has no column 'file'; it has: what, labels",
            "name the pictures' column file",
        ),
    ],
)
def test_what_is_wrong_names_the_line_and_a_mend(text: str, problem: str, mend: str, folder: Path) -> None:
    with pytest.raises(DataError) as caught:
        saved(folder, text)
    assert problem in caught.value.problem
    assert mend in caught.value.mend
    assert max(len(caught.value.problem), len(caught.value.mend)) <= 300


def test_one_class_says_what_was_left_out(folder: Path) -> None:
    with pytest.raises(
        DataError, match=r"only one class, 'ring'.*; 10 files are left out, such as 002.png: the table of"
    ):
        saved(folder, "file,labels\n000.png,ring\n001.png,\n")


def test_a_name_is_never_another_picture(folder: Path) -> None:
    """cat/1.png that is missing is not dog/1.png, and one of two is not chosen."""
    for name in ("cat", "dog"):
        (folder / name).mkdir()
        Image.new("RGB", (8, 8), (1, 2, 3)).save(folder / name / "2.png")
    (folder / "000.png").rename(folder / "cat" / "1.png")
    with pytest.raises(DataError, match=r"there is no picture 'dog/1.png'"):
        saved(folder, "file,labels\ndog/1.png,a;b\n")
    with pytest.raises(DataError, match=r"'2.png' may be any of cat/2.png, dog/2.png"):
        saved(folder, "file,labels\n2.png,a;b\n")
    assert saved(folder, "file,labels\n1.png,a;b\n").names == ("cat/1.png",)


def test_the_separator_is_said(folder: Path) -> None:
    found = saved(folder, 'file,labels\n000.png,"red, big"\n001.png,"red, big;blue"\n002.png,blue\n')
    assert found.classes == ("blue", "red, big")
    assert saved(folder, "file,labels\n000.png,a b\n001.png,b\n002.png,a\n", separator=" ").classes == ("a", "b")


def test_parts_and_groups_of_a_table(folder: Path) -> None:
    rows = "".join(
        f"{name},{';'.join(labels)},{'val' if name > '008' else 'train'},p{name[2]}\n" for name, labels in ROWS.items()
    )
    found = saved(folder, f"file,labels,split,patient\n{rows}", split="split", group="patient")
    assert found.assigned.parts[0] == "train"
    assert found.assigned.parts[-1] == "validation"
    assert found.assigned.groups[3] == "p3"
    with pytest.raises(DataError, match=r"has no column 'fold'"):
        saved(folder, f"file,labels,split,patient\n{rows}", split="fold")


def test_labels_that_look_alike_are_told(folder: Path) -> None:
    assert "'Box' (1), 'box' (3)" in told(saved(folder, listed().replace("box", "Box", 1)))


def test_words_for_nothing_are_no_labels(folder: Path) -> None:
    found = saved(folder, listed().replace("002.png,", "002.png,NaN"))
    assert found.classes == ("box", "ring")
    assert "'NaN' (1)" in told(found)


def test_a_table_without_names_says_how_to_give_them(folder: Path) -> None:
    for first in ("", "P5 "):  # which a picture of another format begins with
        rows = listed().partition("\n")[2].replace("000.png", f"{first}000.png")
        if first:
            (folder / "000.png").rename(folder / f"{first}000.png")
        with pytest.raises(DataError, match="has no line of names") as caught:
            saved(folder, rows)
        assert 'data.header = ["file", "labels"]' in caught.value.mend
        assert len(saved(folder, rows, header=("file", "labels"))) == len(ROWS)


def test_what_was_understood_of_a_table_is_told(folder: Path) -> None:
    text = told(saved(folder, listed(";", ",", head="Datei,Größe").replace("ring", "Kätzchen").encode("cp1252")))
    assert "recognized as Windows-1252" in text
    assert "the column 'Datei' names the pictures" in text
    assert "the column 'Größe' is read as the labels" in text
