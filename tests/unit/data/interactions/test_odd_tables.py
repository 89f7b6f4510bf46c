"""What real tables have in their cells: it is read rightly, told, or refused, and never silently something else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest

from glassworks.data.encodings import decode
from glassworks.data.interactions.checks import check_interactions
from glassworks.data.interactions.collection import Interactions
from glassworks.data.interactions.keys import InteractionData
from glassworks.data.interactions.reading import read_interactions
from glassworks.data.interactions.times.reading import read_times
from glassworks.errors import DataError

MOMENTS = [datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC) + timedelta(hours=11 * number) for number in range(60)]


def read(folder: Path, table: polars.DataFrame, **keys: Any) -> Interactions:
    path = folder / "table.parquet"
    table.write_parquet(path)
    return read_interactions(InteractionData(source=f"parquet:{path}", **keys))


def table(user: Callable[[int], Any], **more: Any) -> polars.DataFrame:
    rows = range(84)
    return polars.DataFrame({"user": [user(row) for row in rows], "item": [row % 7 for row in rows], **more})


def half(moment: datetime, before: str, after: str) -> str:
    return before if moment.hour < 12 else after


@pytest.mark.parametrize(
    "written",
    [
        lambda m: m.strftime("%m/%d/%Y, %I:%M:%S\u202f%p"),
        lambda m: m.strftime("%Y-%m-%d\u00a0%H:%M:%S"),
        lambda m: m.strftime("%m/%d/%Y %I:%M:%S ") + half(m, "a.m.", "p.m."),
        lambda m: m.strftime("%d/%m/%Y %I:%M:%S ") + half(m, "a.\u00a0m.", "p.\u00a0m."),
        lambda m: m.strftime("%Y/%m/%d ") + half(m, "오전", "오후") + m.strftime(" %I:%M:%S"),
        lambda m: (m - timedelta(hours=5)).strftime("%Y-%m-%dT%H:%M:%S\u221205:00"),
    ],
)
def test_times_with_signs_of_a_locale(written: Callable[[datetime], str]) -> None:
    frame = polars.LazyFrame({"when": [written(moment) for moment in MOMENTS]})
    found = frame.select(read_times(frame, "when").microseconds).collect().to_series()
    assert (found // 10**6).to_list() == [int(moment.timestamp()) for moment in MOMENTS]


def _since(year: int, per_second: int) -> list[str]:
    begin = datetime(year, 1, 1, tzinfo=UTC)
    return [str(int((moment - begin).total_seconds()) * per_second) for moment in MOMENTS]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (_since(1, 10**7), "count from another day than 1970"),
        (_since(2001, 1), "count from another day than 1970"),
        (_since(1601, 10**7), "mostly no moments"),
        ([moment.strftime("%Y%m%d%H%M%S123") for moment in MOMENTS], "mostly no moments"),
        ([f"{moment.day} novembre {moment.year}" for moment in MOMENTS], "neither numbers nor dates"),
        (["２０２３-１１-１４"], "neither numbers nor dates"),
        (
            [f"{m.day}. {'November' if m.month < 12 else 'Dezember'} {m.year}" for m in MOMENTS],
            "dates that are not read",
        ),
    ],
)
def test_what_would_be_another_time_is_refused(values: list[str], problem: str) -> None:
    with pytest.raises(DataError, match=problem) as caught:
        read_times(polars.LazyFrame({"when": values}), "when")
    assert max(len(caught.value.problem), len(caught.value.mend)) <= 300


def test_the_zero_dates_of_mysql_are_no_dates(tmp_path: Path) -> None:
    when = [m.strftime("%Y-%m-%d %H:%M:%S") if n % 9 else "0000-00-00 00:00:00" for n, m in enumerate(MOMENTS)]
    frame = polars.DataFrame({"user": [n % 9 for n in range(60)], "item": [n % 7 for n in range(60)], "when": when})
    log = read(tmp_path, frame, time="when")
    assert len(log) == 53
    assert any("0000-00-00" in str(each) for each in log.findings)


def test_ids_without_what_programs_put_around_them(tmp_path: Path) -> None:
    log = read(tmp_path, table(lambda row: f'="{row % 12:05}"' if row % 2 else f"{row % 12:05}\u200b"))
    assert log.users.to_list() == [f"{number:05}" for number in range(12)]
    assert "bare-ids" in str([each.code for each in log.findings])


@pytest.mark.parametrize(
    ("kind", "first"), [(polars.Float32, 2.0**24), (polars.Float64, 2.0**53), (polars.String, "1.2345678e+18")]
)
def test_ids_that_lost_digits_are_refused(tmp_path: Path, kind: Any, first: Any) -> None:
    with pytest.raises(DataError, match=r"lost digits|rounded"):
        read(tmp_path, table(lambda row: row % 12).with_columns(user=polars.lit(first, kind)))


def test_ids_of_which_some_lost_their_zeros_are_told(tmp_path: Path) -> None:
    log = read(tmp_path, table(lambda row: f"{row % 12:05}" if row < 40 else str(row % 12)))
    assert any(each.code == "finding.alike-ids" for each in log.findings)


def test_who_stands_for_many_is_told_and_can_be_left_out(tmp_path: Path) -> None:
    users = table(lambda row: -1 if row % 2 else row % 12)
    log = read(tmp_path, users)
    (told,) = (each for each in check_interactions(log).findings if each.code == "finding.heavy-user")
    assert 'data.na = ["-1"]' in str(told)
    assert -1 not in read(tmp_path, users, na=("-1",)).users.to_list()


def test_columns_of_categories_are_text(tmp_path: Path) -> None:
    kind = polars.Categorical
    when = polars.Series([f"2023-01-{row % 28 + 1:02}" for row in range(84)], dtype=kind)
    weight = polars.Series(["3", "4"] * 42, dtype=kind)
    log = read(tmp_path, table(lambda row: row % 12, when=when, weight=weight), time="when", weight="weight")
    assert sorted(set(log.weight.tolist())) == [3, 4]


def test_weights_of_another_form_are_refused_where_they_are_more_than_a_few(tmp_path: Path) -> None:
    weights = [f"{700 + 50 * (row % 10):,}" for row in range(84)]
    with pytest.raises(DataError, match=r"no finite number.*'1,000'"):
        read(tmp_path, table(lambda row: row % 12, weight=weights), weight="weight")


def test_one_weight_without_measure_is_no_matter_of_other_pairs(tmp_path: Path) -> None:
    weights = [1e30 if row == 0 else 1.0 for row in range(84)]
    log = read(tmp_path, table(lambda row: row % 12, weight=weights), weight="weight")
    assert log.strength is not None
    assert np.array_equal(log.strength[1:], np.ones(83, np.float32))


def test_numbers_of_a_described_item_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("item,price\n" + "".join(f'{row},"{row},50"\n' for row in range(7)))
    with pytest.raises(DataError, match=r"no numbers.*0,50"):
        read(tmp_path, table(lambda row: row % 12), items=f"csv:{path}", numbers=("price",))


def test_one_column_for_both_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="one column"):
        read(tmp_path, table(lambda row: row % 12), item="user")


def test_few_words_in_a_table_of_gbk_are_in_doubt() -> None:
    text = "user,item\n" + "".join(f"用户{row % 40},书{row % 15}\n" for row in range(300))
    with pytest.raises(DataError, match="in doubt") as caught:
        decode(text.encode("gbk"), "t.csv")
    assert "GB18030" in caught.value.mend
    assert decode(text.encode("gbk"), "t.csv", "GB18030").text == text
