"""A small shop with a synthetic cause, written as the files of a recommender and opened again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars
from scipy.sparse import csr_array

from glassworks.contracts import Artifact, Opened
from glassworks.data.interactions.collection import Interactions, ItemColumns
from glassworks.recommendation.artifact import write_arrays
from glassworks.recommendation.scoring import Scorer
from glassworks.recommendation.scoring.item_weights import ItemWeights
from glassworks.recommendation.session import RecommendSession
from glassworks.tasks.recommendation import Recommendation

USERS, ITEMS = 30, 60


def shop(seed: int = 0, *, text_ids: bool = False) -> Interactions:
    """Interactions at random; items have a kind, several tags, a price (some without), and a title."""
    generator = np.random.default_rng(seed)
    rows = [(u, i) for u in range(USERS) for i in sorted(generator.choice(ITEMS, 8, replace=False).tolist())]
    user, item = np.array(rows, np.int32).T
    numbers = np.arange(ITEMS)
    ids = [f"item-{number:03}" for number in numbers] if text_ids else (numbers * 10).tolist()
    table = polars.DataFrame(
        {
            "id": ids,
            "kind": [("book", "film", None)[number % 3] for number in numbers],
            "tags": [["new", "red"] if number % 2 else ["old"] for number in numbers],
            "price": [None if number % 7 == 0 else float(number) for number in numbers],
            "title": [f"Title {number}" for number in numbers],
        }
    )
    return Interactions(
        source="test",
        users=polars.Series([100 + number for number in range(USERS)]),
        items=table["id"],
        user=user,
        item=item,
        time=None,
        weight=np.ones(len(rows), np.float32),
        liked=generator.random(len(rows)) < 0.8,
        table=table,
        columns=ItemColumns(categories=("kind", "tags"), numbers=("price",), title="title"),
        fingerprint="test",
    )


def weights(seed: int = 1) -> ItemWeights:
    """From item to item, some negative."""
    generator = np.random.default_rng(seed)
    dense = generator.normal(size=(ITEMS, ITEMS)) * (generator.random((ITEMS, ITEMS)) < 0.5)
    np.fill_diagonal(dense, 0)
    return ItemWeights(csr_array(dense.astype(np.float32)))


def opened(scorer: Scorer, log: Interactions, folder: Path) -> RecommendSession:
    """The session that answers, from files."""
    from glassworks.runtimes import open_session

    artifact: Artifact = write_arrays(scorer, log, folder).model_copy(update={"runtime": "arrays"})
    session = open_session(Recommendation(), Opened(artifact=artifact, folder=folder), {})
    assert isinstance(session, RecommendSession)
    return session


def ask(session: RecommendSession, *requests: Any) -> list[dict[str, Any]]:
    """Answers for requests, texts or what JSON can hold."""
    import json

    rows = np.empty(len(requests), object)
    rows[:] = [each.encode() if isinstance(each, str) else json.dumps(each).encode() for each in requests]
    return [json.loads(answer) for answer in session.run({"request": rows})["recommendations"]]


def bundle(folder: Path) -> Path:
    """The shop as a packaged model named `shop`."""
    from glassworks.packaging.bundle import write_bundle
    from glassworks.packaging.manifest import Manifest
    from glassworks.recommendation.session import SIGNATURE

    folder.mkdir()
    artifact = write_arrays(weights(), shop(), folder).model_copy(update={"runtime": "arrays"})
    manifest = Manifest(
        name="shop",
        task="recommendation",
        family="collaborative",
        signature=SIGNATURE,
        artifacts=(artifact,),
        explainers=("history_contributions", "counterfactual"),
    )
    write_bundle(folder, manifest)
    return folder
