"""Tables become interactions: ids as given, order, copies, likes; and what cannot be used is reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest

from glassworks.data.interactions.checks import check_interactions
from glassworks.data.interactions.collection import Interactions
from glassworks.data.interactions.keys import InteractionData
from glassworks.data.interactions.reading import read_interactions
from glassworks.errors import DataError, InputError

EVENTS = "who,what,when,stars\nb,7,300,5\na,9,100,2\nb,9,200,4\na,7,100,5\n"
ROLES: dict[str, Any] = {"user": "who", "item": "what", "time": "when", "weight": "stars"}


def read(folder: Path, text: str = EVENTS, **roles: Any) -> Interactions:
    path = folder / "events.csv"
    path.write_text(text, encoding="utf-8")
    return read_interactions(InteractionData(source=f"csv:{path}", **{**ROLES, **roles}))


def events(log: Interactions) -> list[tuple[Any, Any, float]]:
    return [
        (log.users[int(u)], log.items[int(i)], float(w)) for u, i, w in zip(log.user, log.item, log.weight, strict=True)
    ]


def refused(folder: Path, text: str = EVENTS, **roles: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        read(folder, text, **roles)
    return caught.value


def test_events_stand_in_the_order_of_time_then_of_ids(tmp_path: Path) -> None:
    log = read(tmp_path)
    assert events(log) == [("a", 7, 5.0), ("a", 9, 2.0), ("b", 9, 4.0), ("b", 7, 5.0)]
    assert log.time is not None
    assert log.time.tolist() == [100, 100, 200, 300]


def test_without_times_they_stand_as_in_the_source(tmp_path: Path) -> None:
    log = read(tmp_path, time="")
    assert log.time is None
    assert events(log)[0] == ("b", 7, 5.0)


def test_a_threshold_says_what_is_liked(tmp_path: Path) -> None:
    assert read(tmp_path, positive=4).liked.tolist() == [True, False, True, True]
    assert read(tmp_path).liked.all()


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["7", "12"], [7, 12]),
        (["007", "12"], ["007", "12"]),
        (["7", "x"], ["7", "x"]),
        (["-3", "4"], [-3, 4]),
        (["99999999999999999999", "1"], ["1", "99999999999999999999"]),
        (["书", "é"], ["é", "书"]),
    ],
)
def test_ids_of_a_csv_are_kept_as_given(given: list[str], wanted: list[Any], tmp_path: Path) -> None:
    text = "who,what,when,stars\n" + "".join(f"{user},{item},1,1\n" for user in given for item in (1, 2))
    assert read(tmp_path, text).users.to_list() == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (polars.Series([3, 1], dtype=polars.UInt8), [1, 3]),
        (polars.Series([3.0, 1.0]), [1, 3]),
        (polars.Series(["b", "a"], dtype=polars.Categorical), ["a", "b"]),
        (polars.Series([True, False]), ["false", "true"]),
        (polars.Series([2**63 + 1, 5], dtype=polars.UInt64), ["5", str(2**63 + 1)]),
    ],
)
def test_ids_of_parquet_are_kept_as_given(given: polars.Series, wanted: list[Any], tmp_path: Path) -> None:
    frame = polars.DataFrame({"user": given.gather([0, 0, 1]), "item": ["x", "y", "x"]})
    frame.write_parquet(tmp_path / "e.parquet")
    log = read_interactions(InteractionData(source=f"parquet:{tmp_path / 'e.parquet'}"))
    assert log.users.to_list() == wanted
    assert log.likes().nnz == 3


def test_a_folder_of_parquet_is_one_table(tmp_path: Path) -> None:
    for part, user in enumerate("ab"):
        polars.DataFrame({"user": [user] * 2, "item": [1, 2]}).write_parquet(tmp_path / f"{part}.parquet")
    assert read_interactions(InteractionData(source=f"parquet:{tmp_path}")).shape == (2, 2)


def test_of_copies_the_last_one_counts(tmp_path: Path) -> None:
    log = read(tmp_path, EVENTS + "b,7,300,1\na,9,900,5\n", positive=4)
    assert len(log) == 5
    assert any("1 of 6 rows repeat user, item and time" in str(finding) for finding in log.findings)
    assert sorted(log.likes().data.tolist()) == [1.0, 1.0, 1.0]
    met = {(log.users[int(u)], log.items[int(i)]) for u, i in zip(*log.likes().nonzero(), strict=True)}
    assert met == {("a", 7), ("a", 9), ("b", 9)}
    report = check_interactions(log)
    assert (report.examples, report.distinct, report.duplicates, report.contradictions) == (5, 4, 1, 1)


@pytest.mark.parametrize(
    ("line", "finding"),
    [
        (",7,400,5", "1 rows have no user and are left out, such as row 5"),
        ("null,7,400,5", "1 rows have no user and are left out, such as row 5: 'null'"),
        ("b,,400,5", "1 rows have no item and are left out, such as row 5"),
        ("b,7,400,nan", "1 rows have a weight that is no finite number and are left out, such as row 5: 'nan'"),
        ("b,7,400,much", "1 rows have a weight that is no finite number and are left out, such as row 5: 'much'"),
        ("b,7,400,", "1 rows have a weight that is no finite number and are left out, such as row 5"),
        ("b,7,,5", "1 rows have a time that is neither a number nor a date and are left out, such as row 5"),
    ],
)
def test_rows_that_cannot_be_used_are_reported(line: str, finding: str, tmp_path: Path) -> None:
    log = read(tmp_path, f"{EVENTS}{line}\n")
    assert len(log) == 4
    assert finding in map(str, log.findings)


def test_negative_weights_are_seen_and_not_liked(tmp_path: Path) -> None:
    log = read(tmp_path, EVENTS + "b,11,400,-1\n")
    assert int(log.liked.sum()) == 4
    assert "1 interactions have a weight of 0 or less: they are seen, not liked" in map(str, log.findings)
    assert log.met().nnz == 5


def test_ratings_without_a_threshold_are_reported(tmp_path: Path) -> None:
    assert any("look like ratings from 2 to 5" in str(finding) for finding in read(tmp_path).findings)
    assert not any("look like ratings" in str(finding) for finding in read(tmp_path, positive=4).findings)


@pytest.mark.parametrize(
    ("times", "wanted"),
    [
        (["2024-01-02", "1990-01-01"], [631152000, 1704153600]),
        (["2024-01-02 00:00:01", "2024-01-02T00:00:00Z"], [1704153600, 1704153601]),
        (["2024-01-02T01:00:00+01:00", "2024-01-02T00:00:03"], [1704153600, 1704153603]),
        (["1704153600000", "1704153601000"], [1704153600, 1704153601]),
        (["12.5", "3"], [3, 12]),
    ],
)
def test_times_are_numbers_or_dates(times: list[str], wanted: list[int], tmp_path: Path) -> None:
    lines = [f"{user},{item},{time},1" for (user, item), time in zip((("a", 1), ("b", 2)), times, strict=True)]
    log = read(tmp_path, "\n".join(["who,what,when,stars", *lines]) + "\n")
    assert log.time is not None
    assert log.time.tolist() == wanted


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    error = refused(tmp_path, user="customer")
    assert "has no column 'customer'" in error.problem
    assert "its columns: who, what, when, stars; name yours: data.user" in error.mend


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("who,what,when,stars\n", "no usable interaction: no row"),
        ("who,what,when,stars\n,1,1,1\n,2,1,1\n", "rows have no user"),
        ("who,what,when,stars\na,1,1,nan\nb,2,1,nan\n", "rows have a weight that is no finite number"),
        ("who,what,when,stars\na,1,soon,1\nb,2,later,1\n", "are neither numbers nor dates, such as soon"),
        ("who,what,when,stars\na,1,1,1\na,2,1,1\n", "holds one user only"),
        ("who,what,when,stars\na,1,1,1\nb,1,1,1\n", "holds one item only"),
        ("who,what,when,stars\na,1,1,-1\nb,2,1,0\n", "no interaction is liked"),
        ("", "is empty"),
    ],
)
def test_nothing_to_learn_from(text: str, problem: str, tmp_path: Path) -> None:
    assert problem in refused(tmp_path, text).problem


def test_all_ratings_below_the_threshold(tmp_path: Path) -> None:
    error = refused(tmp_path, positive=9)
    assert error.problem.endswith("no interaction is liked: the largest weight is 5")
    assert "set data.positive below it; it is 9" in error.mend


def test_ids_that_are_fractions(tmp_path: Path) -> None:
    polars.DataFrame({"user": [1.5, 2.0], "item": [1, 2]}).write_parquet(tmp_path / "e.parquet")
    with pytest.raises(DataError, match="are fractions"):
        read_interactions(InteractionData(source=f"parquet:{tmp_path / 'e.parquet'}"))


@pytest.mark.parametrize("source", ["folder:x", "csv:none.csv", "parquet:none.parquet", "sample:none"])
def test_sources_that_hold_no_interactions(source: str) -> None:
    with pytest.raises(InputError):
        read_interactions(InteractionData(source=source))


def test_a_file_that_is_no_parquet(tmp_path: Path) -> None:
    (tmp_path / "e.parquet").write_text("no table", encoding="utf-8")
    with pytest.raises(DataError, match="is not a Parquet file"):
        read_interactions(InteractionData(source=f"parquet:{tmp_path / 'e.parquet'}"))


def test_the_item_table_brings_items_that_nobody_met(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("what,kind,price\n9,a|b,1.5\n7,,x\n8,c,2\n9,z,3\n", encoding="utf-8")
    items: dict[str, Any] = {"items": f"csv:{tmp_path / 'items.csv'}", "categories": ("kind",), "numbers": ("price",)}
    log = read(tmp_path, separator="|", **items)
    assert log.items.to_list() == [7, 8, 9]
    assert log.table["kind"].to_list() == [None, ["c"], ["a", "b"]]
    assert log.table["price"].to_list() == [None, 2.0, 1.5]
    assert events(log)[0] == ("a", 7, 5.0)
    assert any("1 rows of the item table repeat an id" in str(finding) for finding in log.findings)


def test_ids_of_both_tables_meet_even_as_text(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("what,kind\n9,a\nx7,b\n", encoding="utf-8")
    log = read(tmp_path, items=f"csv:{tmp_path / 'items.csv'}", categories=("kind",))
    assert log.items.to_list() == ["7", "9", "x7"]
    assert log.table["kind"].to_list() == [None, ["a"], ["b"]]


def test_the_item_table_without_a_column(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("what\n9\n", encoding="utf-8")
    error = refused(tmp_path, items=f"csv:{tmp_path / 'items.csv'}", categories=("kind",))
    assert "has no column 'kind'" in error.problem
    assert "data.categories" in error.mend


def test_the_fingerprint_knows_every_event(tmp_path: Path) -> None:
    first = read(tmp_path).fingerprint
    rows = EVENTS.splitlines()
    assert read(tmp_path, "\n".join([rows[0], *reversed(rows[1:])]) + "\n").fingerprint == first
    assert read(tmp_path, EVENTS.replace("300", "301")).fingerprint != first


def test_movielens_is_keyed_by_film_and_not_by_title() -> None:
    log = read_interactions(InteractionData(source="sample:movielens-small", positive=4))
    assert (len(log), *log.shape, int(log.liked.sum())) == (100_004, 671, 9_066, 51_568)
    assert log.table["title"].drop_nulls().n_unique() < len(log.table["title"].drop_nulls())
    assert np.all(np.diff(log.items.to_numpy()) > 0)


def _items(folder: Path, ids: list[str]) -> dict[str, Any]:
    lines = "".join(f"{each},k{number % 2}\n" for number, each in enumerate(ids))
    (folder / "items.csv").write_text("what,kind\n" + lines, encoding="utf-8")
    return {"items": f"csv:{folder / 'items.csv'}", "categories": ("kind",)}


MET = [100, 101, 102, 103]


@pytest.mark.parametrize(
    ("events", "table", "difference"),
    [
        ([str(each) for each in MET], [f"{each:06}" for each in MET], "zeros in front"),
        ([f"sku{each}" for each in MET], [f"SKU{each}" for each in MET], "upper and lower case"),
        ([f"item_{each}" for each in MET], [str(each) for each in MET], "letters or signs in front of the number"),
        ([f"a {each}" for each in MET], [f"a{each}" for each in MET], "spaces within"),
        ([f"x{each}.0" for each in MET], [f"x{each}" for each in MET], "an ending .0"),
    ],
)
def test_tables_that_do_not_join_are_refused_with_what_differs(
    events: list[str], table: list[str], difference: str, tmp_path: Path
) -> None:
    text = "who,what,when,stars\n" + "".join(f"{user},{item},1,1\n" for user in "ab" for item in events)
    error = refused(tmp_path, text, **_items(tmp_path, table))
    assert f"only 0 of {len(MET)} ids in 'item'" in error.problem
    assert all(repr(each) in error.problem for each in (*events[:3], *table[:3]))
    assert f"both differ by {difference}" in error.mend
    assert max(len(error.problem), len(error.mend)) <= 300


def test_tables_that_join_say_how_far(tmp_path: Path) -> None:
    text = "who,what,when,stars\n" + "".join(f"{user},{item},1,1\n" for user in "ab" for item in MET)
    log = read(tmp_path, text, **_items(tmp_path, ["100", "101 ", "500"]))
    assert "2 of 4 items that people met (50%) stand in the item table" in map(str, log.findings)
    error = refused(tmp_path, text, **_items(tmp_path, ["p", "q"]))
    assert "leave data.items out" in error.mend


def test_spaces_around_ids_are_taken_off_and_told(tmp_path: Path) -> None:
    log = read(tmp_path, "who,what,when,stars\n1,7,1,1\n1 ,8,2,1\n\u3000u,7,3,1\nu,9,4,1\n")
    assert log.users.to_list() == ["1", "u"]
    assert "2 rows have spaces around the user, which are taken off, such as row 2: '1 '" in map(str, log.findings)


def test_numbers_with_an_ending_are_numbers_and_told(tmp_path: Path) -> None:
    log = read(tmp_path, "who,what,when,stars\n1.0,7,1,1\n1,8,2,1\n2.0,7,3,1\nnan,9,4,1\n")
    assert log.users.to_list() == [1, 2]
    assert any("whole numbers written as" in str(finding) for finding in log.findings)


def test_ids_that_differ_in_case_are_told(tmp_path: Path) -> None:
    log = read(tmp_path, "who,what,when,stars\nu1,7,1,1\nU1,8,2,1\n")
    assert log.shape == (2, 2)
    assert any("'U1' and 'u1'" in str(finding) for finding in log.findings)


@pytest.mark.parametrize(
    ("users", "problem"),
    [(["1E+10", "2.5E+10", "17"], "a spreadsheet rounded"), (['"[1, 2]"', '"[2, 3]"'], "holds lists")],
)
def test_ids_that_cannot_be_right_are_refused(users: list[str], problem: str, tmp_path: Path) -> None:
    text = "who,what,when,stars\n" + "".join(f"{user},{item},1,1\n" for user in users for item in (1, 2))
    assert problem in refused(tmp_path, text).problem


def test_missing_ids_of_parquet_are_counted(tmp_path: Path) -> None:
    frame = polars.DataFrame({"user": [1.0, float("nan"), None, 2.0], "item": [7, 8, 9, 8]})
    frame.write_parquet(tmp_path / "e.parquet")
    log = read_interactions(InteractionData(source=f"parquet:{tmp_path / 'e.parquet'}"))
    assert log.users.to_list() == [1, 2]
    assert "2 rows have no user and are left out, such as row 2: 'nan'" in map(str, log.findings)
