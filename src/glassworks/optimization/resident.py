"""The peak memory of an engine, in a process that opens one model, answers, and does nothing else."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glassworks.catalog import get
from glassworks.contracts import Artifact, Opened, Probe, Task
from glassworks.errors import Unsupported
from glassworks.machine import modules_path
from glassworks.optimization.measure import batches
from glassworks.runtimes import open_session

if TYPE_CHECKING:
    from glassworks.contracts import Array, Tensors

_CALLS = 20
_START_S = 120.0
_BYTES_AND_TEXT = "bytes", "text"


def peak_resident_mb(probe: Probe) -> float:
    """In megabytes. Raises Unsupported where the process cannot say it."""
    said = {
        "task": probe.task.name,
        "preprocessing": dict(probe.preprocessing),
        "artifact": probe.opened.artifact.model_dump(mode="json"),
        "folder": str(probe.opened.folder),
        "tensors": _to_json(batches(probe.tensors, probe.load.batch)[0]),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "glassworks.optimization.resident"],
            input=json.dumps(said),
            capture_output=True,
            text=True,
            check=False,
            timeout=_START_S + probe.budget_s,
            env={**os.environ, "PYTHONPATH": modules_path()},
        )
        return float(done.stdout)
    except subprocess.TimeoutExpired:
        reason = "its process did not end in time"
    except ValueError:
        reason = (done.stderr.strip().splitlines() or ["its process gave no answer"])[-1][:200]
    raise Unsupported(f"the memory of {probe.opened.artifact.file} cannot be measured: {reason}", "leave memory out")


def _peak_mb(said: Mapping[str, Any]) -> float:
    """Of this process, after it has opened the model and answered."""
    artifact = Artifact.model_validate(said["artifact"])
    opened = Opened(artifact=artifact, folder=Path(said["folder"]), searched=True)
    session = open_session(get(Task, said["task"]), opened, said["preprocessing"], limited=False)
    tensors = _from_json(said["tensors"])
    for _ in range(_CALLS):
        session.run(tensors)
    return _high_water_mb()


def _high_water_mb() -> float:
    """Linux tells it of this program alone; elsewhere it is that of the user's process."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (peak if sys.platform == "darwin" else peak * 1024) / 1e6


def _to_json(tensors: Tensors) -> dict[str, Any]:
    return {name: _described(values) for name, values in tensors.items()}


def _described(values: Array) -> dict[str, Any]:
    if values.dtype.hasobject:
        elements = [
            [_BYTES_AND_TEXT[isinstance(each, str)], _base64(each.encode() if isinstance(each, str) else each)]
            for each in values.ravel().tolist()
        ]
        return {"shape": values.shape, "elements": elements}
    return {"shape": values.shape, "dtype": values.dtype.str, "data": _base64(values.tobytes())}


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _from_json(described: Mapping[str, Any]) -> dict[str, Array]:
    tensors: dict[str, Array] = {}
    for name, each in described.items():
        if "dtype" in each:
            flat: Array = np.frombuffer(base64.b64decode(each["data"]), np.dtype(each["dtype"]))
        else:
            raw = [(kind, base64.b64decode(value)) for kind, value in each["elements"]]
            flat = np.empty(len(raw), object)
            flat[:] = [value.decode() if kind == "text" else value for kind, value in raw]
        tensors[name] = flat.reshape(each["shape"])
    return tensors


if __name__ == "__main__":
    sys.stdout.write(f"{_peak_mb(json.load(sys.stdin))}\n")
