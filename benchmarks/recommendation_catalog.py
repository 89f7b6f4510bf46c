"""More than a million items: the graph of near vectors of a factorization that the product fitted, and the exact scan.

    python benchmarks/recommendation_catalog.py [--interactions 12000000] [--items 1600000] [--factors 64] [--threads 1]
    python benchmarks/recommendation_catalog.py --sizes 60000,240000      # fewer items, as many interactions an item

Interactions are those of `recommendation_scale.py`: Zipf's popularity, log-normal activity, forty tastes; items are
those that somebody met. Each step runs in a process of its own (`--step write`, `fit`, `graph`, `answers`, on
`--folder`), so that peak memory is its own. Recall is of the exact ten best: by packaging's own check, and of answers
to other users.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from recommendation_scale import answered, apart, peak_gb, timed, write
from report import publish, rows_by

STEPS = ("write", "fit", "graph", "answers")
ASKED, USERS_A_HUNDRED_ITEMS, TOP = 200, 25, 10


def fit(folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Read, fit, fit again on everything, and write the arrays without a graph."""
    from glassworks.data.interactions.dataset import prepare_interactions
    from glassworks.data.interactions.keys import InteractionData
    from glassworks.data.interactions.reading import read_interactions
    from glassworks.families._recommendation.algorithms import Means
    from glassworks.families._recommendation.fitting import fit_collaborative
    from glassworks.families._recommendation.settings import CollaborativeConfig
    from glassworks.progress import Silent
    from glassworks.recommendation import nearest
    from glassworks.recommendation.artifact import write_arrays

    clock: dict[str, float] = {}
    data = InteractionData(source=f"parquet:{folder / 'events.parquet'}", time="time")
    with timed(clock, "read_s"):
        log = read_interactions(data)
    with timed(clock, "cut_s"):
        dataset = prepare_interactions(log, data)
    config = CollaborativeConfig(algorithm="ials", tune=False, factors=given.factors)
    with timed(clock, "fit_s"):
        fitted = fit_collaborative(dataset, config, Means(seed=0, threads=given.threads), None, Silent())
    nearest.SMALLEST = 2**62
    with timed(clock, "write_s"):
        artifact = write_arrays(fitted.scorer, log, folder)
    (folder / "artifact.json").write_text(artifact.model_dump_json(), encoding="utf-8")
    counts = {"interactions": len(log), "users": log.shape[0], "items": log.shape[1]}
    return {**counts, **clock, "peak_fit_gb": peak_gb()}


