"""Cuts: nobody's future is learned, histories end before the first target, and every refusal says why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars
import pytest
from hypothesis import given, settings, strategies as st

from glassworks.data.interactions import protocols
from glassworks.data.interactions.collection import Interactions, ItemColumns
from glassworks.data.interactions.dataset import prepare_interactions
from glassworks.data.interactions.keys import InteractionData
from glassworks.data.interactions.protocols import Cut
from glassworks.errors import DataError


def log(users: int = 30, items: int = 40, each: int = 14, seed: int = 0, *, timed: bool = True) -> Interactions:
    """Random likes; some pairs stand twice."""
    generator = np.random.default_rng(seed)
    count = users * each
    time = np.sort(generator.integers(0, 1000, count))
    user, item = (generator.integers(0, most, count).astype(np.int32) for most in (users, items))
    return Interactions(
        source="test",
        users=polars.Series(range(users)),
        items=polars.Series(range(items)),
        user=user,
        item=item,
        time=time if timed else None,
        weight=np.ones(count, np.float32),
        liked=generator.random(count) < 0.8,
        table=polars.DataFrame({"id": range(items)}),
        columns=ItemColumns(),
        fingerprint="test",
    )


def holds(cut: Cut, whole: Interactions) -> None:
    """What every cut promises."""
    for row, targets in enumerate(cut.targets):
        begin, end = cut.history.indptr[row : row + 2]
        seen = cut.history.indices[begin:end]
        assert len(targets) == len(set(targets)) > 0
        assert not set(targets) & set(seen), "a target was seen before"
        mine = (whole.user == cut.users[row]) & whole.liked
        assert set(targets) <= set(whole.item[mine])
    assert np.all(np.diff(cut.users) > 0)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.sampled_from([0.5, 0.8]))
def test_every_cut_keeps_its_promises(seed: int, share: float) -> None:
    whole = log(items=100, each=40, seed=seed)
    assert whole.time is not None
    holds(protocols.leave_last_out(whole), whole)
    cut = protocols.temporal(whole, share)
    holds(cut, whole)
    assert cut.train.time is not None
    moment = np.quantile(whole.time, share)
    assert cut.train.time.max() <= moment
    users = protocols.fold_of_users(whole, seed % 5, seed)
    strong = protocols.strong_generalization(whole, users, seed)
    holds(strong, whole)
    assert not np.isin(strong.train.user, users).any()


def test_a_window_ends_where_the_next_begins() -> None:
    whole = log(users=8, each=60, items=300)
    first, second = (protocols.temporal(whole, 0.5, window=window) for window in (0, 1))
    assert first.users.tolist() == second.users.tolist()
    for row in range(len(first)):
        begin, end = first.history.indptr[row : row + 2]
        assert set(second.targets[row]) <= set(first.history.indices[begin:end])


def test_what_was_only_met_is_an_explicit_zero() -> None:
    cut = protocols.leave_last_out(log())
    assert set(np.unique(cut.history.data)) == {0.0, 1.0}


def test_folds_share_no_user_and_leave_none_out() -> None:
    folds = [protocols.fold_of_users(log(), fold, 42) for fold in range(5)]
    assert sorted(np.concatenate(folds).tolist()) == list(range(30))


@pytest.mark.parametrize("protocol", ["temporal", "leave_last_out", "strict_temporal"])
def test_without_times_nothing_is_cut_by_time(protocol: str) -> None:
    data = InteractionData.model_validate({"source": "csv:x", "protocol": protocol})
    with pytest.raises(DataError, match="has no times, which the protocol") as caught:
        prepare_interactions(log(timed=False), data)
    assert "data.time" in caught.value.mend


def test_without_times_whole_users_are_left_out() -> None:
    assert prepare_interactions(log(timed=False), InteractionData(source="csv:x", test=0.3)).protocol == (
        "strong_generalization"
    )


def test_a_strict_cut_of_few_warm_users_is_refused_with_their_number() -> None:
    with pytest.raises(DataError, match=r"only \d+ of \d+ users .* a strict cut needs 200") as caught:
        protocols.strict_temporal(log(), 0.8)
    assert "histories go on" in caught.value.mend


def test_nobody_to_ask() -> None:
    whole = log(users=40, each=1, items=1000)
    with pytest.raises(DataError, match="no user likes 5 items after the cut"):
        protocols.temporal(whole, 0.8)


@pytest.mark.parametrize("protocol", ["temporal", "leave_last_out", "strong_generalization"])
def test_a_data_set_asks_for_what_is_not_learned(protocol: str) -> None:
    whole = log(users=60, each=40, items=200)
    data = InteractionData.model_validate({"source": "csv:x", "protocol": protocol, "test": 0.3, "validation": 0.3})
    dataset = prepare_interactions(whole, data)
    learned = set(zip(dataset.cut.train.user.tolist(), dataset.cut.train.item.tolist(), strict=True))
    for cut in (dataset.cut, dataset.validation):
        asked = {(int(u), int(i)) for u, targets in zip(cut.users, cut.targets, strict=True) for i in targets}
        assert not asked & learned
    assert any("below 200 most differences are noise" in finding for finding in dataset.findings)
    assert len(dataset.splits["test"]) == len(dataset.cut)


def test_a_pair_that_stands_twice_is_no_target_the_second_time() -> None:
    whole = log(users=2, items=3, each=2)
    again = replace(
        whole,
        user=np.zeros(4, np.int32),
        item=np.array([0, 1, 2, 0], np.int32),
        time=np.arange(4),
        liked=np.ones(4, np.bool_),
    )
    assert protocols.leave_last_out(again).targets[0].tolist() == [2]
