"""Calls a second, and CPU a call, of our gRPC connection beside grpcio's server with the same service behind it.

    python benchmarks/grpc_transport.py [MODEL] [--seconds 3] [--rounds 5] [--before SOURCE]

Needs two cores, `taskset` and `h2load`. `--before` is the folder `src` of another state of this project, which is
measured too. Rounds go through all servers in turn; figures are medians of rounds. CPU is the server's, user and system
together.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hardening import trained
from peers.load import Server, write_requests

_HERE = Path(__file__).parent
_START_S = 60.0
_CONNECTIONS = (1, 16)
_METHODS = {"ModelInfer": "request.grpc", "ServerLive": "empty.grpc"}
"""With the model behind it, and the way there and back alone."""
Figures = dict[tuple[str, int, str], list[tuple[float, float]]]


def started(name: str, model: str, port: int, source: Path, log: Path) -> Server:
    """A running server on core 0."""
    grpcio = [str(_HERE / "peers" / "grpcio_server.py"), model, str(port + 1)]
    own = ["-m", "glassworks", "serve", model, "--port", str(port), "--grpc-port", str(port + 1)]
    process = subprocess.Popen(
        ["taskset", "-c", "0", sys.executable, *(grpcio if name == "grpcio" else own)],
        env={**os.environ, "PYTHONPATH": str(source)},
        stdout=log.open("wb"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port + 1), 1).close()
            break
        except OSError:
            time.sleep(0.2)
    return Server(name, port, port + 1, process, "")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("model", nargs="?", help="of this home; without it the digits are trained shortly")
    options.add_argument("--seconds", type=float, default=3)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--before", type=Path)
    given = options.parse_args()
    sources = {"ours": _HERE.parent / "src", "grpcio": _HERE.parent / "src"}
    if given.before:
        sources["before"] = given.before
    with tempfile.TemporaryDirectory() as name:
        folder, model = Path(name), given.model or "digits"
        if given.model is None:
            os.environ["GLASSWORKS_HOME"] = str(trained(folder))
        write_requests(folder, "image", (1, 1, 28, 28), model)
        (folder / "empty.grpc").write_bytes(bytes(5))
        servers = [
            started(kind, model, 9800 + 10 * place, source, folder / f"{kind}.log")
            for place, (kind, source) in enumerate(sources.items())
        ]
        try:
            figures = measured(servers, given.seconds, given.rounds, folder)
        finally:
            for server in servers:
                server.process.kill()
                server.process.wait()
    for (method, connections, kind), found in sorted(figures.items()):
        rates, costs = zip(*found, strict=True)
        sys.stdout.write(
            f"{method} c={connections} {kind}: {statistics.median(rates):.0f} calls/s "
            f"({min(rates):.0f} to {max(rates):.0f}), {statistics.median(costs):.1f} us of CPU a call\n"
        )


def measured(servers: list[Server], seconds: float, rounds: int, folder: Path) -> Figures:
    """Calls a second and CPU in microseconds a call, by method, connections and server."""
    figures: Figures = {}
    for place in range(rounds):
        for connections in _CONNECTIONS:
            for method, body in _METHODS.items():
                for server in servers if place % 2 else servers[::-1]:
                    before = server.seconds()
                    rate = called(server, method, folder / body, connections, seconds)
                    spent = server.seconds() - before
                    figures.setdefault((method, connections, server.name), []).append(
                        (rate, spent / (rate * seconds) * 1e6)
                    )
    return figures


def called(server: Server, method: str, body: Path, connections: int, seconds: float) -> float:
    """Calls a second."""
    command = ["taskset", "-c", "1", "h2load", "-d", str(body), "-m", "1", f"-c{connections}", f"-D{seconds:g}"]
    headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    url = f"http://127.0.0.1:{server.grpc}/inference.GRPCInferenceService/{method}"
    done = subprocess.run([*command, *headers, url], capture_output=True, text=True, check=True)
    rate, failed = (
        re.search(r"finished in [\d.]+\w+, ([\d.]+) req/s", done.stdout),
        re.search(r"(\d+) failed", done.stdout),
    )
    if rate is None or failed is None or int(failed[1]):
        raise RuntimeError(done.stdout)
    return float(rate[1])


if __name__ == "__main__":
    main()
