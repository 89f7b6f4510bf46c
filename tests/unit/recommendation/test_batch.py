"""A table of users becomes a table of recommendations: the same as one by one, whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars
import pytest
from tests.unit.recommendation.shops import ask, opened, shop, weights

from glassworks.errors import InputError
from glassworks.progress import Silent
from glassworks.recommendation import batch
from glassworks.recommendation.batch import answer_table
from glassworks.recommendation.session import RecommendSession


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_each_row_has_the_answer_that_it_has_alone(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "_ROWS", 4)
    session = opened(weights(), shop(), tmp_path)
    users = polars.DataFrame({"user": [104, 100, 999, 121, 104], "k": [3, 2, 1, None, 3], "more": [1, 2, 3, 4, 5]})
    source = tmp_path / f"users.{suffix}"
    users.write_csv(source) if suffix == "csv" else users.write_parquet(source)
    reported: list[str] = []
    progress = Silent()
    monkeypatch.setattr(progress, "finish", reported.append)
    assert answer_table(session, source, tmp_path / "out.parquet", progress) == {"rows": 5, "recommendations": 19}
    assert reported == ["19 recommendations for 5 rows; 1 users are not known; no keys of a request: more"]
    found = polars.read_parquet(tmp_path / "out.parquet")
    for row, (user, k) in enumerate(zip(users["user"], users["k"], strict=True)):
        (alone,) = ask(session, {"user": user, "k": k or 10})
        part = found.filter(polars.col("row") == row)
        assert part["item"].to_list() == [each["item"] for each in alone["items"]]
        assert part["rank"].to_list() == list(range(1, len(part) + 1))
        assert set(part["user"]) == {user}
    assert not list(tmp_path.glob(".out*"))


def test_a_row_that_is_no_request_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    session = opened(weights(), shop(), tmp_path)
    polars.DataFrame({"user": [104, 100], "k": [3, 0]}).write_parquet(tmp_path / "users.parquet")
    with pytest.raises(InputError, match="row 1: the request's 'k' is 0"):
        answer_table(session, tmp_path / "users.parquet", tmp_path / "out.parquet", Silent())
    assert not (tmp_path / "out.parquet").exists()
    polars.DataFrame({"name": [1]}).write_parquet(tmp_path / "other.parquet")
    with pytest.raises(InputError, match="has the columns name"):
        answer_table(session, tmp_path / "other.parquet", tmp_path / "out.parquet", Silent())
    with pytest.raises(InputError, match=r"no \.parquet file"):
        answer_table(session, tmp_path / "users.parquet", tmp_path / "out.csv", Silent())
    (tmp_path / "bad.parquet").write_bytes(b"nothing")
    with pytest.raises(InputError, match="is not a Parquet file"):
        answer_table(session, tmp_path / "bad.parquet", tmp_path / "out.parquet", Silent())


class _Told(Silent):
    """Keeps what is said at the end of each step."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def finish(self, message: str = "") -> None:
        self.told.append(message)


def _asked(
    session: RecommendSession, folder: Path, table: str, encoding: str = "utf-8"
) -> tuple[polars.DataFrame, str]:
    """What a CSV file gets, and what is said when it is done."""
    (folder / "users.csv").write_text(table, encoding=encoding)
    progress = _Told()
    answer_table(session, folder / "users.csv", folder / "out.parquet", progress)
    return polars.read_parquet(folder / "out.parquet"), progress.told[0]


def _texts(folder: Path) -> RecommendSession:
    """A shop whose users are called 00100 to 00129."""
    log = shop(text_ids=True)
    return opened(
        weights(), replace(log, users=polars.Series([f"{100 + n:05}" for n in range(len(log.users))])), folder
    )


def test_users_of_a_csv_are_text_as_written(tmp_path: Path) -> None:
    session = _texts(tmp_path)
    table = "User\n00104\n 00105 \n" + "\n".join(f"{number:05}" for number in range(106, 300)) + "\nX9\n"
    found, said = _asked(session, tmp_path, table, "utf-8-sig")
    assert "171 users are not known" in said
    for user in ("00104", "00105", "00129"):
        (alone,) = ask(session, {"user": user})
        assert alone["basis"] == "history"
        assert found.filter(polars.col("user") == user)["item"].to_list() == [each["item"] for each in alone["items"]]


def test_numbers_and_a_late_word_are_users_of_one_table(tmp_path: Path) -> None:
    session = opened(weights(), shop(), tmp_path)
    found, said = _asked(session, tmp_path, "user\n" + "\n".join(map(str, range(100, 400))) + "\nu7\n")
    assert found.schema["user"] == polars.String
    assert "271 users are not known" in said
    (alone,) = ask(session, {"user": 104})
    assert found.filter(polars.col("user") == "104")["item"].to_list() == [each["item"] for each in alone["items"]]


def test_rows_that_name_nobody_are_counted(tmp_path: Path) -> None:
    session = opened(weights(), shop(), tmp_path)
    found, said = _asked(session, tmp_path, "user,k\n104,3\n,3\n105,\n")
    assert said == "13 recommendations for 3 rows; 1 rows name nobody and are left out"
    assert found["row"].unique().to_list() == [0, 2]


@pytest.mark.parametrize("history", ['"[""item-001"", ""item-002""]"', "item-001|item-002", "item-001 | item-002"])
def test_a_history_is_json_or_has_bars(history: str, tmp_path: Path) -> None:
    session = _texts(tmp_path)
    found, _ = _asked(session, tmp_path, f"history\n{history}\n")
    (alone,) = ask(session, {"history": ["item-001", "item-002"]})
    assert found["item"].to_list() == [each["item"] for each in alone["items"]]
