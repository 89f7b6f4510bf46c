"""Requests a second and latencies of the server beside its peers: the same model, one core each for server and load.

    benchmarks/peers/install.sh
    python benchmarks/serving.py [--seconds 5] [--rounds 3] [--only ours,bare,kserve,...] [--only-beside]

Needs two cores, `taskset`, `wrk` and, for gRPC, `h2load`. PEERS_HOME names the peers' environments; a peer that is
not installed is left out. Rounds go through all servers in turn; figures are medians of rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from peers.load import Load, Server, h2load, ours, python, running, write_requests, wrk
from report import publish

HERE = Path(__file__).parent / "peers"
JOB = Path(__file__).parents[1] / "examples" / "digits.toml"
PORTS = {"ours": 9601, "bare": 9611, "kserve": 9621, "mlserver": 9503, "bentoml": 9641, "litserve": 9651}
PORTS |= {"rayserve": 9661, "triton": 9671}
PYTHON_PEERS = ("kserve", "mlserver", "bentoml", "litserve", "rayserve")
HTTP = [("json", 1), ("json", 16), ("json", 64), ("bin", 1), ("bin", 16), ("bin", 64)]
BINARY, GRPC = ("ours", "bare", "kserve", "triton"), ("ours", "kserve", "mlserver", "triton")
Figures = dict[tuple[str, str, int], list[Load]]


def commands(name: str, peers: Path, home: Path) -> tuple[list[str], dict[str, str]] | None:
    """How a server is started, and its environment; None where it is not installed."""
    if name == "ours":
        return ours(home, "digits", PORTS[name])
    found = python(peers, name)
    if found is None:
        return None
    tools, port = Path(found).parent, str(PORTS[name])
    started = {
        "bare": [
            *(str(tools / "uvicorn"), "bare_server:app", "--port", port, "--loop", "uvloop", "--http", "httptools"),
            *("--no-access-log", "--log-level", "warning"),
        ],
        "kserve": [found, "kserve_server.py"],
        "mlserver": [str(tools / "mlserver"), "start", "mlserver_model"],
        "bentoml": [str(tools / "bentoml"), "serve", "bento_service:Classifier", "--port", port],
        "litserve": [found, "litserve_server.py"],
        "rayserve": [found, "ray_server.py"],
        "triton": [found, "triton_server.py"],
    }
    quiet = {"BENTOML_DO_NOT_TRACK": "True", "RAY_USAGE_STATS_ENABLED": "0", "DO_NOT_TRACK": "1"}
    return started[name], {"PEERS": str(HERE), "PYTHONPATH": str(HERE), "PORT": port, **quiet}


@contextlib.contextmanager
def started(name: str, peers: Path, home: Path, model: Path, folder: Path) -> Iterator[Server | None]:
    """A running server, or None."""
    how = commands(name, peers, home)
    if how is None:
        yield None
        return
    env = {**how[1], "MODEL": str(model)}
    port = PORTS[name]
    with running(name, how[0], port, port + 1, folder / "request.json", env, folder) as server:
        yield server


def one_round(
    names: list[str],
    options: argparse.Namespace,
    paths: dict[str, Path],
    figures: Figures,
    facts: dict[str, dict[str, float]],
) -> None:
    """All settings on each server in turn."""
    for name in names:
        with started(name, paths["peers"], paths["home"], paths["model"], paths["folder"]) as server:
            if server is None:
                sys.stderr.write(f"{name}: not installed, or does not start; see {paths['folder']}/{name}.log\n")
                continue
            before, asked = server.seconds(), 0.0
            for kind, connections in HTTP:
                if kind == "json" or name in BINARY:
                    load = wrk(server, kind, connections, options.seconds, paths["folder"])
                    figures[name, kind, connections].append(load)
                    asked += load.per_s * options.seconds
            facts[name] = {"cpu_s_per_1000": (server.seconds() - before) / asked * 1000, "mb": server.memory_mb()}
            if name in GRPC:
                for connections in (1, 16, 64):
                    figures[name, "grpc", connections].append(
                        h2load(server, connections, options.seconds, paths["folder"])
                    )
            sys.stderr.write(f"{name}: done\n")


def bare_engine(home: Path) -> tuple[float, str]:
    """Rows a second of the served session alone, at its best batch size, on core 0."""
    code = """
