"""Shops in which most customers bought once: a protocol that asks enough of them is found, told and named in errors."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassworks.data.interactions.checks import check_interactions
from glassworks.data.interactions.dataset import prepare_interactions
from glassworks.data.interactions.keys import InteractionData
from glassworks.data.interactions.reading import read_interactions
from glassworks.errors import DataError


def orders(folder: Path, sizes: list[int], *, timed: bool = True, **keys: Any) -> InteractionData:
    """Customers who bought as many different products as `sizes` say, in turn."""
    draw = random.Random(0)
    rows = [
        f"c{customer},p{product},{1_700_000_000 + draw.randrange(10**7)}"
        for customer in range(300)
        for product in draw.sample(range(40), sizes[customer % len(sizes)])
    ]
    path = folder / "orders.csv"
    path.write_text("\n".join(["user,item,time", *rows]) + "\n", encoding="utf-8")
    return InteractionData.model_validate({"source": f"csv:{path}", "time": "time" if timed else "", **keys})


@pytest.mark.parametrize(
    ("sizes", "timed", "protocol"),
    [
        ([1, 1, 1, 1, 2, 2, 3, 4], True, "leave_last_out"),
        ([1, 1, 1, 2], True, "leave_last_out"),
        ([1, 1, 2, 3, 4], False, "strong_generalization"),
        ([30], True, "temporal"),
        ([8], False, "strong_generalization"),
    ],
)
def test_auto_takes_a_protocol_that_works_and_says_so(
    sizes: list[int], timed: bool, protocol: str, tmp_path: Path
) -> None:
    data = orders(tmp_path, sizes, timed=timed)
    log = read_interactions(data)
    found = prepare_interactions(log, data)
    assert found.protocol == protocol
    assert len(found.cut) >= 10
    assert len(found.validation) >= 10
    said = [each for each in found.findings if "auto takes it" in each]
    checked = [str(each) for each in check_interactions(log, data).findings if "auto takes it" in str(each)]
    assert len(said) == len(checked) == (max(sizes) < 5)
    assert all(protocol in each for each in (*said, *checked))


@pytest.mark.parametrize("asked", ["temporal", "strong_generalization", "strict_temporal"])
def test_an_error_names_the_protocol_that_works(asked: str, tmp_path: Path) -> None:
    data = orders(tmp_path, [1, 1, 1, 2, 3], protocol=asked)
    log = read_interactions(data)
    with pytest.raises(DataError) as caught:
        prepare_interactions(log, data)
    assert 'data.protocol = "leave_last_out"' in caught.value.mend
    mended = data.model_copy(update={"protocol": "leave_last_out"})
    assert len(prepare_interactions(log, mended).cut) > 100


def test_an_error_names_the_key_where_histories_are_short(tmp_path: Path) -> None:
    data = orders(tmp_path, [1, 2, 3], timed=False, protocol="strong_generalization")
    log = read_interactions(data)
    with pytest.raises(DataError, match="no user likes 5 items") as caught:
        prepare_interactions(log, data)
    assert "data.least_likes = 2" in caught.value.mend
    assert len(prepare_interactions(log, data.model_copy(update={"least_likes": 2})).cut) > 10


@pytest.mark.parametrize("timed", [True, False])
def test_where_nobody_comes_back_nothing_can_be_measured(timed: bool, tmp_path: Path) -> None:
    data = orders(tmp_path, [1], timed=timed)
    log = read_interactions(data)
    assert any("nobody likes two" in str(each) for each in check_interactions(log, data).findings)
    with pytest.raises(DataError, match="nobody likes two different items"):
        prepare_interactions(log, data)


@pytest.mark.parametrize("sizes", [[2], [1, 2, 3], [3, 5]])
def test_nothing_that_is_to_be_found_is_learned(sizes: list[int], tmp_path: Path) -> None:
    data = orders(tmp_path, sizes, protocol="leave_last_out")
    found = prepare_interactions(read_interactions(data), data)
    for cut in (found.cut, found.validation):
        learned = found.cut.train.met()
        assert np.array_equal(cut.train.met().toarray(), learned.toarray())
        for user, targets in zip(cut.users, cut.targets, strict=True):
            assert not np.isin(targets, learned[[user]].indices).any()