def graph(folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """As packaging builds and checks it; each width of the search, though packaging stops at the first that will do."""
    from scipy.sparse import csr_array

    from glassworks.recommendation import nearest

    session = opened(folder)
    scorer, rows, clock = session.scorer, session._rows, {}
    vectors = np.asarray(scorer.vectors())
    liked = csr_array((rows[2], rows[1], rows[0]), shape=(len(rows[0]) - 1, len(vectors)))
    with timed(clock, "build_s"):
        nearest._built(vectors).save(folder / nearest.FILE)
    queries, checks = scorer.users(liked[nearest._some(liked)]), {}
    for expansion in nearest._EXPANSIONS:
        index = nearest._viewed(folder / nearest.FILE, vectors.shape[1], expansion)
        with timed(clock, "check_s"):
            checks[str(expansion)] = nearest._recall(index, vectors, queries)
        if checks[str(expansion)] >= nearest._RECALL:
            break
    size = (folder / nearest.FILE).stat().st_size / 1e9
    return {**clock, "recall_by_expansion": checks, "graph_gb": size, "peak_graph_gb": peak_gb()}


def answers(folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Ten items with three reasons, in the process: by the scan, and by the graph at each width that was checked."""
    from glassworks.recommendation import nearest

    exact, checks = opened(folder), json.loads(Path(folder / "graph.json").read_text())["recall_by_expansion"]
    users = [exact._users[place] for place in np.random.default_rng(1).choice(len(exact._users), ASKED, replace=False)]
    wanted = [items_of(exact, user) for user in users]
    found: dict[str, Any] = {**percentiles("scan", exact, users)}
    for expansion in checks:
        index = json.loads((folder / "predict.json").read_text(encoding="utf-8"))
        told = {"nearest": {"file": nearest.FILE, "expansion": int(expansion), "used": True}}
        near = opened(folder, {**index, **told})
        hits = sum(len(items & items_of(near, user)) for items, user in zip(wanted, users, strict=True))
        found[f"answers_recall_{expansion}"] = hits / sum(map(len, wanted))
        found |= percentiles(f"graph_{expansion}", near, users)
    return {**found, "resident_gb": resident_gb(), "peak_answers_gb": peak_gb()}


def percentiles(name: str, session: Any, users: list[Any]) -> dict[str, float]:
    """Milliseconds of an answer, after twenty to warm up."""
    for user in users[:20]:
        answered(session, user)
    taken = [answered(session, user) for user in users]
    return {f"{name}_p50_ms": float(np.percentile(taken, 50)), f"{name}_p99_ms": float(np.percentile(taken, 99))}


def items_of(session: Any, user: Any) -> set[Any]:
    """What a user gets."""
    request = np.array([json.dumps({"user": user, "k": TOP, "reasons": 0}).encode()], object)
    return {each["item"] for each in json.loads(session.run({"request": request})["recommendations"][0])["items"]}


def opened(folder: Path, index: Any = None) -> Any:
    """A session on the arrays in the folder, by its own index file or by another one."""
    from glassworks.contracts import Artifact, Opened
    from glassworks.recommendation.session import RecommendSession
    from glassworks.runtimes import open_session
    from glassworks.tasks.recommendation import Recommendation

    artifact = Artifact.model_validate_json((folder / "artifact.json").read_text(encoding="utf-8"))
    artifact = artifact.model_copy(update={"runtime": "arrays", "role": "other" if index else "predict"})
    session = open_session(Recommendation(), Opened(artifact=artifact, folder=folder), {})
    return RecommendSession(index, session.arrays, folder) if index else session


def resident_gb() -> float:
    """Now, mapped pages included."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e9


def steps(folder: Path, given: argparse.Namespace, items: int, interactions: int) -> dict[str, Any]:
    """All of them, one after the other."""
    found: dict[str, Any] = {}
    for step in STEPS:
        names = ("factors", "threads")
        more = [text for name in names for text in (f"--{name}", str(getattr(given, name)))]
        sizes = ("--items", str(items), "--interactions", str(interactions))
        apart("--step", step, "--folder", str(folder), *sizes, *more, threads=given.threads, script=__file__)
        if step != "write":
            found |= json.loads((folder / f"{step}.json").read_text(encoding="utf-8"))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interactions", type=int, default=12_000_000)
    parser.add_argument("--items", type=int, default=1_600_000)
    parser.add_argument("--sizes", default="")
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--step", choices=STEPS, help="one step alone, on --folder")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.step == "write":
        users = given.items * USERS_A_HUNDRED_ITEMS // 100
        write(given.folder / "events.parquet", given.interactions, users, given.items)
        return
    if given.step:
        made = {"fit": fit, "graph": graph, "answers": answers}[given.step](given.folder, given)
        (given.folder / f"{given.step}.json").write_text(json.dumps(made), encoding="utf-8")
        return
    share = given.interactions / given.items
    asked = [int(each) for each in given.sizes.split(",")] if given.sizes else [given.items]
    found: dict[str, Any] = {}
    for items in asked:
        if given.folder:
            found[str(items)] = steps(given.folder, given, items, round(share * items))
            continue
        with tempfile.TemporaryDirectory() as folder:
            found[str(items)] = steps(Path(folder), given, items, round(share * items))
    publish("recommendation_catalog", found, rows_by(found, "items"))


if __name__ == "__main__":
    main()
