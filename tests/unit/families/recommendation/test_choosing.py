"""What is chosen: the algorithm by size, settings by validation and not by noise, content only where it helps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
from scipy.sparse import csr_array

from glassworks.config import Job
from glassworks.data.interactions.collection import Interactions, ItemColumns
from glassworks.data.interactions.dataset import InteractionsDataset, prepare_interactions, prepare_job
from glassworks.data.interactions.protocols import Cut
from glassworks.data.interactions.synthetic import tiny_job
from glassworks.errors import DataError
from glassworks.families._recommendation.algorithms import Means
from glassworks.families._recommendation.fitting import fit_collaborative, likes_of
from glassworks.families._recommendation.hybrid import fit_content, fit_hybrid
from glassworks.families._recommendation.planner import plan
from glassworks.families._recommendation.settings import CollaborativeConfig, ContentConfig, HybridConfig
from glassworks.families._recommendation.tuning import Held, beyond_noise, tune
from glassworks.progress import Silent
from glassworks.recommendation.scoring.popularity import Popularity

GIB = 2**30
MEANS = Means(seed=0, threads=1)


@pytest.mark.parametrize(
    ("users", "items", "memory", "algorithm", "form"),
    [
        (671, 9_066, 24 * GIB, "ease", "dual"),
        (140_000, 5_000, 24 * GIB, "ease", "primal"),
        (140_000, 60_000, 24 * GIB, "ials", ""),
        (140_000, 18_000, GIB, "ials", ""),
    ],
)
def test_the_size_decides(users: int, items: int, memory: int, algorithm: str, form: str) -> None:
    found = plan(users, items, 10 * users, memory_bytes=memory, cores=2)
    assert (found.algorithm, found.form) == (algorithm, form)
    assert f"{users:,} users, {items:,} liked items" in found.reason
    assert found.size_bytes < memory


def log_of(rows: Any, users: int, items: int, kinds: list[list[str]] | None = None) -> Interactions:
    """Of rows (user, item, time)."""
    user, item, time = rows.T
    return Interactions(
        source="test",
        users=polars.Series(range(users)),
        items=polars.Series(range(items)),
        user=user.astype(np.int32),
        item=item.astype(np.int32),
        time=time,
        weight=np.ones(len(rows), np.float32),
        liked=np.ones(len(rows), np.bool_),
        table=polars.DataFrame({"id": range(items), "kind": kinds or [[]] * items}),
        columns=ItemColumns(categories=("kind",)),
        fingerprint="test",
    )


def held(users: int = 100, items: int = 20) -> list[Held]:
    """Everybody looks for item 3 and met nothing yet."""
    cut = Cut(
        train=log_of(np.zeros((0, 3), np.int64), users, items),
        users=np.arange(users),
        history=csr_array((users, items), dtype=np.float32),
        weights=csr_array((users, items), dtype=np.float32),
        targets=tuple(np.array([3], np.int32) for _ in range(users)),
    )
    return [Held(cut=cut, make=place_of_three)]


def place_of_three(settings: Any) -> Popularity:
    """The target stands in this place."""
    scores = np.arange(20, 0, -1).astype(np.float32)
    scores[3] = 20.5 - int(settings["place"])
    return Popularity(scores)


def test_what_is_clearly_better_is_chosen() -> None:
    tuned = tune(held(), {"place": 5}, {"place": (9, 5, 1, 2)}, trials=10, until=1e9, seed=0)
    assert tuned.settings == {"place": 1}
    assert "place 1 in place of the default" in tuned.note
    assert "100 validation users" in tuned.note


def test_trials_and_time_are_limits() -> None:
    ladder = {"place": tuple(range(1, 20))}
    assert tune(held(), {"place": 5}, ladder, trials=4, until=1e9, seed=0).trials == 4
    ticks = iter(range(1000))
    late = tune(held(), {"place": 5}, ladder, trials=99, until=3, seed=0, clock=lambda: float(next(ticks)))
    assert late.trials < 6
    gone = tune(held(), {"place": 5}, ladder, trials=99, until=-1, seed=0)
    assert (gone.trials, gone.settings) == (1, {"place": 5})


def test_the_same_seed_tries_the_same() -> None:
    ladder = {"place": tuple(range(1, 20)), "other": tuple(range(10))}
    one, two = (tune(held(), {"place": 15, "other": 0}, ladder, trials=8, until=1e9, seed=1) for _ in range(2))
    assert one == two


def test_a_difference_within_a_standard_error_is_noise() -> None:
    generator = np.random.default_rng(0)
    noise = generator.normal(0, 1, 100)
    noise -= noise.mean()
    assert not beyond_noise(noise + 0.09)
    assert beyond_noise(noise + 0.11)
    assert not beyond_noise(np.array([1.0]))


def dataset(folder: Path, family: str = "collaborative") -> tuple[InteractionsDataset, Job]:
    job = tiny_job(family, folder, {})
    return prepare_job(job), job


@pytest.mark.parametrize("algorithm", ["popularity", "user_knn", "item_knn", "rp3beta", "ease", "ials"])
def test_every_algorithm_learns_what_was_planted(algorithm: str, tmp_path: Path) -> None:
    """A user's group likes a quarter of the items: popularity finds those by chance, all others know the group."""
    from glassworks.recommendation.evaluation import evaluate

    data, _ = dataset(tmp_path)
    few = {"factors": 8} if algorithm == "ials" else {}
    config = CollaborativeConfig.model_validate({"algorithm": algorithm, "tune": False, **few})
    fitted = fit_collaborative(data, config, MEANS, None, Silent())
    found = float(evaluate(data.cut, fitted.scorer).users["recall_at_20"].mean())
    assert found > 0.8 if algorithm != "popularity" else found < 0.7
    assert algorithm in fitted.notes[0].lower().replace("-", "_")


