"""How quickly the package imports, the command line helps and the server answers; how much memory it idles with.

    python benchmarks/startup.py

Each time is the median of fresh processes, after one that warms the file cache.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from report import publish

from glassworks.catalog import get
from glassworks.contracts import Family
from glassworks.flow import release
from glassworks.progress import Silent
from glassworks.registry import Registry

ROUNDS = 9


def median_s(call: Callable[[], object]) -> float:
    """Median wall time of a call."""
    call()
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def python(*arguments: str) -> Callable[[], object]:
    """A fresh interpreter with these arguments."""
    return lambda: subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


def import_s() -> float:
    """The import alone, timed inside fresh interpreters."""
    code = "import time; start = time.perf_counter(); import glassworks; print(time.perf_counter() - start)"
    return statistics.median(
        float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)
        for _ in range(ROUNDS)
    )


def server(reference: str, environment: dict[str, str]) -> dict[str, float]:
    """Seconds from process start to first answer; memory (MB) when idle after it; whether torch is loaded."""
    times, memory, torch = [], 0.0, 0.0
    for _ in range(ROUNDS):
        start = time.perf_counter()
        command = [sys.executable, "-m", "glassworks", "serve", reference, "--port", "0", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            try:
                url = json.loads(process.stdout.readline())["url"]  # type: ignore[union-attr]
                name = reference.split("@")[0]
                shape = json.load(urllib.request.urlopen(f"{url}/v2/models/{name}"))["inputs"][0]["shape"]
                count = shape[1] * shape[2] * shape[3]
                tensor = {"name": "image", "shape": [1, *shape[1:]], "datatype": "FP32", "data": [0.5] * count}
                body = json.dumps({"inputs": [tensor]}).encode()
                urllib.request.urlopen(f"{url}/v2/models/{name}/infer", body).read()
                times.append(time.perf_counter() - start)
                status = Path(f"/proc/{process.pid}/status").read_text()
                memory = int(status.split("VmRSS:")[1].split()[0]) / 1024
                torch = float("libtorch" in Path(f"/proc/{process.pid}/maps").read_text())
            finally:
                process.terminate()
    return {"first_answer_s": statistics.median(times[1:]), "idle_memory_mb": memory, "torch_loaded": torch}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        registry = Registry.open({"GLASSWORKS_HOME": home})
        job = get(Family, "convnet").tiny(Path(home))
        version = release(job, registry, Silent()).version.reference
        environment = {**os.environ, "GLASSWORKS_HOME": home}
        result = {
            "import_s": import_s(),
            "help_s": median_s(python("-m", "glassworks", "--help")),
            **server(version, environment),
        }
    publish(
        "startup",
        result,
        [
            ("import glassworks, s", result["import_s"], "<= 0.15"),
            ("glassworks --help, s", result["help_s"], "<= 0.3"),
            ("server start to first answer, s", result["first_answer_s"], "<= 1.5"),
            ("server idle memory, MB", result["idle_memory_mb"], "<= 200"),
            ("torch in the server's memory", "no" if not result["torch_loaded"] else "yes", "no"),
        ],
    )
