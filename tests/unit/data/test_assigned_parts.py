"""Data that name their own parts and groups: kept as they are, checked for copies between them, and told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from glassworks.config import DataConfig
from glassworks.contracts import Dataset
from glassworks.data.assigned import Assigned, part_of
from glassworks.data.collection import Pictures, collect as collect_pictures
from glassworks.data.dataset import prepare_pictures
from glassworks.data.pictures import as_picture
from glassworks.data.splits import Shares, deal
from glassworks.data.text.collection import collect
from glassworks.data.text.dataset import prepare_texts
from glassworks.data.text.keys import TextData
from glassworks.data.text.reader import Columns, Row, read_texts
from glassworks.errors import DataError

PARTS = ("train", "validation", "test")
SHARES = Shares(validation=0.2, test=0.2)
WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "omicron")


def text(number: int) -> str:
    return " ".join(np.random.default_rng(number).choice(WORDS, 8)) + f" {number}"


def prepared(rows: list[Row]) -> Dataset:
    return prepare_texts(collect("test", rows), validation=0.2, test=0.2, seed=0)


def rows_of(parts: list[str], group: str = "") -> list[Row]:
    return [Row(f"row {n}", text(n), "ab"[n % 2], part, group) for n, part in enumerate(parts)]


def test_texts_keep_the_parts_that_the_data_name() -> None:
    dataset = prepared(rows_of(["train"] * 20 + ["validation"] * 6 + ["test"] * 10))
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 20, "validation": 6, "test": 10}
    assert dataset.splits["test"].x.tolist() == [text(n) for n in range(26, 36)]
    assert dataset.findings == ()


@pytest.mark.parametrize("missing", ["validation", "test"])
def test_a_part_that_the_data_lack_is_taken_from_train_and_told(missing: str) -> None:
    other = "test" if missing == "validation" else "validation"
    dataset = prepared(rows_of(["train"] * 40 + [other] * 10))
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 32, missing: 8, other: 10}
    assert f"the data have no part for {missing}: it is taken from train" in dataset.findings


def test_copies_of_test_texts_are_left_out_of_train_and_counted() -> None:
    rows = rows_of(["train"] * 20 + ["validation"] * 6 + ["test"] * 10)
    near = text(30).replace(" ", "  ").upper()
    dataset = prepared([*rows[:20], Row("leak", near, "a", "train"), Row("own", text(25), "b", "train"), *rows[20:]])
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 20, "validation": 6, "test": 10}
    assert text(30) in dataset.splits["test"].x.tolist()
    assert dataset.findings[0].startswith("2 examples are copies, exact or near, of examples of a later part")


def test_a_group_stays_on_one_side() -> None:
    rows = [Row(f"row {n}", text(n), "ab"[n % 2], "", f"author {n // 7}") for n in range(140)]
    dataset = prepared(rows)
    author = {row.text: row.group for row in rows}
    sides = [{author[text] for text in dataset.splits[name].x.tolist()} for name in PARTS]
    assert all(sides) and not sides[0] & sides[1] | sides[0] & sides[2] | sides[1] & sides[2]
    assert sum(map(len, sides)) == 20


def test_groups_and_copies_are_joined_in_chains() -> None:
    joined = Assigned(groups=("x", "", "x", "y", "", "y")).joined(np.array([0, 1, 2, 2, 3, 4]))
    assert len({joined[0], joined[2], joined[3], joined[5]}) == 1
    assert len(set(joined.tolist())) == 3


def test_a_group_in_two_parts_of_the_data_is_an_error() -> None:
    rows = rows_of(["train"] * 10 + ["validation"] * 4 + ["test"] * 4)
    torn = [row._replace(group="p7" if n in (3, 15) else f"g{n}") for n, row in enumerate(rows)]
    with pytest.raises(DataError, match=r"1 groups of data.group are in two parts, for example 'p7' in train and test"):
        prepared(torn)


def test_a_class_that_train_lacks_is_an_error_and_one_that_test_lacks_is_told() -> None:
    rows = rows_of(["train"] * 20 + ["validation"] * 6 + ["test"] * 10)
    with pytest.raises(DataError, match="the train part has no example of c") as caught:
        prepared([*rows, Row("new", text(99), "c", "test")])
    assert "leave data.split out" in caught.value.mend
    assert "1 classes have no example in the test split, so nothing can be measured of them: c" in (
        prepared([*rows, Row("new", text(99), "c", "train")]).findings
    )


def test_a_part_whose_examples_are_all_copies_is_an_error() -> None:
    rows = rows_of(["train"] * 6 + ["test"] * 6)
    with pytest.raises(DataError, match="the part train has no example"):
        prepared([*rows[6:], *(row._replace(part="train") for row in rows[6:])])


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("Train", "train"),
        (" val ", "validation"),
        ("DEV", "validation"),
        ("testing", "test"),
        ("unsupervised", "unlabeled"),
    ],
)
def test_usual_names_of_parts(name: str, part: str) -> None:
    assert part_of(name, "row 1") == part


@pytest.mark.parametrize(("name", "said"), [("", "empty"), ("fold 3", "'fold 3', which is no part")])
def test_other_names_are_refused_by_their_row(name: str, said: str) -> None:
    with pytest.raises(DataError, match=f"t.csv, row 7: the part is {said}") as caught:
        part_of(name, "t.csv, row 7")
    assert "train, validation, test" in caught.value.mend


def test_texts_of_the_unlabeled_part_are_counted_and_left_out() -> None:
    rows = rows_of(["train"] * 30 + ["test"] * 6)
    dataset = prepared([*rows, *(Row(f"u{n}", text(n + 500), "", "unlabeled") for n in range(5))])
    assert dataset.examples == 36
    assert "5 rows are left out, for example u0: it is in a part without labels" in dataset.findings


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_a_column_of_a_table_names_the_part_and_the_group(tmp_path: Path, suffix: str) -> None:
    import polars

    table = polars.DataFrame(
        {
            "text": [text(n) for n in range(40)],
            "label": ["ab"[n % 2] for n in range(40)],
            "fold": ["train"] * 26 + ["val"] * 6 + ["Test"] * 8,
            "patient": [n // 2 for n in range(40)],
        }
    )
    path = tmp_path / f"t.{suffix}"
    if suffix == "jsonl":
        table.write_ndjson(path)
    elif suffix == "parquet":
        table.write_parquet(path)
    else:
        table.write_csv(path, separator="\t" if suffix == "tsv" else ",")
    data = TextData(source=f"{'csv' if suffix == 'tsv' else suffix}:{path}", split="fold", group="patient")
    texts = read_texts(data.source, Columns.of(data))
    assert (texts.assigned.groups[0], texts.assigned.groups[2]) == ("0", "1")
    dataset = prepare_texts(texts, validation=0.2, test=0.2, seed=0)
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 26, "validation": 6, "test": 8}
    plain = read_texts(data.source, Columns.of(TextData(source=data.source)))
    assert plain.fingerprint != texts.fingerprint


def pictures(labels: list[int], assigned: Assigned, seed: int = 0) -> Pictures:
    generator = np.random.default_rng(seed)
    return collect_pictures(
        "test",
        list(generator.integers(0, 256, (len(labels), 10, 10, 1), dtype=np.uint8)),
        as_picture,
        names=[str(n) for n in range(len(labels))],
        labels=np.array(labels, np.int64),
        classes=["good", "bad", "odd"][: max(labels) + 1],
        assigned=assigned,
    )


def of_pictures(found: Pictures) -> Dataset:
    return prepare_pictures(found, DataConfig(source="npz:x"), height=10, width=10, channels=1)


def test_pictures_keep_their_parts_and_groups() -> None:
    parts = ("train",) * 20 + ("validation",) * 8 + ("test",) * 8
    dataset = of_pictures(pictures([n % 2 for n in range(36)], Assigned(parts=parts)))
    assert [len(dataset.splits[name]) for name in PARTS] == [20, 8, 8]
    grouped = pictures([n % 2 for n in range(60)], Assigned(groups=tuple(f"p{n // 4}" for n in range(60))))
    dataset = of_pictures(grouped)
    patient = {picture.tobytes(): n // 4 for n, picture in enumerate(grouped.pictures)}
    sides = [{patient[x.tobytes()] for x in dataset.splits[name].x} for name in PARTS]
    assert all(sides) and sum(map(len, sides)) == 15


def test_a_class_of_two_is_learned_and_measured_and_a_class_of_one_is_told() -> None:
    dataset = of_pictures(pictures([0] * 40 + [1] * 2 + [2], Assigned()))
    assert [np.bincount(dataset.splits[name].y, minlength=3).tolist()[1:] for name in PARTS] == [[1, 1], [0, 0], [1, 0]]
    assert "1 classes have no example in the test split, so nothing can be measured of them: odd" in dataset.findings


def test_too_few_groups_are_an_error() -> None:
    kinds = np.array([n % 2 for n in range(20)])
    groups = Assigned(groups=("a",) * 10 + ("b",) * 10)
    with pytest.raises(DataError, match=r"the part validation has no example: the 2 groups of data.group are too few"):
        deal(kinds, np.arange(20), groups, ("x", "y"), SHARES)
