"""Calls a second, and CPU a call, of our gRPC connection beside grpcio's server with the same service behind it.

    python benchmarks/grpc_transport.py MODEL [--seconds 3] [--rounds 5] [--before SOURCE]

Needs two cores, `taskset` and `h2load`. `--before` is the folder `src` of another state of this project, which is
measured too. Rounds go through all servers in turn; figures are medians of rounds. CPU is the server's, user and system
together.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from peers.load import Server, h2load, write_requests

_HERE = Path(__file__).parent
_START_S = 60.0
_CONNECTIONS = (1, 16)


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
    options.add_argument("model")
    options.add_argument("--seconds", type=float, default=3)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--before", type=Path)
    given = options.parse_args()
    sources = {"ours": _HERE.parent / "src", "grpcio": _HERE.parent / "src"}
    if given.before:
        sources["before"] = given.before
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_requests(folder, "image", (1, 1, 28, 28), given.model)
        servers = [
            started(kind, given.model, 9800 + 10 * place, source, folder / f"{kind}.log")
            for place, (kind, source) in enumerate(sources.items())
        ]
        try:
            figures = measured(servers, given.seconds, given.rounds, folder)
        finally:
            for server in servers:
                server.process.kill()
                server.process.wait()
    for (kind, connections), found in sorted(figures.items()):
        rates, costs = zip(*found, strict=True)
        sys.stdout.write(
            f"{kind} c={connections}: {statistics.median(rates):.0f} calls/s ({min(rates):.0f} to {max(rates):.0f}), "
            f"{statistics.median(costs):.1f} us of CPU a call\n"
        )


def measured(
    servers: list[Server], seconds: float, rounds: int, folder: Path
) -> dict[tuple[str, int], list[tuple[float, float]]]:
    """Calls a second and CPU in microseconds a call, by server and connections."""
    figures: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for place in range(rounds):
        for connections in _CONNECTIONS:
            for server in servers if place % 2 else servers[::-1]:
                before = server.seconds()
                load = h2load(server, connections, seconds, folder)
                spent = server.seconds() - before
                found = load.per_s, spent / (load.per_s * seconds) * 1e6
                figures.setdefault((server.name, connections), []).append(found)
    return figures


if __name__ == "__main__":
    main()
