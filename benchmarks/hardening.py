"""What hostile clients cost everybody else: waits of health checks, memory, wrong answers, and the speed of the guard.

    python benchmarks/hardening.py attacks [--only http1] [--seconds 4]
    python benchmarks/hardening.py fuzz [--seconds 3600] [--seed 1]
    python benchmarks/hardening.py mixed [--requests 1000000]
    python benchmarks/hardening.py speed --before CHECKOUT [--rounds 5] [--seconds 3]

Each attack meets a server of its own. `speed` needs `taskset`, `wrk` and `h2load`, and a checkout of the version to
compare with; both versions answer in turns.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the attacks are the tests' own

from hostile_mix import Mixed, mixed  # noqa: E402
from peers.load import Load, h2load, ours, running, write_requests, wrk  # noqa: E402
from report import publish  # noqa: E402
from tests.hostile import attacks  # noqa: E402
from tests.hostile.files import png  # noqa: E402
from tests.hostile.fuzzing import fuzz  # noqa: E402
from tests.hostile.place import Place  # noqa: E402
from tests.hostile.watching import Seen, watching  # noqa: E402

JOB = ROOT / "examples" / "digits.toml"
SHAPE = (1, 28, 28)
AFTER_S = 12.0
"""For the memory of clients that left to go back."""
Row = tuple[str, object, str]


def trained(folder: Path, source: Path = ROOT) -> Path:
    """A home with the digits model, trained shortly: what it answers does not matter here. Newer versions read what an
    older one in `source` wrote, not the other way."""
    home = folder / "home"
    command = [sys.executable, "-m", "glassworks", "up", str(JOB), "--check", "--set", "training.epochs=1"]
    subprocess.run(
        [*command, "--set", "optimization.budget=5s", "--set", "serving.port=0"],
        env={**os.environ, "GLASSWORKS_HOME": str(home), "PYTHONPATH": str(source / "src")},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return home


@contextlib.contextmanager
def served(home: Path, *more: str) -> Iterator[Place]:
    """A server of its own, warm."""
    command = [sys.executable, "-m", "glassworks", "serve", "digits", "--port", "0", "--json", *more]
    process = subprocess.Popen(
        command,
        env={**os.environ, "GLASSWORKS_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    import json

    with process:
        try:
            up = json.loads(process.stdout.readline() if process.stdout else "")
            http, grpc = (int(up[name].rpartition(":")[2].rstrip("/")) for name in ("url", "grpc"))
            place = Place(http=http, grpc=grpc, pid=process.pid, model="digits", shape=SHAPE)
            for verb, body in (("infer", place.infer_body()), ("picture", png(28, 28))) * 10:
                with place.connect() as client:  # what the first requests load stays
                    client.sendall(place.post(verb, body))
                    client.recv(65_536)
            yield place
        finally:
            process.kill()


def attacked(home: Path, only: str, seconds: float) -> tuple[dict[str, object], list[Row]]:
    """Every attack, each against a server of its own."""
    found: dict[str, object] = {}
    rows: list[Row] = []
    for name, attack in attacks().items():
        if only not in name:
            continue
        with served(home) as place:
            with watching(place) as seen:
                attack(place, seconds)
                time.sleep(0.5)
            time.sleep(AFTER_S)
            after = place.memory_mb() / seen.memory_before - 1
        found[name] = {
            "longest_s": seen.longest_s,
            "grown_mb": seen.grown,
            "after": after,
            "failed": seen.failed,
            "checks": len(seen.waits_http) + len(seen.waits_grpc),
        }
        rows.append((name, _told(seen, after), "0.25 s"))
        sys.stdout.write(f"{name:<45} {_told(seen, after)}\n")
        sys.stdout.flush()
    return found, rows


def _told(seen: Seen, after: float) -> str:
    lost = f", {seen.failed} checks FAILED" if seen.failed else ""
    return f"waited {seen.longest_s:.3f} s, +{seen.grown:.0f} MiB, afterwards {after:+.0%}{lost}"


def fuzzed(home: Path, seed: int, seconds: float) -> tuple[dict[str, object], list[Row]]:
    """Structured fuzzing of one server; every 50 requests a good one must get the answer that it got first."""
    with served(home) as place, watching(place) as seen:
        wanted = good(place)
        wrong = 0

        def check() -> None:
            nonlocal wrong
            wrong += good(place) != wanted

        sent = fuzz(place, seed, seconds, check)
    found = {"seed": seed, "requests": sent, "wrong": wrong, "longest_s": seen.longest_s, "grown_mb": seen.grown}
    return found, [
        ("changed requests", sent, ""),
        ("good requests with another answer", wrong, "0"),
        ("longest wait of a health check, s", seen.longest_s, "0.25"),
        ("memory, MiB more", seen.grown, ""),
    ]


def good(place: Place) -> bytes:
    """The answer to a good request, from its outputs on."""
    with place.connect() as client:
        client.settimeout(60)
        client.sendall(place.post("infer", place.infer_body(), "connection: close"))
        received = b""
        while part := client.recv(65_536):
            received += part
    return received[:12] + received[received.find(b'"outputs"') :]


def mix(home: Path, count: int) -> tuple[dict[str, object], list[Row]]:
    """Good requests of all protocols among hostile ones."""
    with served(home) as place, watching(place) as seen:
        made: Mixed = mixed(place, count)
    return {**vars(made), "longest_s": seen.longest_s}, [
        ("requests", made.good + made.hostile, "1,000,000"),
        ("hostile among them", made.hostile / (made.good + made.hostile), "0.05"),
        ("5xx that are not by design", made.failed, "0"),
        ("503, by design", made.refused, ""),
        ("answers to something else", made.crossed, "0"),
        ("memory growth after the first tenth", made.growth, "0.05"),
        ("longest wait of a health check, s", seen.longest_s, "0.25"),
        ("requests a second", made.per_s, ""),
    ]


def speed(home: Path, before: Path, rounds: int, seconds: float) -> tuple[dict[str, object], list[Row]]:
    """Requests a second now, and of another version, in turns."""
    figures: dict[tuple[str, str, int], list[Load]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        body = write_requests(folder, "image", [1, *SHAPE])
        for _ in range(rounds):
            for port, (name, source) in zip((9701, 9711), (("now", ROOT), ("before", before)), strict=True):
                command, env = ours(home, "digits", port)
                env = {**env, "PYTHONPATH": str(source / "src")}
                with running(name, command, port, port + 1, body, env, folder) as server:
                    if server is None:
                        raise RuntimeError((folder / f"{name}.log").read_text(encoding="utf-8"))
                    for kind in ("json", "bin"):
                        for connections in (1, 16):
                            load = wrk(server, kind, connections, seconds, folder)
                            figures[name, kind, connections].append(load)
                    for connections in (1, 16):
                        figures[name, "grpc", connections].append(h2load(server, connections, seconds, folder))
    rows: list[Row] = []
    found: dict[str, object] = {}
    for (name, kind, connections), loads in figures.items():
        if name == "now":
            pairs = zip(loads, figures["before", kind, connections], strict=True)
            ratio = statistics.median(now.per_s / then.per_s for now, then in pairs)
            rate = statistics.median(each.per_s for each in loads)
            found[f"{kind}-{connections}"] = {
                "ratio": ratio,
                "per_s": rate,
                "failed": sum(each.errors for each in loads),
            }
            rows.append((f"{kind}, {connections} connections: {rate:,.0f}/s, ratio to before", ratio, "0.97"))
    return found, rows


def main() -> None:
    """Runs one part and publishes it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("attacks", "fuzz", "mixed", "speed"), nargs="?", default="attacks")
    parser.add_argument("--home", type=Path, help="a home that holds the digits model already")
    parser.add_argument("--only", default="")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = given.home or trained(Path(folder), (given.before or ROOT).resolve())
        if given.part == "attacks":
            found, rows = attacked(home, given.only, given.seconds or 4.0)
        elif given.part == "fuzz":
            found, rows = fuzzed(home, given.seed, given.seconds or 3600.0)
        elif given.part == "mixed":
            found, rows = mix(home, given.requests)
        elif given.before is None:
            parser.error("speed needs --before CHECKOUT")
        else:
            found, rows = speed(home, given.before.resolve(), given.rounds, given.seconds or 3.0)
    publish(f"hardening-{given.part}", found, rows)


if __name__ == "__main__":
    main()
