"""A table of users becomes a table of recommendations: the same as one by one, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import polars
import pytest
from tests.unit.recommendation.shops import ask, opened, shop, weights

from glassworks.errors import InputError
from glassworks.progress import Silent
from glassworks.recommendation import batch
from glassworks.recommendation.batch import answer_table


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
    assert reported == ["19 recommendations for 5 rows; no keys of a request: more"]
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
    with pytest.raises(InputError, match="cannot be read"):
        answer_table(session, tmp_path / "bad.parquet", tmp_path / "out.parquet", Silent())