import os, time, numpy as np
from glassworks.packaging.opened import OpenedBundle
from glassworks.registry import Registry
session = OpenedBundle(Registry.open().resolve("digits").bundle).session("predict")
name, best = session.signature.inputs[0].name, (0.0, 0)
for rows in (1, 2, 4, 8, 16, 32, 64, 128):
    values = {name: np.random.default_rng(0).random((rows, 1, 28, 28), np.float32)}
    times = []
    for _ in range(max(40, 4000 // rows)):
        start = time.perf_counter()
        session.run(values)
        times.append(time.perf_counter() - start)
    best = max(best, (rows / sorted(times)[len(times) // 2], rows))
print(*best)
"""
    environ = {**os.environ, "GLASSWORKS_HOME": str(home)}
    command = ["taskset", "-c", "0", sys.executable, "-c", code]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    rate, rows = done.stdout.split()
    return float(rate), rows


def access_us(folder: Path) -> float:
    """What key, limits and ledger cost a request, in microseconds: batches of 16, as 16 callers make them."""
    from glassworks.serving.access.clock import Clock
    from glassworks.serving.access.gate import Gate
    from glassworks.serving.access.keys import KeyStore
    from glassworks.serving.access.ledger import Ledger, Usage

    home, clock, batch = folder / "access", Clock(), 16
    home.mkdir()
    _, secret = KeyStore(home, clock).create("shop", requests_per_s=1e6, rows_per_day=10**9, requests_per_day=10**9)
    ledger = Ledger(home, clock)
    gate, token, times = Gate(KeyStore(home, clock), ledger, clock, required=True), secret.encode(), []
    for _ in range(2000):
        start = time.perf_counter()
        callers = [gate.admit(token, "digits", 1) for _ in range(batch)]
        ledger.record([Usage(caller.key_id, "digits", "1", compute_us=40) for caller in callers])
        times.append(time.perf_counter() - start)
    ledger.close()
    return statistics.median(times) / batch * 1e6


def beside_explanations(server: Server, options: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Predictions (JSON, 4 connections) alone and with one client that asks for explanations all the time.

    At full load, and with a pause of 1 ms after each answer; each round measures all four in turn.
    """
    script = (folder / "json.lua").read_text(encoding="utf-8")
    (folder / "paused.lua").write_text(script + "function delay() return 1 end\n", encoding="utf-8")
    body = (folder / "request.json").read_bytes()
    _explain(server, body)
    found: dict[str, list[float]] = defaultdict(list)
    for _ in range(2 * options.rounds):
        for kind, load in (("json", "full"), ("paused", "paused")):
            alone = wrk(server, kind, 4, options.seconds, folder)
            with explaining(server, body) as answered:
                beside = wrk(server, kind, 4, options.seconds, folder)
                count = len(answered)
            found[f"{load}_p99_ratio"].append(beside.p99_ms / alone.p99_ms)
            found[f"{load}_explanations_per_s"].append(count / options.seconds)
            for name, value in (("alone", alone), ("beside", beside)):
                found[f"{load}_{name}_p99_ms"].append(value.p99_ms)
                found[f"{load}_{name}_per_s"].append(value.per_s)
    return {name: statistics.median(values) for name, values in found.items()}


@contextlib.contextmanager
def explaining(server: Server, body: bytes) -> Iterator[list[float]]:
    """A client that asks for one explanation after the other; the list holds the seconds that each took.

    It runs on the load's core and only when that is idle, so that the server is measured and not the load.
    """
    end, took, failed = threading.Event(), list[float](), list[Exception]()

    def ask() -> None:
        os.sched_setaffinity(0, {1})
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        while not end.is_set():
            start = time.perf_counter()
            try:
                _explain(server, body)
            except OSError as error:
                failed.append(error)
                return
            took.append(time.perf_counter() - start)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield took
    finally:
        end.set()
        asking.join()
    if failed:
        raise failed[0]


def _explain(server: Server, body: bytes) -> None:
    url = f"http://127.0.0.1:{server.http}/v2/models/digits/explain"
    with urllib.request.urlopen(url, body, timeout=60) as answer:
        answer.read()


def make_pixels(folder: Path) -> Path:
    """A bundle of next to no work on an image of 602 KB: the mean of its pixels."""
    from onnx import TensorProto, helper, save

    from glassworks.contracts import Artifact, Signature, TensorSpec
    from glassworks.packaging.bundle import write_bundle
    from glassworks.packaging.manifest import Manifest

    folder.mkdir()
    source = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 224, 224])
    target = helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["n", 1, 1, 1])
    node = helper.make_node("GlobalAveragePool", ["image"], ["mean"])
    graph = helper.make_graph([node], "pixels", [source], [target])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), folder / "predict.onnx")
    signature = Signature(
        inputs=(TensorSpec(name="image", datatype="FP32", shape=(-1, 3, 224, 224)),),
        outputs=(TensorSpec(name="mean", datatype="FP32", shape=(-1, 1, 1, 1)),),
    )
    artifact = Artifact(role="predict", format="onnx", file="predict.onnx", runtime="onnxruntime")
    return write_bundle(
        folder,
        Manifest(
            name="pixels", task="image-classification", family="convnet", signature=signature, artifacts=(artifact,)
        ),
    ).folder