def test_settings_of_the_job_are_not_tuned(tmp_path: Path) -> None:
    data, _ = dataset(tmp_path)
    config = CollaborativeConfig(algorithm="ease", regularization=7.0, met=0.0)
    fitted = fit_collaborative(data, config, MEANS, None, Silent())
    assert fitted.settings == {"regularization": 7.0, "met": 0.0}
    assert len(fitted.notes) == 1


def test_what_takes_too_long_is_not_tuned(tmp_path: Path) -> None:
    data, _ = dataset(tmp_path)
    fitted = fit_collaborative(data, CollaborativeConfig(), MEANS, 1e-9, Silent())
    assert fitted.settings == {"regularization": 200.0, "met": 0.0}
    assert "not tuned: a fit is estimated to take" in fitted.notes[1]


def newcomers(*, informed: bool) -> InteractionsDataset:
    """Groups like kinds; what is to be found is met by nobody before. Else it is, and the kinds shown say nothing."""
    generator = np.random.default_rng(1)
    users, items = 120, 160
    kind = np.arange(items) % 8
    shown = kind if informed else generator.permutation(kind)
    rows = []
    for user in range(users):
        own = np.flatnonzero(kind == user % 8)
        early, late = (own[: len(own) // 2], own[len(own) // 2 :]) if informed else (own, own)
        rows += [(user, int(i), int(generator.integers(0, 700))) for i in generator.choice(early, 8, replace=False)]
        rows += [(user, int(i), int(generator.integers(700, 1000))) for i in generator.choice(late, 6, replace=False)]
    log = log_of(np.array(sorted(rows, key=lambda row: row[2])), users, items, [[f"kind {each}"] for each in shown])
    from glassworks.data.interactions.keys import InteractionData

    return prepare_interactions(log, InteractionData(source="csv:x", test=0.25))


def test_content_counts_where_it_helps_and_not_where_it_says_nothing() -> None:
    config = HybridConfig(regularization=5.0, factorization=0.0)
    helps = fit_hybrid(newcomers(informed=True), config, MEANS, None, Silent())
    assert helps.settings["content"] > 0
    nothing = fit_hybrid(newcomers(informed=False), config, MEANS, None, Silent())
    assert nothing.settings["content"] == 0


def test_a_hybrid_of_any_algorithm_is_a_blend() -> None:
    config = HybridConfig(algorithm="item_knn", tune=False, content=0.2)
    fitted = fit_hybrid(newcomers(informed=True), config, MEANS, None, Silent())
    assert fitted.scorer.name == "blend"
    assert fitted.settings["content"] == 0.2


def test_content_alone_finds_what_nobody_met() -> None:
    from glassworks.recommendation.evaluation import evaluate

    data = newcomers(informed=True)
    fitted = fit_content(data, ContentConfig(popularity=0.0), MEANS, None, Silent())
    assert float(evaluate(data.cut, fitted.scorer).users["recall_at_20"].mean()) > 0.9


def test_what_was_met_counts_as_much_as_is_said() -> None:
    met = csr_array((np.array([1, 0, 0], np.float32), np.array([0, 1, 1]), np.array([0, 2, 3])), shape=(2, 2))
    assert likes_of(met).toarray().tolist() == [[1, 0]]
    assert likes_of(met, 0.25).toarray().tolist() == [[1, 0.25], [0, 0.25]]
    assert met.nnz == 3, "what was given stays as it is"


def fashions(timed: bool = True) -> InteractionsDataset:
    """Item 0 was liked by all at the beginning; since then item 1 is liked, and item 2 in the end."""
    days = [(user, 0, user) for user in range(40)] + [(user, 1, 100 + user) for user in range(30)]
    rows = np.array([*days, *((user, 2, 200 + user % 3) for user in range(12))])
    log = log_of(rows * np.array([1, 1, 86_400]), 40, 4)
    log = log if timed else replace(log, time=None)
    cut = Cut(
        train=log,
        users=np.arange(2),
        history=csr_array((2, 4), dtype=np.float32),
        weights=csr_array((2, 4), dtype=np.float32),
        targets=(np.array([2]), np.array([2])),
    )
    return InteractionsDataset(
        name="t",
        fingerprint="",
        classes=(),
        splits={},
        log=log,
        cut=cut,
        validation=cut,
        tuning=(cut,),
        protocol="temporal",
    )


@pytest.mark.parametrize(("days", "best"), [(0, 0), (110, 1), (20, 2)])
def test_what_is_popular_may_be_of_the_last_days(days: float, best: int) -> None:
    config = CollaborativeConfig(algorithm="popularity", days=days)
    found = fit_collaborative(fashions(), config, MEANS, 5.0, Silent())
    nobody = csr_array((1, 4), dtype=np.float32)
    assert found.scorer.scores(nobody)[0].argmax() == best
    assert found.again(fashions().log).scores(nobody)[0].argmax() == best
    blended = HybridConfig(algorithm="popularity", days=days, content=0.0)
    assert fit_hybrid(fashions(), blended, MEANS, 5.0, Silent()).scorer.scores(nobody)[0].argmax() == best


def test_nothing_is_recent_without_times() -> None:
    config = CollaborativeConfig(algorithm="popularity", days=30)
    with pytest.raises(DataError, match=r"has no times, which model\.days needs") as caught:
        fit_collaborative(fashions(timed=False), config, MEANS, 5.0, Silent())
    assert "data.time" in caught.value.mend
