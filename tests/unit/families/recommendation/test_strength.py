"""Counts, repetitions, kinds of events and age as strength: against a slow oracle, and on data with a known cause."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassworks.contracts import Progress
from glassworks.data.interactions.collection import Interactions
from glassworks.data.interactions.dataset import InteractionsDataset, prepare_interactions
from glassworks.data.interactions.keys import InteractionData
from glassworks.data.interactions.reading import read_interactions
from glassworks.errors import ConfigError, DataError
from glassworks.families._recommendation.algorithms import Means
from glassworks.families._recommendation.fitting import fit_collaborative
from glassworks.families._recommendation.settings import CollaborativeConfig
from glassworks.recommendation.artifact import write_arrays
from glassworks.recommendation.evaluation import difference, evaluate
from glassworks.recommendation.scoring import Scorer

DAY, BEGIN, KINDS, ITEMS, USERS = 86_400, 1_700_000_000, 4, 80, 400
Rows = Iterable[tuple[Any, ...]]


def log_of(folder: Path, header: str, rows: Rows, **keys: Any) -> Interactions:
    return read_interactions(data_of(folder, header, rows, **keys))


def data_of(folder: Path, header: str, rows: Rows, **keys: Any) -> InteractionData:
    path = folder / "events.csv"
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n", encoding="utf-8")
    return InteractionData.model_validate({"source": f"csv:{path}", **keys})


def prepared(data: InteractionData) -> InteractionsDataset:
    return prepare_interactions(read_interactions(data), data)


def fitted(dataset: InteractionsDataset, algorithm: str) -> Scorer:
    config = CollaborativeConfig.model_validate({"algorithm": algorithm, "tune": False})
    return fit_collaborative(dataset, config, Means(seed=0, threads=1), None, Progress()).scorer


def tastes(generator: np.random.Generator, own: int, other: int) -> Iterable[tuple[int, int, bool]]:
    """User, item, and whether it is of the kind that the user likes; the rest was met by accident."""
    kind = np.arange(ITEMS) % KINDS
    for user in range(USERS):
        for mine, count in ((True, own), (False, other)):
            items = np.flatnonzero((kind == user % KINDS) == mine)
            yield from ((user, int(item), mine) for item in generator.choice(items, count, replace=False))


def counted(generator: np.random.Generator) -> tuple[str, list[tuple[Any, ...]], dict[str, Any]]:
    rows = [(u, i, int(generator.integers(20, 60)) if own else 1) for u, i, own in tastes(generator, 8, 12)]
    return "user,item,plays", rows, {"weight": "plays"}


def repeated(generator: np.random.Generator) -> tuple[str, list[tuple[Any, ...]], dict[str, Any]]:
    rows = [row for u, i, own in tastes(generator, 8, 12) for row in [(u, i)] * (20 if own else 1)]
    return "user,item", rows, {}


def events(generator: np.random.Generator) -> tuple[str, list[tuple[Any, ...]], dict[str, Any]]:
    rows = [(u, i, "buy" if own else "view") for u, i, own in tastes(generator, 8, 12)]
    return "user,item,what", rows, {"event": "what", "weights": {"view": 1, "buy": 20}}


@pytest.mark.parametrize("algorithm", ["ease", "item_knn", "user_knn", "rp3beta"])
@pytest.mark.parametrize("made", [counted, repeated, events])
def test_a_model_that_knows_strength_beats_one_that_does_not(
    made: Callable[[np.random.Generator], Any], algorithm: str, tmp_path: Path
) -> None:
    header, rows, keys = made(np.random.default_rng(0))
    with_it, without = (
        prepared(data_of(tmp_path, header, rows, protocol="strong_generalization", test=0.45, **keys, **more))
        for more in ({}, {"strength": 0})
    )
    known, unknown = (evaluate(each.cut, fitted(each, algorithm)) for each in (with_it, without))
    assert difference(known, unknown).interval[0] > 0


def test_a_half_life_follows_a_taste_that_changed(tmp_path: Path) -> None:
    """Everybody liked one kind until day 100 and another one since then."""
    generator, kind, rows = np.random.default_rng(1), np.arange(ITEMS) % KINDS, []
    for user in range(USERS):
        for before, taste in ((True, user % KINDS), (False, (user + 1) % KINDS)):
            for item in generator.choice(np.flatnonzero(kind == taste), 12, replace=False):
                day = generator.uniform(0, 100) if before else generator.uniform(100, 200)
                rows.append((user, int(item), BEGIN + int(day * DAY)))
    keys = {"time": "time", "test": 0.3}
    with_it, without = (
        prepared(data_of(tmp_path, "user,item,time", rows, **keys, **more)) for more in ({"half_life": "20d"}, {})
    )
    known, unknown = (evaluate(each.validation, fitted(each, "item_knn")) for each in (with_it, without))
    assert difference(known, unknown).interval[0] > 0


@pytest.mark.parametrize("half_life", [None, 10.0 * DAY])
def test_strength_is_the_running_sum_of_each_pair(half_life: float | None, tmp_path: Path) -> None:
    generator = np.random.default_rng(2)
    rows = [
        (int(generator.integers(4)), int(generator.integers(4)), BEGIN + DAY * day, int(generator.integers(-1, 9)))
        for day in range(200)
    ]
    more = {} if half_life is None else {"half_life": half_life}
    log = log_of(tmp_path, "user,item,t,n", rows, time="t", weight="n", strength=1.0, **more)
    wanted: list[float] = []
    sums: dict[tuple[int, int], tuple[float, int]] = {}
    for user, item, when, count in rows:
        old, then = sums.get((user, item), (0.0, when))
        faded = old if half_life is None else old * 0.5 ** ((when - then) / half_life)
        sums[user, item] = (faded + max(count, 0), when)
        wanted.append(sums[user, item][0])
    last = {(user, item): row for row, (user, item, _, _) in enumerate(rows)}
    usual = float(np.median([wanted[row] for row in last.values() if rows[row][3] > 0]))
    assert log.strength is not None
    assert np.allclose(log.strength, np.clip(np.array(wanted) / usual, 0.1, 10), rtol=1e-5)


def test_age_halves_what_counts(tmp_path: Path) -> None:
    rows = [(0, 0, BEGIN), (0, 1, BEGIN + 30 * DAY), (1, 0, BEGIN + 60 * DAY), (1, 1, BEGIN + 60 * DAY)]
    log = log_of(tmp_path, "user,item,t", rows, time="t", half_life="30d")
    assert log.met().toarray().tolist() == [[0.25, 0.5], [1.0, 1.0]]


def test_what_counts_alike_is_as_it_was(tmp_path: Path) -> None:
    log = log_of(tmp_path, "user,item,n", [(0, 0, 5), (0, 1, 4), (1, 0, 1)], weight="n", positive=4)
    assert log.strength is None
    assert log.met().data.tolist() == [1.0, 1.0, 0.0]


def test_a_request_counts_as_the_history_that_was_learned_from(tmp_path: Path) -> None:
    from tests.unit.recommendation.shops import ask, opened

    header, rows, keys = counted(np.random.default_rng(3))
    dataset = prepared(data_of(tmp_path, header, rows, **keys))
    scorer = fitted(dataset, "user_knn")
    session = opened(scorer, dataset.log, tmp_path)
    test = dataset.splits["test"]
    ranked = evaluate(dataset.cut, scorer)
    for answer, wanted in zip(ask(session, *test.x.tolist()[:20]), ranked.lists, strict=False):
        assert [each["item"] for each in answer["items"]] == dataset.log.items[wanted.tolist()].to_list()


def test_a_history_in_the_bundle_has_its_strength(tmp_path: Path) -> None:
    log = log_of(tmp_path, "user,item,n", [(0, 0, 16), (0, 1, 1), (1, 0, 1), (1, 1, 1)], weight="n", strength=0.5)
    write_arrays(fitted_on(log), log, tmp_path)
    assert np.load(tmp_path / "histories.weights.npy").tolist() == [4.0, 1.0, 1.0, 1.0]


def fitted_on(log: Interactions) -> Scorer:
    from glassworks.recommendation.scoring.popularity import Popularity

    return Popularity(log.popularity())


@pytest.mark.parametrize(
    ("keys", "problem", "mend"),
    [
        ({"event": "what"}, "kinds of events without a weight: buy, view", 'data.weights = {"buy" = 1, "view" = 1}'),
        ({"event": "what", "weights": {"view": 1}}, "without a weight: buy", '"view" = 1'),
        ({"weights": {"view": 1}}, "data.weights says", "data.event"),
        ({"weight": "what"}, "holds no numbers but words: buy, view", 'data.event = "what"'),
        ({"half_life": "30d"}, "data.half_life needs dates", "data.time"),
    ],
)
def test_what_the_job_must_say(keys: dict[str, Any], problem: str, mend: str, tmp_path: Path) -> None:
    rows = [(0, 0, "buy"), (0, 1, "view"), (1, 0, "view"), (1, 1, "buy")]
    with pytest.raises(DataError) as caught:
        log_of(tmp_path, "user,item,what", rows, **keys)
    assert problem in caught.value.problem
    assert mend in caught.value.mend


def test_kinds_that_count_nothing_are_seen_and_flags_are_weights(tmp_path: Path) -> None:
    rows = [(0, 0, "buy"), (0, 1, "skip"), (1, 0, "buy"), (1, 1, "buy")]
    log = log_of(tmp_path, "user,item,what", rows, event="what", weights={"buy": 1, "skip": 0})
    assert log.liked.tolist() == [True, False, True, True]
    flags = log_of(tmp_path, "user,item,w", [(0, 0, "True"), (0, 1, "False"), (1, 1, "true")], weight="w")
    assert flags.liked.tolist() == [True, False, True]


def test_weights_may_be_written_as_text() -> None:
    data = InteractionData.model_validate({"source": "csv:x", "event": "what", "weights": "view = 1, add to cart=2.5"})
    assert data.weights == {"view": 1.0, "add to cart": 2.5}


def test_a_wrong_half_life_is_a_wrong_key() -> None:
    from glassworks.job_files import job_of

    job = {"name": "x", "family": "collaborative", "data": {"source": "csv:x.csv", "half_life": "soon"}}
    with pytest.raises(ConfigError):
        job_of(job, where="the job")