def large_image(options: argparse.Namespace, home: Path, folder: Path) -> dict[str, float]:
    """What the server adds to a large image, in ms at the median, and its memory over the payload's."""
    place = folder / "large"
    place.mkdir()
    body = write_requests(place, "image", (1, 3, 224, 224), "pixels")
    bundle, payload = make_pixels(folder / "pixels"), 3 * 224 * 224 * 4
    echo = [sys.executable, str(HERE / "echo_server.py"), "9691"]
    with running("echo", echo, 9691, 0, body, {}, folder) as server:
        floor = wrk(server, "bin", 1, options.seconds, place).p50_ms if server is not None else 0.0
    command, env = ours(home, str(bundle), 9681, "--no-grpc")
    # Probed without an image: the memory of the first one counts.
    with running("pixels", command, 9681, 9682, None, env, folder, "pixels") as server:
        if server is None:
            raise RuntimeError((folder / "pixels.log").read_text(encoding="utf-8"))
        idle, seen, peaks = server.memory_mb(), threading.Event(), list[float]()
        watching = threading.Thread(target=_watch, args=(seen, server, peaks))
        watching.start()
        p50 = wrk(server, "bin", 1, options.seconds, place).p50_ms
        seen.set()
        watching.join()
        stats = json.load(urllib.request.urlopen("http://127.0.0.1:9681/v2/models/pixels/stats", timeout=5))
        infer = stats["model_stats"][0]["inference_stats"]["compute_infer"]
    engine = infer["ns"] / infer["count"] / 1e6
    return {
        "echo_p50_ms": floor,
        "p50_ms": p50,
        "engine_ms": engine,
        "overhead_ms": p50 - floor - engine,
        "memory_over_payload": (max(peaks) - idle) * 1e6 / payload,
    }


def _watch(end: threading.Event, server: Server, peaks: list[float]) -> None:
    while not end.is_set():
        peaks.append(server.memory_mb())
        time.sleep(0.002)


def median(figures: Figures, name: str, kind: str, connections: int, value: str = "per_s") -> float:
    """The median of the rounds; 0 where a server was not there."""
    loads = figures.get((name, kind, connections), [])
    if any(load.errors for load in loads):
        return 0.0
    return statistics.median(getattr(load, value) for load in loads) if loads else 0.0


def best(figures: Figures, names: tuple[str, ...], kind: str, connections: int) -> tuple[float, str]:
    """The most requests a second of these servers, and whose they are."""
    return max((median(figures, name, kind, connections), name) for name in names)


