"""HTTP/1.1 on our connection and on uvicorn's protocol class, one application behind both, alternating.

    python benchmarks/transports.py [--seconds 2] [--rounds 7] [--home HOME --model digits]

Needs two cores, `taskset`, `wrk`, uvicorn and a home with the model. Requests/s are medians of rounds; beside them CPU
time of the server for 1,000 requests, which other load on the machine disturbs less; and the checks of RFC 9112.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from hardening import trained
from peers.load import running, write_requests, wrk

from glassworks.conformance import suite
from glassworks.conformance.target import Target

SERVER = Path(__file__).parent / "peers" / "transport_server.py"
PORTS = {"ours": 9681, "uvicorn": 9691}
SETTINGS = (("json", 1), ("json", 16), ("bin", 16))


def main() -> None:
    """Take all figures and print them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--home", help="where the model is; without it the digits are trained shortly")
    parser.add_argument("--model", default="digits")
    options = parser.parse_args()
    rates: dict[str, list[float]] = defaultdict(list)
    cpu: dict[str, list[float]] = defaultdict(list)
    found: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as started:
        folder = Path(name)
        body = write_requests(folder, "image", (1, 1, 28, 28))
        env = {"GLASSWORKS_HOME": options.home or str(trained(folder))}
        servers = {
            which: started.enter_context(
                running(
                    which, [sys.executable, str(SERVER), which, str(port), options.model], port, port, body, env, folder
                )
            )
            for which, port in PORTS.items()
        }
        for _ in range(options.rounds):
            for kind, connections in SETTINGS:
                for which, server in servers.items():
                    if server is None:
                        raise SystemExit(f"{which} does not start: {(folder / f'{which}.log').read_text()[-2000:]}")
                    before = server.seconds()
                    load = wrk(server, kind, connections, options.seconds, folder)
                    setting = f"{kind} c={connections} {which}"
                    rates[setting].append(load.per_s)
                    cpu[setting].append((server.seconds() - before) / (load.per_s * options.seconds) * 1000)
        for which, port in PORTS.items():
            checks = [check for check in suite.found() if check.area == "http1"]
            outcomes = list(suite.run(Target(url=f"http://127.0.0.1:{port}", seconds=5, patience=10), checks))
            failed = {each.id: each.seen for each in outcomes if each.result == "failed"}
            found[which] = {**suite.totals(outcomes), "failures": failed}
    told = {
        setting: {
            "per_s": round(statistics.median(rates[setting])),
            "cpu_s_per_1000": round(statistics.median(cpu[setting]), 4),
        }
        for setting in rates
    }
    sys.stdout.write(json.dumps({"loads": told, "rfc9112": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
