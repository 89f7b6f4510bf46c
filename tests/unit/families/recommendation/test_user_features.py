"""What people are answers those of whom nothing else is known: planted tastes of countries and ages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
from tests.unit.recommendation.shops import ask, opened

from glassworks.contracts import Budget, Progress
from glassworks.data.interactions.dataset import InteractionsDataset, prepare_interactions
from glassworks.data.interactions.keys import InteractionData
from glassworks.data.interactions.reading import read_interactions
from glassworks.errors import DataError, InputError
from glassworks.explanation import explain
from glassworks.families._recommendation.algorithms import Means
from glassworks.families._recommendation.fitting import fit_collaborative
from glassworks.families._recommendation.hybrid import fit_hybrid
from glassworks.families._recommendation.settings import CollaborativeConfig, HybridConfig
from glassworks.families._recommendation.training import FEATURES, compare
from glassworks.recommendation.session import RecommendSession
from glassworks.tasks.recommendation import Recommendation

COUNTRIES, ITEMS, USERS = ("FR", "DE", "JP"), 90, 300


def shop(folder: Path, **keys: Any) -> InteractionData:
    """People like what is liked in their country, and the young other things of it than the old; the last 30 bought
    nothing yet."""
    generator, events, people = np.random.default_rng(0), ["user,item"], ["user,country,age"]
    for user in range(USERS + 30):
        country, age = user % 3, int(generator.integers(15, 80))
        own = np.flatnonzero((np.arange(ITEMS) % 3 == country) & ((np.arange(ITEMS) < ITEMS // 2) == (age < 45)))
        people.append(f"c{user:03},{COUNTRIES[country]},{age}")
        if user < USERS:
            events += [f"c{user:03},{item}" for item in generator.choice(own, 6, replace=False)]
            events += [f"c{user:03},{item}" for item in generator.choice(ITEMS, 2, replace=False)]
    items = ["item,kind", *(f"{item},k{item % 3}" for item in range(ITEMS))]
    for name, lines in (("events", events), ("people", people), ("items", items)):
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    said = {"source": f"csv:{folder / 'events.csv'}", "users": f"csv:{folder / 'people.csv'}"}
    return InteractionData.model_validate(
        {**said, "user_categories": ["country"], "user_numbers": ["age"], "test": 0.4, **keys}
    )


def prepared(data: InteractionData) -> InteractionsDataset:
    return prepare_interactions(read_interactions(data), data)


@pytest.fixture(scope="module", params=["collaborative", "hybrid_recommender"])
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RecommendSession:
    folder = tmp_path_factory.mktemp("shop")
    more = {"items": f"csv:{folder / 'items.csv'}", "categories": ["kind"]}
    dataset = prepared(shop(folder, **(more if request.param == "hybrid_recommender" else {})))
    means = Means(seed=0, threads=1)
    if request.param == "collaborative":
        fitted = fit_collaborative(dataset, CollaborativeConfig(tune=False), means, None, Progress())
    else:
        fitted = fit_hybrid(dataset, HybridConfig(tune=False), means, None, Progress())
    return opened(fitted.scorer, dataset.log, folder)


def share_of(answer: dict[str, Any], country: int, *, young: bool) -> float:
    """The part of the answer that people of that country and age like."""
    found: list[int] = [each["item"] for each in answer["items"]]
    return sum(item % 3 == country and (item < ITEMS // 2) == young for item in found) / len(found)


@pytest.mark.parametrize("country", range(3))
@pytest.mark.parametrize("age", [20, 70])
def test_an_unknown_user_is_answered_by_features(session: RecommendSession, country: int, age: int) -> None:
    features = {"country": COUNTRIES[country], "age": age}
    for who in ({}, {"user": "nobody"}):
        (answer,) = ask(session, {**who, "features": features})
        assert answer["basis"] == "features"
        assert share_of(answer, country, young=age < 45) >= 0.9
        assert {each["feature"].partition(":")[0] for each in answer["items"][0]["features"]} == {"country", "age"}
        assert answer["items"][0]["features"][0]["contribution"] > 0
    (popular,) = ask(session, {"user": "nobody"})
    assert popular["basis"] == "popularity"
    assert share_of(popular, country, young=age < 45) < 0.5


def test_somebody_in_the_table_who_bought_nothing_is_answered_by_it(session: RecommendSession) -> None:
    (answer,) = ask(session, {"user": "c301"})
    assert answer["basis"] == "features"
    assert not answer["known_user"]
    assert sum(each["item"] % 3 == 1 for each in answer["items"]) >= 9


def test_a_history_goes_before_features(session: RecommendSession) -> None:
    history = {"history": [0, 3, 6], "k": 5}
    plain, featured = ask(session, history, {**history, "features": {"country": "JP"}})
    assert plain["basis"] == "history"
    assert plain == featured
    assert ask(session, {"user": "c000"})[0]["basis"] == "history"


def test_what_is_not_known_of_features_is_said(session: RecommendSession) -> None:
    (answer,) = ask(session, {"features": {"country": "XX", "age": "30"}})
    assert answer["unknown_features"] == ["country: XX"]
    assert "features not known: country: XX" in Recommendation().present(answer).notes
    assert ask(session, {"features": {"country": "XX"}})[0]["basis"] == "popularity"
    with pytest.raises(InputError, match="users have no 'city'"):
        ask(session, {"features": {"city": "Paris"}})
    with pytest.raises(InputError, match="is a number"):
        ask(session, {"features": {"age": "old"}})


def test_features_are_explained_by_what_answers(session: RecommendSession) -> None:
    rows = np.array([json.dumps({"features": {"country": "FR", "age": 20}}).encode()], object)
    subject = Recommendation().subject({"request": rows}, lambda role: session, None)
    found = explain(
        subject,
        method="history_contributions",
        target=None,
        budget=Budget(),
        seed=0,
        labels=(),
        artifact_sha256="",
    )
    (answer,) = ask(session, {"features": {"country": "FR", "age": 20}})
    assert [name["title"] for name in found.names] == ["features of the user"]
    assert found.attribution.values.ravel().tolist() == pytest.approx([answer["items"][0]["score"]])


def test_features_beat_popularity_where_the_protocol_asks(tmp_path: Path) -> None:
    dataset = prepared(shop(tmp_path))
    scorer = fit_collaborative(
        dataset, CollaborativeConfig(algorithm="popularity", tune=False), Means(seed=0, threads=1), None, Progress()
    ).scorer
    table = compare(dataset.cut, scorer)
    assert table[FEATURES]["ndcg_at_10"].value > table["popularity"]["ndcg_at_10"].value
    assert table[f"{FEATURES} - popularity"]["ndcg_at_10"].interval[0] > 0


def test_a_table_of_other_users_is_refused(tmp_path: Path) -> None:
    data = shop(tmp_path)
    people = (tmp_path / "people.csv").read_text(encoding="utf-8").replace("\nc", "\nC")
    (tmp_path / "people.csv").write_text(people, encoding="utf-8")
    with pytest.raises(DataError, match=r"data\.users: only 0 of 300 ids in 'user'") as caught:
        read_interactions(data)
    assert "upper and lower case" in caught.value.mend


def test_a_model_without_a_table_of_users_refuses_features(tmp_path: Path) -> None:
    data = shop(tmp_path, users="", user_categories=[], user_numbers=[])
    dataset = prepared(data)
    fitted = fit_collaborative(dataset, CollaborativeConfig(tune=False), Means(seed=0, threads=1), None, Progress())
    with pytest.raises(InputError, match="knows no features of users"):
        ask(opened(fitted.scorer, dataset.log, tmp_path), {"features": {"country": "FR"}})


def test_users_that_are_text_in_one_table_are_text_in_both(tmp_path: Path) -> None:
    data = shop(tmp_path)
    for name in ("events", "people"):
        table = (tmp_path / f"{name}.csv").read_text(encoding="utf-8").replace("\nc0", "\n").replace("\nc", "\n")
        (tmp_path / f"{name}.csv").write_text(table + ("x9,FR,20\n" if name == "people" else ""), encoding="utf-8")
    text = (tmp_path / "events.csv").read_text(encoding="utf-8")
    log = read_interactions(data)
    assert log.people is not None
    assert [log.users.dtype, log.people["id"].dtype] == [polars.String, polars.String]
    met = {(log.users[int(u)], log.items[int(i)]) for u, i in zip(log.user, log.item, strict=True)}
    assert met == {(u, int(i)) for u, i in (line.split(",") for line in text.splitlines()[1:])}