def rows(figures: Figures, engine: tuple[float, str], more: dict[str, float]) -> list[tuple[str, object, str]]:
    """The figures beside their bars."""

    def against(names: tuple[str, ...], kind: str, connections: int) -> str:
        rate, name = best(figures, names, kind, connections)
        mine = median(figures, "ours", kind, connections)
        return f"{mine / rate:.1f} ({mine:,.0f} : {rate:,.0f} {name})" if rate else "no peer"

    peers99 = [median(figures, name, "json", 16, "p99_ms") for name in (*PYTHON_PEERS, "triton")]
    told: list[tuple[str, object, str]] = [
        ("JSON c=16 over the best Python peer", against(PYTHON_PEERS, "json", 16), ">= 6"),
        ("binary c=16 over the best Python peer", against(("kserve",), "bin", 16), ">= 10"),
    ]
    for kind in ("json", "bin"):
        told += [(f"{kind} c={c} over Triton", against(("triton",), kind, c), ">= 3") for c in (16, 64)]
    p99 = median(figures, "ours", "json", 16, "p99_ms")
    peer99 = min([value for value in peers99 if value] or [0.0])
    told += [
        ("gRPC c=16 over the best peer", against(("kserve", "mlserver", "triton"), "grpc", 16), ">= 3"),
        ("binary c=64 over the bare engine", f"{median(figures, 'ours', 'bin', 64) / engine[0]:.2f}", ">= 0.5"),
        ("p99 JSON c=16, ms", f"{p99:.2f}", "<= 2"),
        ("p99 JSON c=16 over the best peer's", f"{p99 / peer99:.2f}" if peer99 else "no peer", "<= 0.25"),
        ("JSON c=16 over the bare prototype", against(("bare",), "json", 16), ">= 0.9"),
        ("binary c=16 over the bare prototype", against(("bare",), "bin", 16), ">= 0.9"),
        *((name.replace("_", " "), value, "") for name, value in more.items()),
    ]
    return told


def main() -> None:
    """Take all figures and publish them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(PORTS))
    parser.add_argument("--only-beside", action="store_true", help="only predictions beside explanations")
    options = parser.parse_args()
    peers = Path(os.environ.get("PEERS_HOME", ".peers")).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = folder / "home"
        environ = {**os.environ, "GLASSWORKS_HOME": str(home)}
        # Without the search: fp32 in ONNX Runtime, as the peers compute.
        subprocess.run([sys.executable, "-m", "glassworks", "train", str(JOB)], env=environ, check=True)
        write_requests(folder, "image", (1, 1, 28, 28))
        (model,) = home.glob("bundles/*/predict.onnx")
        paths = {"peers": peers, "home": home, "model": model, "folder": folder}
        if options.only_beside:
            with started("ours", peers, home, model, folder) as server:
                if server is not None:
                    beside = beside_explanations(server, options, folder)
                    publish("beside", beside, [(name, value, "") for name, value in beside.items()])
            return
        figures: Figures = defaultdict(list)
        facts: dict[str, dict[str, float]] = {}
        for _ in range(options.rounds):
            one_round(options.only.split(","), options, paths, figures, facts)
        engine = bare_engine(home)
        more = {"access_us_a_request": access_us(folder), **large_image(options, home, folder)}
        with started("ours", peers, home, model, folder) as server:
            if server is not None:
                more |= beside_explanations(server, options, folder)
                single = wrk(server, "json", 1, options.seconds, folder).p50_ms
        command, env = ours(home, "digits", 9601, "--max-batch", "1")
        with running("unbatched", command, 9601, 9602, folder / "request.json", env, folder) as server:
            if server is not None:
                more["lone_request_ms_over_no_batching"] = (
                    single - wrk(server, "json", 1, options.seconds, folder).p50_ms
                )
        result = {
            "loads": {" ".join(map(str, key)): [vars(load) for load in loads] for key, loads in figures.items()},
            "servers": facts,
            "engine_rows_per_s": engine[0],
            **more,
        }
        publish("serving", result, rows(figures, engine, more))
        table(figures, facts)


def table(figures: Figures, facts: dict[str, dict[str, float]]) -> None:
    """Every server's own figures."""
    settings = [*HTTP, ("grpc", 1), ("grpc", 16), ("grpc", 64)]
    head = "".join(f"{kind} c={c}".rjust(11) for kind, c in settings)
    sys.stdout.write(f"\n{'requests/s':<10}{head}  CPU s/1000      MB\n")
    for name, fact in facts.items():
        cells = "".join(f"{median(figures, name, *setting):>11,.0f}" for setting in settings)
        sys.stdout.write(f"{name:<10}{cells}{fact['cpu_s_per_1000']:>12.3f}{fact['mb']:>8.0f}\n")


if __name__ == "__main__":
    main()
