"""How quickly recommendations with rules and reasons are served, and how quickly a large model opens.

    python benchmarks/recommendation_serving.py [--items 10000,100000] [--requests 3000] [--gigabytes 1]

Synthetic factors (64 an item), 2,000 users with 30 items each. The server runs on core 0, one caller with one
connection on core 1; each request is another user with another price range, one category of four, three reasons.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars
from report import publish

from glassworks.data.interactions.collection import Interactions, ItemColumns
from glassworks.packaging.bundle import read_bundle, write_bundle
from glassworks.packaging.manifest import Manifest
from glassworks.packaging.opened import OpenedBundle
from glassworks.packaging.verified import Verified
from glassworks.recommendation.artifact import write_arrays
from glassworks.recommendation.scoring.factors import Factors
from glassworks.recommendation.session import SIGNATURE

USERS, EACH, FACTORS = 2000, 30, 64
WARM_UP = 200


def bundle(folder: Path, items: int, width: int = FACTORS) -> Path:
    """A packaged model of random factors."""
    generator = np.random.default_rng(0)
    factors = generator.normal(0, 0.1, (items, width)).astype(np.float32)
    gram = factors[:100_000].astype(np.float64)
    scorer = Factors(factors, gram.T @ gram, alpha=1.0, regularization=0.01)
    ids = np.arange(items)
    table = polars.DataFrame(
        {
            "id": ids,
            "kind": polars.Series(["book", "film", "game", "song"]).gather(ids % 4),
            "price": generator.uniform(1, 100, items),
        }
    )
    item = generator.integers(0, items, (USERS, EACH)).astype(np.int32).ravel()
    log = Interactions(
        source="synthetic",
        users=polars.Series(np.arange(USERS)),
        items=table["id"],
        user=np.repeat(np.arange(USERS, dtype=np.int32), EACH),
        item=item,
        time=None,
        weight=np.ones(len(item), np.float32),
        liked=np.ones(len(item), np.bool_),
        table=table,
        columns=ItemColumns(categories=("kind",), numbers=("price",)),
        fingerprint="synthetic",
    )
    folder.mkdir()
    artifact = write_arrays(scorer, log, folder).model_copy(update={"runtime": "arrays"})
    manifest = Manifest(
        name="shop",
        task="recommendation",
        family="collaborative",
        signature=SIGNATURE,
        artifacts=(artifact,),
        explainers=("history_contributions",),
    )
    write_bundle(folder, manifest)
    return folder


def request(generator: np.random.Generator) -> bytes:
    """One in the protocol's JSON."""
    low = float(generator.uniform(1, 60))
    asked = {
        "user": int(generator.integers(USERS)),
        "k": 10,
        "reasons": 3,
        "where": {"kind": "film", "price": {"min": low, "max": low + 40}},
    }
    tensor = {"name": "request", "shape": [1], "datatype": "BYTES", "data": [json.dumps(asked)]}
    return json.dumps({"inputs": [tensor]}).encode()


def latencies(folder: Path, requests: int, home: Path) -> dict[str, float]:
    """Percentiles over HTTP in milliseconds."""
    command = ["taskset", "-c", "0", sys.executable, "-m", "glassworks", "serve", str(folder), "--port", "0", "--json"]
    env = {"GLASSWORKS_HOME": str(home), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

    with subprocess.Popen([*command, "--no-grpc"], stdout=subprocess.PIPE, text=True, env={**os.environ, **env}) as run:
        try:
            ready = json.loads(run.stdout.readline()) if run.stdout else {}
            host = str(ready["url"]).removeprefix("http://")
            return _asked(host, requests)
        finally:
            run.terminate()


def _asked(host: str, requests: int) -> dict[str, float]:
    generator = np.random.default_rng(1)
    connection, times = http.client.HTTPConnection(host), []
    for number in range(requests + WARM_UP):
        body = request(generator)
        start = time.perf_counter()
        connection.request("POST", "/v2/models/shop/infer", body)
        answer: dict[str, Any] = json.load(connection.getresponse())
        taken = time.perf_counter() - start
        found = json.loads(answer["outputs"][0]["data"][0])
        if len(found["items"]) != 10 or not found["items"][0]["because"]:
            raise ValueError(f"not ten with reasons: {found}")
        if number >= WARM_UP:
            times.append(1e3 * taken)
    return {f"p{at}_ms": float(np.percentile(times, at)) for at in (50, 90, 99)}


def opening(folder: Path) -> dict[str, float]:
    """Seconds to open a large model: to check every byte against the manifest, once, and to be ready to answer."""
    memory = Verified(folder.with_name("verified"))
    time.sleep(3)  # what was written just now is not remembered
    start = time.perf_counter()
    read_bundle(folder, verified=memory)
    first = time.perf_counter() - start
    start = time.perf_counter()
    found = read_bundle(folder, verified=memory)
    checked = time.perf_counter()
    OpenedBundle(found).session("predict")
    size = sum(path.stat().st_size for path in folder.iterdir())
    return {
        "gigabytes": size / 1e9,
        "first_s": first,
        "checked_s": checked - start,
        "opened_s": time.perf_counter() - checked,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--items", default="10000,100000")
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        served = {
            int(items): latencies(bundle(home / items, int(items)), options.requests, home / "home")
            for items in options.items.split(",")
        }
        opened = opening(bundle(home / "large", int(options.gigabytes * 1e9 / 4 / 1000), 1000))
    bars = {10_000: "p99 <= 5", 100_000: "p99 <= 10"}
    publish(
        "recommendation_serving",
        {"served": served, "opening": opened, "requests": options.requests, "factors": FACTORS},
        [
            *(
                (
                    f"{items:,} items, top 10 with rules and reasons: p50 / p90 / p99 ms",
                    " / ".join(f"{value:.2f}" for value in figures.values()),
                    bars.get(items, ""),
                )
                for items, figures in served.items()
            ),
            (f"{opened['gigabytes']:.2f} GB: every byte checked, the first time, s", opened["first_s"], ""),
            (
                f"{opened['gigabytes']:.2f} GB: opened from then on, s",
                opened["checked_s"] + opened["opened_s"],
                "<= 1",
            ),
        ],
    )
