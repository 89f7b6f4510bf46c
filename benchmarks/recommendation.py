"""How good recommendations are on MovieLens, how quickly EASE is fitted, and that both of its forms agree.

    OMP_NUM_THREADS=1 python benchmarks/recommendation.py [known] [chosen] [ease] [--peer-python PYTHON]

`known`: models with fixed settings, beside the figures of an independent implementation (in the last column). `chosen`:
the hybrid family with settings that validation chose, never the test users, on three protocols. `ease`: both forms,
and RecTools in turns with ours, one thread each. For RecTools: `python -m venv PEER && PEER/bin/pip install rectools`,
then `--peer-python PEER/bin/python`, or the variable `RECTOOLS_PYTHON`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from report import publish
from threadpoolctl import threadpool_limits

from glassworks.contracts import Measurement
from glassworks.data.interactions import protocols
from glassworks.data.interactions.collection import Interactions
from glassworks.data.interactions.dataset import InteractionsDataset, folds
from glassworks.data.interactions.keys import InteractionData
from glassworks.data.interactions.protocols import Cut
from glassworks.data.interactions.reading import read_interactions
from glassworks.families._recommendation.algorithms import Means
from glassworks.families._recommendation.ease import fit_dual, fit_primal
from glassworks.families._recommendation.factorization import fit_factors
from glassworks.families._recommendation.fitting import likes_of
from glassworks.families._recommendation.hybrid import fit_hybrid
from glassworks.families._recommendation.neighbors import fit_item_neighbors
from glassworks.families._recommendation.settings import HybridConfig
from glassworks.progress import Silent
from glassworks.recommendation.baselines import popular, textbook
from glassworks.recommendation.evaluation import Ranked, evaluate
from glassworks.recommendation.metrics import mean_measured, paired_difference

SEED, FOLDS, ROUNDS = 42, 5, 5
METRICS = ("ndcg_at_10", "recall_at_20")
Fit = Callable[[Cut], Ranked]
Pair = tuple[Cut, list[Cut]]
Row = tuple[str, object, str]
Users = Mapping[str, NDArray[np.float64]]


def ials(factors: int, regularization: float) -> Fit:
    """With the seed of the known figures."""

    def fit(cut: Cut) -> Ranked:
        settings = {"factors": factors, "alpha": 1.0, "regularization": regularization, "iterations": 15}
        return evaluate(cut, fit_factors(cut.train.likes(), seed=SEED, threads=1, **settings))

    return fit


def ease(regularization: float) -> Fit:
    return lambda cut: evaluate(cut, fit_dual(cut.train.likes(), regularization))


def item_neighbors(neighbors: int) -> Fit:
    return lambda cut: evaluate(cut, fit_item_neighbors(cut.train.likes(), neighbors, 0.0))


def popularity(cut: Cut) -> Ranked:
    return evaluate(cut, popular(cut.train))


KNOWN: Mapping[str, Mapping[str, tuple[Fit, float, float]]] = {
    "P1": {
        "popularity": (popularity, 0.0311, 0.0763),
        "textbook": (textbook, 0.0450, 0.1377),
        "item-kNN, 20": (item_neighbors(20), 0.0444, 0.1482),
        "iALS, 100 factors": (ials(100, 0.01), 0.0530, 0.1587),
        "EASE, 100": (ease(100.0), 0.0578, 0.1647),
    },
    "P2": {
        "popularity": (popularity, 0.0436, 0.0713),
        "textbook": (textbook, 0.0745, 0.1024),
        "item-kNN, 100": (item_neighbors(100), 0.0667, 0.1045),
        "iALS, 100 factors": (ials(100, 0.01), 0.0885, 0.1116),
        "EASE, 200": (ease(200.0), 0.0862, 0.1178),
    },
    "P4": {
        "popularity": (popularity, 0.1396, 0.1401),
        "textbook": (textbook, 0.2308, 0.2416),
        "item-kNN, 20": (item_neighbors(20), 0.2241, 0.2293),
        "iALS, 64 factors": (ials(64, 10.0), 0.2645, 0.2542),
        "EASE, 100": (ease(100.0), 0.2762, 0.2652),
    },
}
BARS = {"P1": 0.0575, "P2": 0.088, "P4": 0.278}


def cuts(log: Interactions) -> dict[str, list[Pair]]:
    """Of each protocol the cuts to test on, each with an earlier or other one to choose settings by."""
    users = [protocols.fold_of_users(log, fold, SEED) for fold in range(FOLDS)]
    strong = [protocols.strong_generalization(log, each, SEED) for each in users]
    return {
        "P1": [(protocols.leave_last_out(log), [protocols.leave_last_out(log, back=1)])],
        "P2": [(protocols.temporal(log, 0.8), [protocols.temporal(log, 0.8, upto=0.8)])],
        "P4": [(cut, folds(cut.train, SEED)) for cut in strong],
    }


def joined(ranked: list[Ranked]) -> Users:
    return {name: np.concatenate([each.users[name] for each in ranked]) for name in METRICS}


def shown(value: Measurement) -> str:
    return f"{value.value:.4f} [{value.interval[0]:.4f}, {value.interval[1]:.4f}]"


def known(all_cuts: Mapping[str, list[Pair]]) -> tuple[dict[str, Any], list[Row]]:
    """The table of fixed settings."""
    result: dict[str, Any] = {}
    rows: list[Row] = []
    for protocol, models in KNOWN.items():
        for name, (fit, ndcg, recall) in models.items():
            users = joined([fit(cut) for cut, _ in all_cuts[protocol]])
            found = {metric: mean_measured(values) for metric, values in users.items()}
            result[f"{protocol} {name}"] = {key: value.model_dump() for key, value in found.items()}
            for metric, wanted in zip(METRICS, (ndcg, recall), strict=True):
                off = found[metric].value - wanted
                rows.append((f"{protocol} {name} {metric}", shown(found[metric]), f"{wanted:.4f}, off by {off:+.4f}"))
    return result, rows


def chosen(log: Interactions, all_cuts: Mapping[str, list[Pair]]) -> tuple[dict[str, Any], list[Row]]:
    """The hybrid family as it chooses for itself, against the textbook on the same users."""
    result: dict[str, Any] = {}
    rows: list[Row] = []
    for protocol, pairs in all_cuts.items():
        ranked, simple, notes = [], [], []
        for cut, tuning in pairs:
            fitted = fit_hybrid(dataset(log, cut, tuning), HybridConfig(), Means(seed=SEED, threads=1), 120.0, Silent())
            ranked.append(evaluate(cut, fitted.scorer, cut.train.popularity()))
            simple.append(textbook(cut))
            notes.append({"settings": dict(fitted.settings), "notes": fitted.notes})
        ours, theirs = joined(ranked), joined(simple)
        own = {metric: mean_measured(values) for metric, values in ours.items()}
        gain = paired_difference(ours["ndcg_at_10"], theirs["ndcg_at_10"])
        result[protocol] = {
            **{metric: value.model_dump() for metric, value in own.items()},
            "over_textbook": gain.model_dump(),
            "chosen": notes,
        }
        rows.append((f"{protocol} chosen ndcg_at_10", shown(own["ndcg_at_10"]), f"at least {BARS[protocol]}"))
        rows.append((f"{protocol} chosen recall_at_20", shown(own["recall_at_20"]), ""))
        rows.append((f"{protocol} ndcg_at_10 over textbook, paired", shown(gain), "above 0 on P1 and P4"))
        rows += [(f"{protocol} settings", json.dumps(each["settings"]), "") for each in notes]
    return result, rows


def dataset(log: Interactions, cut: Cut, tuning: list[Cut]) -> InteractionsDataset:
    """Only what fitting looks at."""
    empty: dict[str, Any] = {"name": log.source, "fingerprint": log.fingerprint, "classes": (), "splits": {}}
    return InteractionsDataset(log=log, cut=cut, validation=cut, tuning=tuple(tuning), protocol="", **empty)


def both_forms(log: Interactions, python: str) -> tuple[dict[str, Any], list[Row]]:
    """Times are medians of five fits; ours and those of the peer take turns."""
    likes = likes_of(protocols.leave_last_out(log).train.met())
    active = np.flatnonzero(likes.sum(axis=0))
    chosen_likes = likes[:, active]
    ours, answered, peer = [], [], []
    with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
        source, target = Path(folder) / "likes.npz", Path(folder) / "scores.npz"
        user, item = chosen_likes.nonzero()
        np.savez(source, user=user, item=item, regularization=100.0)
        for turn in range(ROUNDS):
            began = time.perf_counter()
            dual = fit_dual(likes, 100.0)
            ours.append(time.perf_counter() - began)
            dual.scores(likes)
            answered.append(time.perf_counter() - began)
            if python and turn < 2:
                peer.append(asked(python, source, target))
        began = time.perf_counter()
        primal = fit_primal(likes, 100.0)
        primal_s = time.perf_counter() - began
        scores = {"dual": dual.scores(likes)[:, active], "primal": primal.scores(likes)[:, active]}
        theirs = np.load(target)["scores"] if python else None
    unseen = chosen_likes.toarray() == 0
    apart = float(np.abs(scores["dual"] - scores["primal"])[unseen].max())
    result = {"fit_s": ours, "fit_and_score_s": answered, "primal_s": primal_s, "apart": apart, "peer": peer}
    size = f"{likes.shape[0]:,} users, {len(active):,} liked items, {likes.nnz:,} likes"
    rows: list[Row] = [
        (f"EASE fit, dual, one thread ({size})", f"{statistics.median(ours):.3f} s", "at most 1 s"),
        ("EASE fit and scores of all users", f"{statistics.median(answered):.3f} s", ""),
        ("EASE fit, primal", f"{primal_s:.2f} s", ""),
        ("dual against primal, largest difference of a score", f"{apart:.1e}", "1e-5"),
    ]
    if theirs is not None:
        theirs_s = statistics.median(each["fit_s"] for each in peer)
        whole = statistics.median(each["fit_and_recommend_s"] for each in peer)
        off = float(np.abs(theirs - scores["dual"][: len(theirs)])[unseen[: len(theirs)]].max())
        rows += [
            ("EASE of RecTools, fit", f"{theirs_s:.2f} s", ""),
            ("RecTools' fit over ours", f"{theirs_s / statistics.median(ours):.1f}", "at least 10"),
            ("RecTools' fit and lists over our fit and scores", f"{whole / statistics.median(answered):.1f}", ""),
            ("RecTools' scores and ours, largest difference", f"{off:.1e}", ""),
        ]
    return result, rows


def asked(python: str, source: Path, target: Path) -> dict[str, float]:
    script = Path(__file__).parent / "peers" / "rectools_ease.py"
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(
        [python, str(script), str(source), str(target)],
        env={**os.environ, **threads, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["known", "chosen", "ease"])
    parser.add_argument("--peer-python", default=os.environ.get("RECTOOLS_PYTHON", ""))
    given = parser.parse_args()
    log = read_interactions(InteractionData(source="sample:movielens-small", positive=4))
    all_cuts = cuts(log)
    parts: dict[str, Callable[[], tuple[dict[str, Any], list[Row]]]] = {
        "known": lambda: known(all_cuts),
        "chosen": lambda: chosen(log, all_cuts),
        "ease": lambda: both_forms(log, given.peer_python),
    }
    for part in given.parts:
        result, rows = parts[part]()
        publish(f"recommendation_{part}", result, rows)


if __name__ == "__main__":
    main()
