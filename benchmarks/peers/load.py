"""Starts servers on core 0 and loads them from core 1: requests, `wrk` for HTTP, `h2load` for gRPC."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glassworks.serving.transports.grpc.messages import message

START_S = 90.0
_UNITS_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
_LUA = 'wrk.method = "POST"\n{headers}local f = io.open("{body}", "rb")\nwrk.body = f:read("*all")\nf:close()\n'


@dataclass(frozen=True)
class Load:
    """What a run of the load gave; latencies in ms."""

    per_s: float
    p50_ms: float
    p99_ms: float
    errors: int


@dataclass(frozen=True)
class Server:
    """A running server: where it answers, and the process group to end it by."""

    name: str
    http: int
    grpc: int
    process: subprocess.Popen[bytes]
    route: str

    def seconds(self) -> float:
        """CPU seconds of all its processes until now."""
        ticks = 0
        for stat in _processes(self.process.pid):
            fields = stat.rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """Resident memory of all its processes."""
        page = os.sysconf("SC_PAGE_SIZE")
        return sum(int(stat.rsplit(")", 1)[1].split()[21]) for stat in _processes(self.process.pid)) * page / 1e6


def _processes(session: int) -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            stat = path.read_text(encoding="utf-8", errors="replace")
            if int(stat.rsplit(")", 1)[1].split()[3]) == session:
                yield stat


@contextlib.contextmanager
def running(
    name: str,
    command: Sequence[str],
    http: int,
    grpc: int,
    body: Path | None,
    env: Mapping[str, str],
    folder: Path,
    model: str = "digits",
) -> Iterator[Server | None]:
    """A server that answers the request in `body`, or is ready where there is none; None where it does not start."""
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            ["taskset", "-c", "0", *command],
            env={**os.environ, **env},
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=env.get("PEERS"),
        )
        server = Server(name, http, grpc, process, f"/v2/models/{model}/infer")
        try:
            yield server if _answers(server, body) else None
        finally:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
                time.sleep(1)
            process.wait()


def _answers(server: Server, body: Path | None) -> bool:
    end = time.monotonic() + START_S
    url = f"http://127.0.0.1:{server.http}{server.route if body else '/v2/health/ready'}"
    headers = {"Content-Type": "application/json"}
    while time.monotonic() < end and server.process.poll() is None:
        with contextlib.suppress(OSError):
            request = urllib.request.Request(url, body.read_bytes() if body else None, headers)
            with urllib.request.urlopen(request, timeout=5) as answer:
                return bool(answer.status == 200)
        time.sleep(0.5)
    return False


def write_requests(folder: Path, source: str, shape: Sequence[int], name: str = "digits") -> Path:
    """`request.json`, `request.bin`, their scripts for wrk, and `request.grpc` in a folder; the first of them."""
    values = np.random.default_rng(0).random(tuple(shape), np.float32).round(3)
    tensor = {"name": source, "shape": list(shape), "datatype": "FP32"}
    plain = json.dumps({"inputs": [{**tensor, "data": values.ravel().tolist()}]}).encode()
    binary = {**tensor, "parameters": {"binary_data_size": values.nbytes}}
    head = json.dumps({"inputs": [binary], "parameters": {"binary_data_output": True}}).encode()
    request = message("ModelInferRequest")(model_name=name, raw_input_contents=[values.tobytes()])
    request.inputs.add(name=source, datatype="FP32", shape=shape)
    framed = request.SerializeToString()
    (folder / "request.json").write_bytes(plain)
    (folder / "request.bin").write_bytes(head + values.tobytes())
    (folder / "request.grpc").write_bytes(b"\0" + len(framed).to_bytes(4, "big") + framed)
    headers = {"json": {"Content-Type": "application/json"}, "bin": {"Content-Type": "application/octet-stream"}}
    headers["bin"]["Inference-Header-Content-Length"] = str(len(head))
    for kind, given in headers.items():
        lines = "".join(f'wrk.headers["{key}"] = "{value}"\n' for key, value in given.items())
        body = folder / f"request.{kind}"
        (folder / f"{kind}.lua").write_text(_LUA.format(headers=lines, body=body), encoding="utf-8")
    return folder / "request.json"


def wrk(server: Server, kind: str, connections: int, seconds: float, folder: Path) -> Load:
    """Load over HTTP: as many requests as so many connections bring."""
    url = f"http://127.0.0.1:{server.http}{server.route}"
    command = ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--latency"]
    done = subprocess.run(
        [*command, "-s", str(folder / f"{kind}.lua"), url], capture_output=True, text=True, check=True
    )
    found = {name: re.search(pattern, done.stdout) for name, pattern in _WRK.items()}
    rate, p50, p99 = found["rate"], found["p50"], found["p99"]
    if rate is None or p50 is None or p99 is None:
        raise RuntimeError(done.stdout)
    failed = found["failed"]
    return Load(float(rate[1]), _ms(p50), _ms(p99), int(failed[1]) if failed else 0)


_WRK = {
    "rate": r"Requests/sec:\s+([\d.]+)",
    "p50": r"50%\s+([\d.]+)(us|ms|s|m)",
    "p99": r"99%\s+([\d.]+)(us|ms|s|m)",
    "failed": r"Non-2xx or 3xx responses: (\d+)",
}


def _ms(match: re.Match[str]) -> float:
    return float(match[1]) * _UNITS_MS[match[2]]


def h2load(server: Server, connections: int, seconds: float, folder: Path) -> Load:
    """Load over gRPC; one call is made before, to see that it is answered well."""
    _check_grpc(server, folder)
    url = f"http://127.0.0.1:{server.grpc}/inference.GRPCInferenceService/ModelInfer"
    command = ["taskset", "-c", "1", "h2load", "-d", str(folder / "request.grpc"), "-m", "1", f"-c{connections}"]
    headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
    done = subprocess.run([*command, *headers, f"-D{seconds:g}", url], capture_output=True, text=True, check=True)
    rate = re.search(r"finished in [\d.]+\w+, ([\d.]+) req/s", done.stdout)
    failed = re.search(r"(\d+) failed", done.stdout)
    if rate is None or failed is None:
        raise RuntimeError(done.stdout)
    return Load(float(rate[1]), 0.0, 0.0, int(failed[1]))


def _check_grpc(server: Server, folder: Path) -> None:
    import grpc

    request = (folder / "request.grpc").read_bytes()[5:]
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc}") as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        answer = message("ModelInferResponse").FromString(call(request, timeout=10))
    if not answer.outputs:
        raise RuntimeError(f"{server.name} gives no outputs over gRPC")


def python(peers: Path, name: str) -> str | None:
    """The interpreter of a peer's environment, where it is installed."""
    path = peers / name / "bin" / "python"
    return str(path) if path.exists() else None


def ours(home: Path, model: str, port: int, *more: str) -> tuple[list[str], dict[str, str]]:
    """How our server is started."""
    command = [sys.executable, "-m", "glassworks", "serve", model, "--port", str(port), "--grpc-port", str(port + 1)]
    return [*command, *more], {"GLASSWORKS_HOME": str(home)}
