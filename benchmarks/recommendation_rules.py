"""Rules, reasons and a planted cause, for every collaborative algorithm, on synthetic purchases.

    python benchmarks/recommendation_rules.py [--cases 10000]

40 pairs of items of which B is bought only after A, 120 others; 800 users. Rules: random requests, checked item by item
against the words of the guide. Cause: histories with one A and eight others; A must be named first for its B, and
without A, B must be gone from the shortest list that it was in.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars
from report import publish

from glassworks.contracts import Opened
from glassworks.data.interactions.collection import Interactions, ItemColumns, sparse_rows
from glassworks.families._recommendation.algorithms import ALGORITHMS, Means
from glassworks.recommendation.artifact import write_arrays
from glassworks.recommendation.session import RecommendSession
from glassworks.runtimes import open_session
from glassworks.tasks.recommendation import Recommendation

PAIRS, OTHERS, USERS = 40, 120, 800
ITEMS = 2 * PAIRS + OTHERS
UNKNOWN = 10**6


def purchases() -> Interactions:
    """User by user: two pairs, A before B, and eight of the other items, some of which are bought more often."""
    generator = np.random.default_rng(0)
    often = 1 / np.arange(1, OTHERS + 1) ** 0.7
    rows = []
    for user in range(USERS):
        for pair in generator.choice(PAIRS, 2, replace=False):
            rows += [(user, 2 * int(pair)), (user, 2 * int(pair) + 1)]
        some = generator.choice(OTHERS, 8, replace=False, p=often / often.sum())
        rows += [(user, 2 * PAIRS + int(other)) for other in some]
    user, item = np.array(rows, np.int32).T
    numbers = np.arange(ITEMS)
    table = polars.DataFrame(
        {
            "id": numbers,
            "kind": [("book", "film", None)[number % 3] for number in numbers],
            "tags": [["new", "red"] if number % 2 else ["old"] for number in numbers],
            "price": [None if number % 7 == 0 else float(number) for number in numbers],
        }
    )
    return Interactions(
        source="synthetic",
        users=polars.Series(np.arange(USERS)),
        items=table["id"],
        user=user,
        item=item,
        time=np.arange(len(user)),
        weight=np.ones(len(user), np.float32),
        liked=np.ones(len(user), np.bool_),
        table=table,
        columns=ItemColumns(categories=("kind", "tags"), numbers=("price",)),
        fingerprint="synthetic",
    )


def session_of(name: str, log: Interactions, folder: Path) -> RecommendSession:
    """The algorithm with its sane values, fitted, written and opened again."""
    likes = sparse_rows(log.user, log.item, np.ones(len(log), np.float32), log.shape)
    scorer = ALGORITHMS[name].fit(log, likes, ALGORITHMS[name].default, Means(seed=0, threads=1))
    folder.mkdir()
    artifact = write_arrays(scorer, log, folder).model_copy(update={"runtime": "arrays"})
    session = open_session(Recommendation(), Opened(artifact=artifact, folder=folder), {})
    if not isinstance(session, RecommendSession):
        raise TypeError(f"{name} was opened as {type(session).__name__}")
    return session


def ask(session: RecommendSession, request: dict[str, Any]) -> dict[str, Any]:
    """The answer for one request."""
    row = np.empty(1, object)
    row[0] = json.dumps(request).encode()
    answer: dict[str, Any] = json.loads(session.run({"request": row})["recommendations"][0])
    return answer


def a_request(generator: np.random.Generator) -> dict[str, Any]:
    """Any mixture of what may be asked."""
    ids = [int(each) for each in generator.choice(ITEMS, 40, replace=False)]
    request: dict[str, Any] = {"k": int(generator.integers(1, 60)), "reasons": int(generator.integers(0, 4))}
    chance = generator.random(8)
    if chance[0] < 0.7:
        request["user"] = int(generator.integers(USERS + 20))
    if chance[0] > 0.5:
        request["history"] = [*ids[:4], UNKNOWN]
    if chance[1] < 0.3:
        request["allow"] = ids
    if chance[2] < 0.4:
        request["deny"] = [*ids[3:12], UNKNOWN]
    if chance[3] < 0.3:
        request["where"] = {"kind": "book"}
    elif chance[3] < 0.5:
        request["where"] = {"price": {"min": 10, "max": 140}, "tags": ["red", "blue"]}
    request["seen"] = ("exclude", "include", "only")[int(generator.integers(3))]
    if chance[4] < 0.3:
        request["boost"] = [{"factor": 2.5, "where": {"kind": "film"}}, {"factor": 0.0, "items": ids[:2]}]
    if chance[5] < 0.2:
        request["diversity"] = float(chance[6])
    return request


def faults(
    request: dict[str, Any], answer: dict[str, Any], table: list[dict[str, Any]], bought: list[set[int]]
) -> list[str]:
    """The rules that an answer breaks."""
    user = request.get("user", USERS)
    seen = (bought[user] if user < USERS else set()) | set(request.get("history", [])) - {UNKNOWN}
    where, allow, deny = request.get("where", {}), request.get("allow"), set(request.get("deny", ()))
    allowed = set()
    for row in table:
        item = row["id"]
        right = (allow is None or item in allow) and item not in deny
        right = right and ("kind" not in where or row["kind"] == where["kind"])
        if "price" in where:
            right = right and row["price"] is not None and 10 <= row["price"] <= 140 and "red" in row["tags"]
        if right and {"exclude": item not in seen, "only": item in seen, "include": True}[request["seen"]]:
            allowed.add(item)
    items = [each["item"] for each in answer["items"]]
    scores = [each["score"] for each in answer["items"]]
    plain = "boost" not in request and "diversity" not in request
    ranked = sorted(zip([-score for score in scores], items, strict=True))
    told = answer["shortage"]
    found = {
        "a forbidden item": not set(items) <= allowed,
        "an item twice": len(set(items)) < len(items),
        "not k": len(items) != min(request["k"], len(allowed)),
        "a shortage untold": (told is not None) != (len(allowed) < request["k"]),
        "no reason": told is not None and not told["reason"],
        "out of order": plain and [item for _, item in ranked] != items,
        "parts are no sum": not all(_sums(each) for each in answer["items"] if "because" in each),
    }
    return [fault for fault, there in found.items() if there]


def _sums(item: dict[str, Any]) -> bool:
    total = sum(each["contribution"] for each in item["because"]) + item["others"] + item["rest"]
    return abs(total - item["score"]) <= 1e-4 * max(1.0, abs(item["score"]))


def cause(session: RecommendSession) -> tuple[float, float]:
    """Shares of planted pairs whose A is named first for its B, and whose B is gone without A."""
    generator, first, gone, asked = np.random.default_rng(2), 0, 0, 0
    for pair in range(PAIRS):
        for _ in range(5):
            others = [2 * PAIRS + int(other) for other in generator.choice(OTHERS, 8, replace=False)]
            request = {"history": [*others, 2 * pair], "k": ITEMS, "reasons": 1}
            ranked = ask(session, request)["items"]
            rank = [each["item"] for each in ranked].index(2 * pair + 1)
            without = ask(session, {"history": others, "k": rank + 1, "reasons": 0})["items"]
            asked += 1
            first += ranked[rank]["because"][0]["item"] == 2 * pair
            gone += 2 * pair + 1 not in [each["item"] for each in without]
    return first / asked, gone / asked


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=10_000)
    options = parser.parse_args()
    log = purchases()
    table = log.table.to_dicts()
    results, rows = dict[str, Any](), list[tuple[str, object, str]]()
    bought: list[set[int]] = [set() for _ in range(USERS)]
    for user, item in zip(log.user.tolist(), log.item.tolist(), strict=True):
        bought[user].add(item)
    with tempfile.TemporaryDirectory() as place:
        for name in ALGORITHMS:
            session, generator, broken = session_of(name, log, Path(place) / name), np.random.default_rng(1), Counter()
            for _ in range(options.cases):
                request = a_request(generator)
                broken.update(faults(request, ask(session, request), table, bought))
            results[name] = {"cases": options.cases, "violations": dict(broken)}
            rows.append((f"{name}: rules broken in {options.cases:,} requests", str(dict(broken) or 0), "0"))
            if name != "popularity":
                named, gone = results[name]["named_first"], results[name]["gone"] = cause(session)
                rows.append(
                    (f"{name}: planted cause named first, effect gone without it", f"{named:.3f} {gone:.3f}", ">= 0.99")
                )
    publish("recommendation_rules", results, rows)
