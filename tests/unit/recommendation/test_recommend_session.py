"""Rules and reasons of recommendations, against a slow oracle written from the words of the contract."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array
from tests.unit.recommendation.shops import ITEMS, USERS, ask, opened, shop, weights

from glassworks.contracts import Budget, Opened
from glassworks.errors import GlassworksError, InputError
from glassworks.explanation import explain
from glassworks.recommendation.artifact import write_arrays
from glassworks.recommendation.scoring.item_weights import ItemWeights
from glassworks.recommendation.scoring.popularity import Popularity
from glassworks.recommendation.session import RecommendSession
from glassworks.runtimes import open_session
from glassworks.tasks.recommendation import Recommendation

LOG = shop()
CASES = 600


@pytest.fixture(scope="module", params=["weights", "popularity"])
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RecommendSession:
    scorer = weights() if request.param == "weights" else Popularity(LOG.popularity())
    return opened(scorer, LOG, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def linear(tmp_path_factory: pytest.TempPathFactory) -> RecommendSession:
    return opened(weights(), LOG, tmp_path_factory.mktemp("linear"))


def a_request(generator: np.random.Generator) -> dict[str, Any]:
    """Any mixture of what may be asked."""
    ids = [int(each) for each in generator.choice(ITEMS, 12, replace=False) * 10]
    request: dict[str, Any] = {"k": int(generator.integers(1, 25)), "reasons": int(generator.integers(0, 4))}
    chances = generator.random(8)
    if chances[0] < 0.7:
        request["user"] = int(100 + generator.integers(USERS + 2))
    if chances[0] > 0.5:
        request["history"] = [*ids[:3], 7777]
    if chances[1] < 0.3:
        request["allow"] = ids
    if chances[2] < 0.4:
        request["deny"] = ids[3:8]
    if chances[3] < 0.3:
        request["where"] = {"kind": "book"}
    elif chances[3] < 0.5:
        request["where"] = {"price": {"min": 10, "max": 40}, "tags": ["red", "blue"]}
    request["seen"] = ("exclude", "include", "only")[int(generator.integers(3))]
    if chances[4] < 0.3:
        request["boost"] = [{"factor": 2.5, "where": {"kind": "film"}}, {"factor": 0.0, "items": ids[:2]}]
    if chances[5] < 0.3:
        request["diversity"] = float(chances[6])
    return request


def met_by(request: dict[str, Any]) -> set[int]:
    """Items that the user has met, by the log and the request."""
    index = request.get("user", 0) - 100
    known = LOG.item[LOG.user == index].tolist() if 0 <= index < USERS else []
    return {10 * int(item) for item in known} | {i for i in request.get("history", []) if i != 7777}


def passes(request: dict[str, Any]) -> list[int]:
    """The items that the rules leave, one by one."""
    seen, found = met_by(request), []
    for row in LOG.table.iter_rows(named=True):
        item, where = row["id"], request.get("where", {})
        right = [
            item in request.get("allow", [item]),
            item not in request.get("deny", []),
            "kind" not in where or row["kind"] == where["kind"],
            "price" not in where or (row["price"] is not None and 10 <= row["price"] <= 40),
            "tags" not in where or bool({"red", "blue"} & set(row["tags"])),
            {"exclude": item not in seen, "only": item in seen, "include": True}[request["seen"]],
        ]
        if all(right):
            found.append(item)
    return found


def test_no_rule_is_ever_broken(session: RecommendSession) -> None:
    generator = np.random.default_rng(0)
    short = 0
    for _ in range(CASES):
        request = a_request(generator)
        (answer,) = ask(session, request)
        allowed, items = passes(request), [each["item"] for each in answer["items"]]
        assert set(items) <= set(allowed), request
        assert len(set(items)) == len(items) == min(request["k"], len(allowed)), request
        assert (answer["shortage"] is not None) == (len(allowed) < request["k"])
        if answer["shortage"]:
            short += 1
            assert answer["shortage"]["asked"] == request["k"]
            assert answer["shortage"]["reason"]
        if "boost" not in request and "diversity" not in request:
            scores = [each["score"] for each in answer["items"]]
            assert scores == sorted(scores, reverse=True)
    assert 20 < short < CASES


def test_the_best_come_first_and_equal_ones_in_their_order(session: RecommendSession) -> None:
    for user in (100, 107, 129):
        (whole,) = ask(session, {"user": user, "k": 1000, "seen": "include", "reasons": 0})
        ranked = [(-each["score"], each["item"]) for each in whole["items"]]
        assert ranked == sorted(ranked)
        (few,) = ask(session, {"user": user, "k": 7, "seen": "include", "reasons": 0})
        assert few["items"] == whole["items"][:7]


def test_a_batch_equals_its_rows(session: RecommendSession) -> None:
    generator = np.random.default_rng(3)
    requests = [a_request(generator) for _ in range(9)]
    together = ask(session, *requests)
    for request, answer in zip(requests, together, strict=True):
        (alone,) = ask(session, request)
        assert [each["item"] for each in alone["items"]] == [each["item"] for each in answer["items"]]


def test_reasons_sum_to_the_score(linear: RecommendSession) -> None:
    for user in range(100, 100 + USERS):
        (answer,) = ask(linear, {"user": user, "k": 10, "reasons": 4})
        for each in answer["items"]:
            named = [reason["contribution"] for reason in each["because"]]
            assert named == sorted(named, reverse=True)
            assert sum(named) + each["others"] + each["rest"] == pytest.approx(each["score"], abs=1e-5)


def synthetic(folder: Path) -> tuple[RecommendSession, NDArray[np.int64]]:
    """Item B follows only from its own cause A; all other weights are small."""
    generator = np.random.default_rng(5)
    dense = (generator.random((ITEMS, ITEMS)) * 0.02).astype(np.float32)
    np.fill_diagonal(dense, 0)
    effect = generator.permutation(ITEMS)
    causes = np.arange(ITEMS)[effect != np.arange(ITEMS)]
    dense[:, :] *= 0.5
    dense[causes, effect[causes]] = 1.0
    return opened(ItemWeights(csr_array(dense)), LOG, folder), effect


def test_a_synthetic_cause_is_named_first_and_its_removal_drops_the_effect(tmp_path: Path) -> None:
    session, effect = synthetic(tmp_path)
    generator, right, lost, asked = np.random.default_rng(6), 0, 0, 0
    for cause in range(ITEMS):
        if effect[cause] == cause:
            continue
        others = [int(o) for o in generator.permutation(ITEMS)[:9] if o not in (cause, effect[cause])]
        others = [o for o in others if effect[o] != effect[cause]]
        history = [10 * o for o in [*others, cause]]
        effects = {10 * int(effect[index // 10]) for index in history} - set(history)
        (answer,) = ask(session, {"history": history, "k": len(effects)})
        wanted = 10 * int(effect[cause])
        found = {each["item"]: each for each in answer["items"]}
        asked += 1
        right += found[wanted]["because"][0]["item"] == 10 * cause
        (without,) = ask(session, {"history": history[:-1], "k": max(1, len(effects) - 1), "deny": history[-1:]})
        lost += wanted not in {each["item"] for each in without["items"]}
    assert right >= 0.99 * asked
    assert lost >= 0.99 * asked


@pytest.mark.parametrize("method", ["history_contributions", "counterfactual", "leave_one_out", "partition_shapley"])
def test_explanations_name_items_and_hold(linear: RecommendSession, method: str) -> None:
    rows = np.array([b'{"user": 104, "k": 5}'], object)
    subject = Recommendation().subject({"request": rows}, lambda role: linear, None)
    found = explain(
        subject, method=method, target=None, budget=Budget(), seed=0, labels=(), artifact_sha256="", grade=True
    )
    (answer,) = ask(linear, {"user": 104, "k": 5, "reasons": 100})
    first = answer["items"][0]
    names = [name["item"] for name in found.names]
    values = dict(zip(names, found.attribution.values.ravel().tolist(), strict=True))
    if method == "counterfactual":
        assert found.attribution.converged
        removed = [item for item, value in values.items() if value]
        left = [item for item in names if item not in removed]
        seen = sorted(met_by({"user": 104}))

        def recommended(history: list[int]) -> bool:
            (again,) = ask(linear, {"history": history, "k": 5, "deny": seen})
            return first["item"] in [each["item"] for each in again["items"]]

        assert recommended(names)
        assert not recommended(left)
        assert all(recommended([*left, item]) for item in removed)
    else:
        wanted = {each["item"]: each["contribution"] for each in first["because"]}
        assert values == pytest.approx(wanted, abs=1e-4)
        assert found.attribution.score == pytest.approx(first["score"], abs=1e-5)


@pytest.mark.parametrize("who", [{"user": "nobody"}, {"user": ""}, {"user": "nobody", "history": []}])
def test_who_is_not_known_gets_what_is_popular(session: RecommendSession, who: dict[str, Any]) -> None:
    (answer,) = ask(session, {**who, "k": 5})
    assert answer["basis"] == "popularity"
    assert not answer["known_user"]
    order = np.argsort(-LOG.popularity(), kind="stable")[:5]
    assert [each["item"] for each in answer["items"]] == [10 * int(index) for index in order]
    (unknown,) = ask(session, {"history": [7777, "x"], "k": 3})
    assert unknown["basis"] == "popularity"
    assert unknown["unknown_items"] == [7777, "x"]


def test_what_the_model_holds_for_popular_comes_before_what_is_popular_of_all_time(tmp_path: Path) -> None:
    recent = np.roll(LOG.popularity(), 1) + 0.5
    (answer,) = ask(opened(Popularity(recent.astype(np.float32)), LOG, tmp_path), {"user": "nobody", "k": 3})
    assert answer["basis"] == "popularity"
    wanted = np.argsort(-recent, kind="stable")[:3]
    assert [each["item"] for each in answer["items"]] == [10 * int(index) for index in wanted]


def test_where_no_item_is_left_the_answer_says_which_rule_left_none(session: RecommendSession) -> None:
    everything = [10 * index for index in range(ITEMS)]
    for rules, last in (
        ({"deny": everything}, "0 after 'deny'"),
        ({"allow": []}, "0 after 'allow'"),
        ({"where": {"kind": "no such kind"}}, "0 after 'where kind'"),
        ({"where": {"price": {"min": 50, "max": 40}}}, "0 after 'where price'"),
    ):
        (answer,) = ask(session, {"user": 100, "k": 5, **rules})
        assert answer["items"] == []
        assert (answer["shortage"]["asked"], answer["shortage"]["found"]) == (5, 0)
        assert last in answer["shortage"]["reason"]


@pytest.mark.parametrize("given", ["1_00", " 100", "１００", "+100", "100.0", "9" * 40])
def test_a_text_is_a_whole_number_only_as_one_is_written(session: RecommendSession, given: str) -> None:
    (answer,) = ask(session, {"user": given, "k": 1})
    assert not answer["known_user"]
    assert ask(session, {"user": "100", "k": 1})[0]["known_user"]


def test_similar_items_leave_out_the_item_itself(linear: RecommendSession) -> None:
    (answer,) = ask(linear, {"similar_to": 30, "k": 1000})
    assert answer["basis"] == "similar"
    assert 30 not in [each["item"] for each in answer["items"]]
    assert len(answer["items"]) == ITEMS - 1


def test_diversity_makes_what_is_recommended_differ(linear: RecommendSession) -> None:
    def kinds(diversity: float) -> int:
        found = ask(linear, *({"user": 100 + u, "k": 6, "diversity": diversity} for u in range(USERS)))
        rows = {row["id"]: (row["kind"], *row["tags"]) for row in LOG.table.iter_rows(named=True)}
        return sum(len({rows[each["item"]] for each in answer["items"]}) for answer in found)

    assert kinds(0.8) > kinds(0.0)


def test_text_ids_are_kept_and_a_bare_id_is_a_user(tmp_path: Path) -> None:
    session = opened(weights(), shop(text_ids=True), tmp_path)
    bare, named, quoted = ask(session, "103", {"user": 103}, '"103"')
    assert bare == named == quoted
    assert bare["items"][0]["item"].startswith("item-")
    assert bare["known_user"]


@pytest.mark.parametrize(
    ("request_text", "problem"),
    [
        ("", "the request is empty"),
        ("{", "is no JSON"),
        ("[1]", "no JSON object"),
        ("{}", "neither a user nor a history"),
        ('{"user": 1, "k": 0}', "'k' is 0"),
        ('{"user": 1, "k": 1000000}', "'k' is 1000000"),
        ('{"user": 1, "colour": 2}', "unknown key 'colour'"),
        ('{"user": 1, "where": {"colour": "red"}}', "no column 'colour'"),
        ('{"user": 1, "where": {"kind": {"min": 2}}}', "holds no numbers"),
        ('{"similar_to": 7777}', "no item '7777'"),
        ('{"user": 1.5}', "user"),
        ('{"user": 1, "diversity": 2}', "'diversity' is 2"),
        ('{"history": [{"item": 10, "weight": -1}]}', "history"),
        ('{"history": ["\\ud800"]}', "'history.0' is"),
        ('{"history": [1000000000000000000000]}', "'history.0' is"),
        ('{"history": [{"weight": 1}]}', "lacks 'history.0.item'"),
        ('{"user":' + "[" * 100_000, "is no JSON"),
    ],
)
def test_what_is_wrong_is_said(linear: RecommendSession, request_text: str, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        ask(linear, request_text)
    assert problem in caught.value.problem
    assert caught.value.mend


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    artifact = write_arrays(weights(), LOG, tmp_path).model_copy(update={"runtime": "arrays"})
    np.save(tmp_path / "histories.indptr.npy", np.zeros(3, np.int32))
    with pytest.raises(GlassworksError, match="do not fit"):
        open_session(Recommendation(), Opened(artifact=artifact, folder=tmp_path), {})


def test_a_text_of_digits_stays_a_text(tmp_path: Path) -> None:
    """Readers' cards keep their zeros, however they are asked for; others are told to be unknown."""
    users = polars.Series([f"{number:05}" for number in range(len(LOG.users))])
    session = opened(weights(), replace(LOG, users=users), tmp_path)
    answers = ask(session, "00007", '"00007"', {"user": "00007"}, {"user": " 00007 "})
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["basis"] == "history"
    assert "unknown_user" not in answers[0]
    for other in ("7", 7, "0007", "X9"):
        (answer,) = ask(session, {"user": other})
        assert answer["unknown_user"] == other
        assert not answer["known_user"]
    assert "the user '7' is not known" in Recommendation().present(answers[0] | {"unknown_user": "7"}).notes


def test_numbers_among_texts_are_found_either_way(tmp_path: Path) -> None:
    users = polars.Series(sorted([*map(str, range(len(LOG.users) - 1)), "X9"]))
    session = opened(weights(), replace(LOG, users=users), tmp_path)
    number, text, bare = ask(session, {"user": 7}, {"user": "7"}, "7")
    assert number == text == bare
    assert number["known_user"]
