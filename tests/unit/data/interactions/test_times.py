"""Times as exports have them, against Python's own datetime: read in one way by all rows, or refused with the rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import polars
import pytest

from glassworks.data.interactions.times.reading import Times, read_times
from glassworks.errors import DataError

START = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
MOMENTS = [START + timedelta(hours=11 * number, minutes=7) for number in range(40)]
EAST = timezone(timedelta(hours=5, minutes=30))


def strftime(form: str) -> Callable[[datetime], str]:
    return lambda moment: moment.strftime(form)


def rounded(unit: timedelta) -> Callable[[datetime], datetime]:
    return lambda moment: moment - (moment - START.replace(hour=0, minute=0, second=0)) % unit


SAME = rounded(timedelta(seconds=1))
MINUTE, DAY = rounded(timedelta(minutes=1)), rounded(timedelta(days=1))
FORMS: dict[str, tuple[Callable[[datetime], str], Callable[[datetime], datetime]]] = {
    "pandas": (strftime("%Y-%m-%d %H:%M:%S+00:00"), SAME),
    "pandas-fraction": (strftime("%Y-%m-%d %H:%M:%S.%f+00:00"), SAME),
    "postgres": (strftime("%Y-%m-%d %H:%M:%S+00"), SAME),
    "utc": (strftime("%Y-%m-%d %H:%M:%S UTC"), SAME),
    "iso": (strftime("%Y-%m-%dT%H:%M:%SZ"), SAME),
    "iso-milliseconds": (strftime("%Y-%m-%dT%H:%M:%S.123Z"), SAME),
    "no-colon": (strftime("%Y-%m-%dT%H:%M:%S.000+0000"), SAME),
    "east": (lambda moment: moment.astimezone(EAST).isoformat(), SAME),
    "java": (lambda moment: moment.astimezone(EAST).isoformat() + "[Asia/Kolkata]", SAME),
    "plain": (strftime("%Y-%m-%d %H:%M:%S"), SAME),
    "comma": (strftime("%Y-%m-%d %H:%M:%S,123"), SAME),
    "slashes": (strftime("%Y/%m/%d %H:%M"), MINUTE),
    "dots": (strftime("%Y.%m.%d"), DAY),
    "date": (strftime("%Y-%m-%d"), DAY),
    "chinese-date": (strftime("%Y年%m月%d日"), DAY),
    "chinese": (strftime("%Y年%m月%d日 %H时%M分%S秒"), SAME),
    "chinese-unpadded": (lambda m: f"{m.year}年{m.month}月{m.day}日 {m.hour}:{m.minute:02}", MINUTE),
    "chinese-halves": (
        lambda m: m.strftime("%Y/%m/%d ") + ("上午" if m.hour < 12 else "下午") + m.strftime(" %I:%M"),
        MINUTE,
    ),
    "rfc-2822": (lambda moment: format_datetime(moment, usegmt=True), SAME),
    "rfc-2822-offset": (lambda moment: format_datetime(moment.astimezone(EAST)), SAME),
    "twitter": (strftime("%a %b %d %H:%M:%S +0000 %Y"), SAME),
    "ctime": (lambda moment: moment.ctime(), SAME),
    "javascript": (strftime("%a %b %d %Y %H:%M:%S GMT+0000 (Coordinated Universal Time)"), SAME),
    "apache": (strftime("%d/%b/%Y:%H:%M:%S +0000"), SAME),
    "month-name": (strftime("%B %d, %Y"), DAY),
    "oracle": (strftime("%d-%b-%y"), DAY),
    "basic": (strftime("%Y%m%dT%H%M%SZ"), SAME),
    "digits": (strftime("%Y%m%d%H%M%S"), SAME),
    "digits-of-a-day": (strftime("%Y%m%d"), DAY),
    "week": (strftime("%G-W%V-%u"), DAY),
    "day-of-the-year": (strftime("%Y-%j"), DAY),
    "american": (strftime("%m/%d/%Y %I:%M %p"), MINUTE),
    "german": (strftime("%d.%m.%Y %H:%M:%S"), SAME),
    "german-unpadded": (lambda m: f"{m.day}.{m.month}.{m.year}", DAY),
    "seconds": (lambda moment: str(int(moment.timestamp())), SAME),
    "float-seconds": (lambda moment: f"{moment.timestamp():.2f}", SAME),
    "scientific": (lambda moment: f"{moment.timestamp():.9e}", SAME),
    "milliseconds": (lambda moment: str(int(moment.timestamp()) * 10**3), SAME),
    "microseconds": (lambda moment: str(int(moment.timestamp()) * 10**6), SAME),
    "nanoseconds": (lambda moment: str(int(moment.timestamp()) * 10**9), SAME),
}


def read(values: Sequence[Any], form: str = "") -> tuple[list[datetime | None], Times]:
    frame = polars.LazyFrame({"when": values}, strict=False)
    found = read_times(frame, "when", form)
    read = frame.select(found.microseconds).collect().to_series().to_list()
    return [None if each is None else datetime.fromtimestamp(each // 10**6, UTC) for each in read], found


def refused(values: Sequence[Any], form: str = "") -> DataError:
    with pytest.raises(DataError) as caught:
        read(values, form)
    assert max(len(caught.value.problem), len(caught.value.mend)) <= 300
    return caught.value


def codes(found: Times) -> list[str]:
    return [each.code.removeprefix("finding.") for each in found.findings]


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_read_as_python_reads_it(name: str) -> None:
    write, kept = FORMS[name]
    found, times = read([write(moment) for moment in MOMENTS])
    assert found == [kept(moment) for moment in MOMENTS]
    assert codes(times) == ["times-read"]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_typed_columns_are_moments(unit: Any, zone: str | None) -> None:
    values = polars.Series(MOMENTS).dt.convert_time_zone(zone or "UTC").cast(polars.Datetime(unit, zone or "UTC"))
    if zone is None:
        values = values.dt.replace_time_zone(None)
    frame = polars.LazyFrame({"when": values})
    found = frame.select(read_times(frame, "when").microseconds).collect().to_series()
    assert found.to_list() == [int(moment.timestamp()) * 10**6 for moment in MOMENTS]


def test_fractions_and_midnights_may_be_left_out() -> None:
    values = ["2024-01-02 03:04:05.250000", "2024-01-02 03:04:05", "2024-01-03"]
    assert read(values)[0] == [*[datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)] * 2, datetime(2024, 1, 3, tzinfo=UTC)]


def test_a_form_that_appears_late_is_read_too() -> None:
    values = ["2024-01-02 03:04:05"] * 1500 + ["2024-01-02T03:04:05.5Z"]
    found, times = read(values)
    assert len(set(found)) == 1
    assert "naive-times" in codes(times)


def test_zones_may_be_mixed_and_rows_without_one_are_told() -> None:
    found, times = read(["2024-01-02 09:34:05+05:30", "2024-01-02T04:04:05Z", "2024-01-02 05:04:05"])
    assert [each.hour for each in found if each] == [4, 4, 5]
    assert times.findings[-1].values == {"n": 1}


def test_one_row_tells_whether_the_day_stands_first() -> None:
    assert read(["01/02/2023", "02/03/2023", "14/11/2023"])[0][0] == datetime(2023, 2, 1, tzinfo=UTC)
    assert read(["01/02/2023"] * 2000 + ["11/14/2023"])[0][0] == datetime(2023, 1, 2, tzinfo=UTC)


def test_where_no_row_tells_it_the_job_must() -> None:
    error = refused(["01/02/2023 10:00", "02/03/2023 11:00"])
    assert "day first or month first" in error.problem
    assert 'data.time_format = "%d/%m/%Y %H:%M" or data.time_format = "%m/%d/%Y %H:%M"' in error.mend
    assert read(["01/02/2023 10:00"], "%d/%m/%Y %H:%M")[0] == [datetime(2023, 2, 1, 10, tzinfo=UTC)]
    assert read(["01/02/2023 10:00"], "%m/%d/%Y %H:%M")[0] == [datetime(2023, 1, 2, 10, tzinfo=UTC)]
    assert "day first" in refused(["01.02.23", "02.03.23"]).problem


@pytest.mark.parametrize(
    "values",
    [
        ["1700000000", "1700043200000"],
        [1700000000, 1700043200000],
        [1700000000.0, 1700043200000000.0],
        ["1700000000", "2023-11-14 22:13:20"],
        ["2023-11-14 22:13:20", "1700000000", "2023-11-14 22:13:20"],
        ["1700000000", "20231114"],
        ["14/11/2023", "11/15/2023"],
        ["2023-11-14"] * 3000 + ["14.11.2023"],
        ["2023-11-14"] * 3000 + ["1700000000"],
        ["1700000000"] * 3000 + ["2023-11-14"],
    ],
)
def test_two_ways_of_writing_are_refused_with_their_rows(values: list[Any]) -> None:
    error = refused(values)
    assert error.problem.count("row ") == 2
    assert "write all times in one way" in error.mend


@pytest.mark.parametrize(
    ("values", "row"),
    [
        ([0, 1, 2, *[1700000000] * 9], 1),
        (["2024-01-02"] * 9 + ["1970-01-01"], 10),
        (["2024-01-02"] * 9 + ["9999-12-31"], 10),
    ],
)
def test_years_that_cannot_be_are_left_out_and_told(values: list[Any], row: int) -> None:
    found, times = read(values)
    assert found[row - 1] is None
    assert found[5] is not None
    assert times.findings[-1].code == "finding.implausible-times"
    assert times.findings[-1].values["row"] == row


@pytest.mark.parametrize("values", [["1970-01-01", "1971-02-02"], [500_000_000, 500_000_001], [4_102_444_800] * 2])
def test_mostly_impossible_years_are_refused(values: list[Any]) -> None:
    assert "such as row 1" in refused(values).problem
    unit = "%Y-%m-%d" if isinstance(values[0], str) else "s"
    assert read(values, unit)[0][0] is not None


def test_small_numbers_are_an_order_and_no_dates() -> None:
    found, times = read(["12.5", "3"])
    assert [each.timestamp() for each in found if each] == [12, 3]
    assert codes(times) == ["time-order"]


def test_what_is_no_time_is_missing_and_mostly_no_time_is_refused() -> None:
    assert read(["2024-01-02", "2024-01-03", "soon"])[0][2] is None
    assert read(["1700000000", "NaN", "1700000001"])[0][1] is None
    assert "such as row 2: soon" in refused(["2024-01-02", "soon", "later"]).problem
    assert "neither numbers nor dates" in refused(["soon", "later"]).problem


def test_a_given_form_that_does_not_fit_is_refused() -> None:
    error = refused(["2024-01-02", "2024-01-03"], "%d/%m/%Y")
    assert "are not written as '%d/%m/%Y', such as row 1: 2024-01-02" in error.problem
    assert read(["02.01.2024 10:11:12.5+0100"], "%d.%m.%Y %H:%M:%S.%f%z")[0] == [
        datetime(2024, 1, 2, 9, 11, 12, tzinfo=UTC)
    ]


def test_a_flag_is_no_time() -> None:
    assert "Boolean" in refused([True, False]).problem


def test_the_check_shows_days(tmp_path: Path) -> None:
    from glassworks.data.interactions.checks import check_interactions
    from glassworks.data.interactions.keys import InteractionData
    from glassworks.data.interactions.reading import read_interactions

    rows = [f"u{number % 5},i{number % 7},{moment:%d.%m.%Y}" for number, moment in enumerate(MOMENTS)]
    (tmp_path / "e.csv").write_text("\n".join(["user,item,time", *rows]) + "\n", encoding="utf-8")
    report = check_interactions(read_interactions(InteractionData(source=f"csv:{tmp_path / 'e.csv'}", time="time")))
    assert (report.begin, report.end) == (f"{MOMENTS[0]:%Y-%m-%d}", f"{MOMENTS[-1]:%Y-%m-%d}")
    assert any("%d.%m.%Y: 14.11.2023 = 2023-11-14" in str(each) for each in report.findings)
