"""What the console costs and how quick it is: requests of models beside five open consoles, and pages in Chromium.

    python benchmarks/consoles.py load [--rounds 5] [--seconds 4]
    python benchmarks/consoles.py browser
    python benchmarks/consoles.py training [--rounds 3]

`load` needs `taskset` and `wrk`; a console is what its Home page asks: two streams of events, and the status each ten
seconds.
`browser` and `training` need Debian's Chromium.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import sqlalchemy as sa  # noqa: E402
from peers.load import Load, ours, running, write_requests, wrk  # noqa: E402
from report import publish  # noqa: E402

import glassworks  # noqa: E402
from glassworks.registry import Registry  # noqa: E402
from glassworks.runs import Runs  # noqa: E402
from glassworks.runs.tables import EVENTS, RUNS  # noqa: E402

CONSOLES = 5
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
RUNS_SHOWN, VERSIONS_SHOWN, POINTS = 1000, 500, 100_000
JOB = {"name": "digits", "family": "convnet", "data": {"source": "sample:mnist-5k"}}
Row = tuple[str, object, str]
_SETTLE_MS = 1500
_INTERACTIONS = """() => {
  window.slowest = [];
  new PerformanceObserver((list) => {
    for (const each of list.getEntries()) if (each.interactionId) window.slowest.push([each.name, each.duration]);
  }).observe({ type: "event", durationThreshold: 16, buffered: false });
}"""
_FIRST = """() => ({
  paint: performance.getEntriesByName("first-contentful-paint")[0].startTime,
  bytes: [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .filter((each) => !each.name.includes("/api/v1/")).reduce((sum, each) => sum + each.transferSize, 0),
  requests: performance.getEntriesByType("resource").length,
})"""


def trained(home: Path) -> None:
    """The digits model, trained shortly: what it answers does not matter here."""
    command = [sys.executable, "-m", "glassworks", "train", str(ROOT / "examples" / "digits.toml")]
    subprocess.run(
        [*command, "--set", "training.epochs=1"],
        env={**os.environ, "GLASSWORKS_HOME": str(home)},
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def load(home: Path, rounds: int, seconds: float) -> tuple[dict[str, object], list[Row]]:
    """Requests a second and p99 with five consoles open against none, in turns, on one service."""
    found: dict[tuple[int, bool], list[Load]] = {}
    # The service has the first core for itself; consoles are elsewhere, as browsers are.
    os.sched_setaffinity(0, {1})
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        body = write_requests(folder, "image", [1, 1, 28, 28])
        command, env = ours(home, "digits", 9741, "--workers", "0")
        with running("digits", command, 9741, 9742, body, env, folder) as server:
            if server is None:
                raise RuntimeError((folder / "digits.log").read_text(encoding="utf-8"))
            for _ in range(rounds):
                for connections in (1, 16):
                    for opened in (False, True):
                        with consoles(9741) if opened else contextlib.nullcontext():
                            time.sleep(2.0)
                            measured = wrk(server, "json", connections, seconds, folder)
                        found.setdefault((connections, opened), []).append(measured)
    result: dict[str, object] = {}
    rows: list[Row] = []
    for connections in (1, 16):
        pairs = list(zip(found[connections, True], found[connections, False], strict=True))
        rate = statistics.median(beside.per_s / alone.per_s for beside, alone in pairs)
        tail = statistics.median(beside.p99_ms / alone.p99_ms for beside, alone in pairs)
        result[f"c{connections}"] = {
            "rate": rate,
            "p99": tail,
            "pairs": [[dataclasses.asdict(e) for e in p] for p in pairs],
        }
        name = f"five consoles against none, {connections} connections"
        rows += [(f"{name}: requests/s", rate, ">= 0.97"), (f"{name}: p99", tail, "<= 1.1")]
    return result, rows


@contextlib.contextmanager
def consoles(port: int, count: int = CONSOLES) -> Iterator[None]:
    """So many Home pages that are open, as far as the service sees them."""
    closing = threading.Event()
    paths = ["/api/v1/statistics/stream", "/api/v1/runs/stream"]
    threads = [threading.Thread(target=_read, args=(port, path, closing)) for path in paths * count]
    threads += [threading.Thread(target=_poll, args=(port, closing)) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        closing.set()
        for thread in threads:
            thread.join()


def _read(port: int, path: str, closing: threading.Event) -> None:
    # After the load itself, with which it shares a core.
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", path)
        response = connection.getresponse()
        while not closing.is_set():
            response.readline()


def _poll(port: int, closing: threading.Event) -> None:
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
    while True:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/status", timeout=30) as response:
            response.read()
        if closing.wait(10.0):
            return


@contextlib.contextmanager
def service(home: Path, *more: str) -> Iterator[str]:
    """A service, and its address."""
    command = [sys.executable, "-m", "glassworks", "serve", "--port", "0", "--grpc-port", "0", "--json", *more]
    process = subprocess.Popen(
        command, env={**os.environ, "GLASSWORKS_HOME": str(home)}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    with process:
        try:
            assert process.stdout is not None
            yield str(json.loads(process.stdout.readline())["url"])
        finally:
            process.terminate()


def filled(home: Path) -> str:
    """A thousand runs, one of them with a hundred thousand points, and five hundred versions; the id of that run."""
    registry = Registry.open({"GLASSWORKS_HOME": str(home)})
    runs = Runs(registry)
    last = runs.submit("train", {"job": JOB})
    with runs.connected.transaction() as connection:
        row = dict(connection.execute(sa.select(RUNS).where(RUNS.c.id == last.id)).mappings().one())
        ended = {**row, "state": "succeeded", "started_at": row["created_at"], "ended_at": row["created_at"] + 60}
        for number in range(1, RUNS_SHOWN):
            new = {**ended, "number": row["number"] + number, "id": f"{number:012x}", "idempotency": None}
            connection.execute(sa.insert(RUNS).values(new))
        connection.execute(sa.update(RUNS).where(RUNS.c.id == last.id).values(state="cancelled", ended_at=time.time()))
        series = random.Random(0)
        points = [
            {"stage": "train", "step": step, "loss": series.random() + 1000 / (step + 100)} for step in range(POINTS)
        ]
        at = row["created_at"]
        connection.execute(
            sa.insert(EVENTS),
            [{"run": last.id, "at": at + each["step"] / 1e3, "kind": "values", "data": each} for each in points],
        )
    bundle = registry.resolve("digits").bundle
    for _ in range(VERSIONS_SHOWN - 1):
        registry.publish(bundle)
    return last.id


def browser(home: Path) -> tuple[dict[str, object], list[Row]]:
    """Weight and first paint of a first visit; the slowest interaction with long lists and a long chart."""
    from playwright.sync_api import sync_playwright

    run = filled(home)
    with service(home, "digits", "--workers", "0") as url, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        visits = [_visit(chromium, url) for _ in range(5)]
        slowest = {
            "1,000 runs": _interact(chromium, f"{url}/#/runs", _through_list),
            "500 versions": _interact(chromium, f"{url}/#/models/digits", _through_list),
            "a run with 100,000 points": _interact(chromium, f"{url}/#/runs/{run}", _over_chart),
        }
        chromium.close()
    paint = statistics.median(each["paint"] for each in visits)
    weight = max(each["bytes"] for each in visits)
    rows: list[Row] = [
        ("a first visit, gzipped, KB", weight / 1024, "<= 120"),
        ("first contentful paint, cold, ms", paint, "<= 500"),
    ]
    rows += [(f"{name}: slowest interaction, ms", slow, "<= 100") for name, slow in slowest.items()]
    return {"visits": visits, "slowest_ms": slowest}, rows


def _visit(chromium: Any, url: str) -> dict[str, float]:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(url)
    page.wait_for_timeout(_SETTLE_MS)
    found: dict[str, float] = page.evaluate(_FIRST)
    context.close()
    return found


def _interact(chromium: Any, url: str, act: Any) -> float:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(url)
    page.wait_for_timeout(2 * _SETTLE_MS)
    page.evaluate(_INTERACTIONS)
    scrolled = act(page)
    page.wait_for_timeout(_SETTLE_MS)
    events = [duration for _, duration in page.evaluate("window.slowest")]
    context.close()
    return max([0.0, scrolled, *events])


def _through_list(page: Any) -> float:
    """Scrolls to the end of the list and back, and moves by the keyboard; the longest frame of scrolling."""
    slowest = page.evaluate(
        """async () => {
          const list = [...document.querySelectorAll("*")].filter((each) => each.scrollHeight > each.clientHeight + 200
            && getComputedStyle(each).overflowY !== "visible").at(-1) ?? document.scrollingElement;
          const frame = () => new Promise(requestAnimationFrame);
          let slowest = 0;
          for (let step = 0; step < 80; step += 1) {
            await frame();
            const begun = performance.now();
            list.scrollTop += 600;
            await frame();
            await frame();
            slowest = Math.max(slowest, performance.now() - begun);
          }
          list.scrollTop = 0;
          return slowest;
        }"""
    )
    for key in ("Tab", "Tab", "End", "Home", "PageDown", "ArrowDown"):
        page.keyboard.press(key)
        page.wait_for_timeout(100)
    return float(slowest)


def _over_chart(page: Any) -> float:
    """Moves over the chart, zooms into it and out again."""
    chart = page.locator(".uplot .u-over").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    middle = box["y"] + box["height"] / 2
    for step in range(20):
        page.mouse.move(box["x"] + box["width"] * step / 20, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, middle)
    page.mouse.up()
    page.wait_for_timeout(200)
    page.mouse.dblclick(box["x"] + box["width"] * 0.3, middle)
    return 0.0


def training(home: Path, rounds: int) -> tuple[dict[str, object], list[Row]]:
    """Steps a second of a training with its page open against closed, in turns, and how late its values are shown."""
    from playwright.sync_api import sync_playwright

    speeds: dict[bool, list[float]] = {True: [], False: []}
    delays: list[float] = []
    with service(home, "--workers", "1") as url, sync_playwright() as playwright, glassworks.Client(url) as client:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for number in range(2 * rounds):
            opened = number % 2 == 1
            job = {**JOB, "training": {"epochs": 12, "seed": number}}
            run = client.submit_run(kind="train", request={"job": job})
            with _page(chromium, f"{url}/#/runs/{run.id}") if opened else contextlib.nullcontext() as page:
                client.wait(run.id)
                seen = page.evaluate("window.seen") if page is not None else []
            found = {
                each.name: each for each in client.get_series(run.id, points=10_000).series if each.stage == "train"
            }
            steps = found["loss"]
            speeds[opened].append((steps.step[-1] - steps.step[0]) / (steps.at[-1] - steps.at[0]))
            delays += _delays(seen, steps)
        chromium.close()
    ratio = statistics.median(o / c for o, c in zip(speeds[True], speeds[False], strict=True))
    late = sorted(delays)
    shown = late[int(0.95 * len(late))] if late else float("nan")
    rows: list[Row] = [
        ("training speed with its page open against closed", ratio, ">= 0.98"),
        (f"a value on the screen after it was measured, 95 % of {len(late)}, s", shown, "<= 1"),
    ]
    return {"speeds": {str(key): value for key, value in speeds.items()}, "delays": late}, rows


@contextlib.contextmanager
def _page(chromium: Any, url: str) -> Iterator[Any]:
    """The page of a run that notes when each loss appears in its legend."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(url)
    page.evaluate(
        """() => {
          window.seen = [];
          let last = "";
          const look = () => {
            const text = document.querySelector(".legend b")?.textContent ?? "";
            if (text && text !== last) window.seen.push([Date.now() / 1e3, last = text]);
            requestAnimationFrame(look);
          };
          look();
        }"""
    )
    try:
        yield page
    finally:
        context.close()


def _delays(seen: list[tuple[float, str]], steps: Any) -> list[float]:
    """For each value that appeared, how long after the newest event that has it."""
    found = []
    for at, text in seen:
        if not re.fullmatch(r"[0-9.]+", text):
            continue
        digits = len(text.partition(".")[2])
        times = [
            when
            for when, value in zip(steps.at, steps.value, strict=True)
            if f"{value:.{digits}f}" == text and when <= at
        ]
        found += [at - max(times)] if times else []
    return found


def main() -> None:
    """Runs one part and publishes it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("load", "browser", "training"), nargs="?", default="load")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        if given.part != "training":
            trained(home)
        if given.part == "load":
            found, rows = load(home, given.rounds, given.seconds)
        elif given.part == "browser":
            found, rows = browser(home)
        else:
            found, rows = training(home, given.rounds)
    publish(f"consoles-{given.part}", found, rows)


if __name__ == "__main__":
    main()
