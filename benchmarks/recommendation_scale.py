"""Memory and time of all steps of a recommender in one process, from 100 thousand to 20 million interactions.

    python benchmarks/recommendation_scale.py [--sizes 100000,1000000,5000000,20000000] [--memory-gb 24] [--threads 2]
    python benchmarks/recommendation_scale.py --wide 6000000       # a CSV that is mostly a column nobody asks for, read

The steps: read, cut, fit, measure, fit again on everything, write, open, answer. The interactions are synthetic:
popularity by Zipf's law, activity of users log-normal, forty tastes that most choices come from. Each size runs in a
process of its own, so that peak memory is its own; the table is written in another one.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars
from report import publish, rows_by

SHAPES = {
    100_000: (1_500, 4_000),
    1_000_000: (10_000, 9_000),
    5_000_000: (36_000, 16_000),
    20_000_000: (138_000, 27_000),
}
"""Users and items: of about the density of MovieLens at each size."""
TASTES, OWN, ZIPF, SPREAD, SPARE = 40, 0.7, 0.9, 1.1, 2.0
ASKED = 200


def write(path: Path, count: int, users: int, items: int, seed: int = 0) -> None:
    """About `count` distinct pairs, in the order of time."""
    generator = np.random.default_rng(seed)
    popularity = 1 / (np.arange(items) + 10) ** ZIPF
    taste = generator.integers(0, TASTES, items)
    by_taste = np.argsort(taste, kind="stable")
    sums = np.cumsum(popularity[by_taste])
    edges = np.concatenate([[0.0], sums[np.cumsum(np.bincount(taste, minlength=TASTES)) - 1]])
    activity = generator.lognormal(0, SPREAD, users)
    drawn = int(count * SPARE)
    user = np.repeat(np.arange(users, dtype=np.int32), generator.multinomial(drawn, activity / activity.sum()))
    own = generator.integers(0, TASTES, users)[user]
    place = generator.random(drawn)
    mine = generator.random(drawn) < OWN
    place = np.where(mine, edges[own] + place * (edges[own + 1] - edges[own]), place * sums[-1])
    item = by_taste[np.minimum(np.searchsorted(sums, place), items - 1)].astype(np.int32)
    table = polars.DataFrame({"user": user, "item": item, "time": generator.integers(0, 10**9, drawn)})
    table = table.unique(["user", "item"], keep="any", maintain_order=False)
    table.sample(min(count, len(table)), seed=seed).sort("time").write_parquet(path)


def run(path: Path, memory_gb: float, threads: int) -> dict[str, Any]:
    """Every step, timed."""
    from glassworks.contracts import Opened
    from glassworks.data.interactions.dataset import prepare_interactions
    from glassworks.data.interactions.keys import InteractionData
    from glassworks.data.interactions.reading import read_interactions
    from glassworks.families._recommendation.algorithms import Means
    from glassworks.families._recommendation.fitting import fit_collaborative
    from glassworks.families._recommendation.settings import CollaborativeConfig
    from glassworks.progress import Silent
    from glassworks.recommendation.artifact import write_arrays
    from glassworks.recommendation.baselines import popular
    from glassworks.recommendation.evaluation import difference, evaluate
    from glassworks.runtimes import open_session
    from glassworks.tasks.recommendation import Recommendation

    clock: dict[str, float] = {}
    data = InteractionData(source=f"parquet:{path}", time="time")
    with timed(clock, "read_s"):
        log = read_interactions(data)
    with timed(clock, "cut_s"):
        dataset = prepare_interactions(log, data)
    config = CollaborativeConfig(tune=False, memory_gb=memory_gb)
    with timed(clock, "fit_s"):
        fitted = fit_collaborative(dataset, config, Means(seed=0, threads=threads), None, Silent())
    peak_fit = peak_gb()
    popularity = dataset.cut.train.popularity()
    with timed(clock, "measure_s"):
        ranked = evaluate(dataset.cut, fitted.scorer, popularity)
    gain = difference(ranked, evaluate(dataset.cut, popular(dataset.cut.train)))
    with timed(clock, "refit_s"):
        served, popularity = fitted.again(log), log.popularity()
    peak_refit = peak_gb()
    with tempfile.TemporaryDirectory() as folder:
        with timed(clock, "write_s"):
            artifact = write_arrays(served, log, Path(folder), popularity)
        size = sum(each.stat().st_size for each in Path(folder).iterdir())
        opened = Opened(artifact=artifact.model_copy(update={"runtime": "arrays"}), folder=Path(folder))
        with timed(clock, "open_s"):
            session = open_session(Recommendation(), opened, {})
        answers = [answered(session, int(user)) for user in log.users.sample(ASKED, seed=0)]
    return {
        "interactions": len(log),
        "users": log.shape[0],
        "items": log.shape[1],
        "plan": fitted.notes[0],
        **clock,
        "answer_p50_ms": float(np.percentile(answers, 50)),
        "answer_p99_ms": float(np.percentile(answers, 99)),
        "bundle_gb": size / 1e9,
        "peak_fit_gb": peak_fit,
        "peak_refit_gb": peak_refit,
        "peak_gb": peak_gb(),
        "ndcg_at_10": float(ranked.users["ndcg_at_10"].mean()),
        "over_popularity": [gain.value, *gain.interval],
    }


def write_wide(path: Path, rows: int, seed: int = 0) -> None:
    """A CSV of about 320 bytes a row."""
    generator = np.random.default_rng(seed)
    columns = {"user": (200_000, rows), "item": (30_000, rows), "time": (10**9, rows)}
    table = polars.DataFrame({name: generator.integers(0, *how) for name, how in columns.items()})
    table.lazy().with_columns(polars.lit("x" * 300).alias("note")).sink_csv(path)


def read_wide(path: Path) -> dict[str, Any]:
    """Time and peak memory of reading it."""
    from glassworks.data.interactions.keys import InteractionData
    from glassworks.data.interactions.reading import read_interactions

    clock: dict[str, float] = {}
    with timed(clock, "read_s"):
        log = read_interactions(InteractionData(source=f"csv:{path}", time="time"))
    return {"interactions": len(log), "file_gb": path.stat().st_size / 1e9, **clock, "peak_gb": peak_gb()}


class timed:  # noqa: N801 - reads like a word
    """Seconds of a block, under a name."""

    def __init__(self, clock: dict[str, float], name: str) -> None:
        self._clock, self._name = clock, name

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._clock[self._name] = time.perf_counter() - self._began


def answered(session: Any, user: int) -> float:
    """Milliseconds of one answer with its reasons, in the process."""
    request = np.array([json.dumps({"user": user}).encode()], object)
    began = time.perf_counter()
    session.run({"request": request})
    return 1e3 * (time.perf_counter() - began)


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def apart(*arguments: str, threads: int, script: str = __file__) -> str:
    """Another process of this script, or of another one."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, str(threads))}
    done = subprocess.run([sys.executable, script, *arguments], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default=",".join(map(str, SHAPES)))
    parser.add_argument("--memory-gb", type=float, default=24.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--wide", type=int, default=0)
    parser.add_argument("--write-wide", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--read-wide", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--write", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--run", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.write:
        write(Path(given.write[0]), int(given.write[1]), *SHAPES[int(given.write[1])])
        return
    if given.run:
        sys.stdout.write(json.dumps(run(Path(given.run), given.memory_gb, given.threads)))
        return
    if given.write_wide:
        write_wide(Path(given.write_wide[0]), int(given.write_wide[1]))
        return
    if given.read_wide:
        sys.stdout.write(json.dumps(read_wide(given.read_wide)))
        return
    if given.wide:
        with tempfile.TemporaryDirectory() as folder:
            file = str(Path(folder) / "wide.csv")
            apart("--write-wide", file, str(given.wide), threads=given.threads)
            wide = json.loads(apart("--read-wide", file, threads=given.threads))
        publish("recommendation_wide", wide, [(name, value, "") for name, value in wide.items()])
        return
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in map(int, given.sizes.split(",")):
            path = Path(folder) / f"{size}.parquet"
            apart("--write", str(path), str(size), threads=given.threads)
            limits = ("--memory-gb", str(given.memory_gb), "--threads", str(given.threads))
            found[str(size)] = json.loads(apart("--run", str(path), *limits, threads=given.threads))
    publish("recommendation_scale", found, rows_by(found, "interactions"))


if __name__ == "__main__":
    main()
