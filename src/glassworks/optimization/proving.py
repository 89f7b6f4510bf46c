"""Whether an engine runs an artifact at all: tried once, in a process that may die.

Engines list precisions that they then die in: with a limited instruction set OpenVINO still offers bfloat16, and ends
its process with a segmentation fault.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassworks.catalog import get
from glassworks.contracts import Artifact, Opened, Runtime
from glassworks.errors import GlassworksError
from glassworks.machine import modules_path

if TYPE_CHECKING:
    from glassworks.contracts import Tensors

_SECONDS, _BYTES = 60.0, 8 * 2**30
_EXPLAINED = 3
"""Exit status of a process that says why."""


def proven(opened: Opened, tensors: Tensors, *, seconds: float = _SECONDS, memory_bytes: int = _BYTES) -> str:
    """Empty where the runtime of the artifact answers `tensors` (as the graph takes them) with numbers, else why not.

    Another interpreter opens and runs it once, within those seconds and that much memory of its own.
    """
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder, "rows.npz"), allow_pickle=False, **dict[str, Any](tensors))
        asked = {"artifact": opened.artifact.model_dump(), "folder": str(opened.folder), "memory": memory_bytes}
        Path(folder, "asked.json").write_text(json.dumps(asked), encoding="utf-8")
        return _ended(_started(folder), seconds)


def _started(folder: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - this interpreter
        [sys.executable, "-P", "-m", __name__, folder],
        env={**os.environ, "PYTHONPATH": modules_path()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def _ended(process: subprocess.Popen[str], seconds: float) -> str:
    with process:  # closes what it is read from
        try:
            said, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            return f"the engine had not answered after {seconds:g} s"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # the engine's own children too
    if process.returncode < 0:
        return f"the engine died while it ran the model ({signal.Signals(-process.returncode).name})"
    if process.returncode == _EXPLAINED:
        return said.strip() or "the engine could not run the model"
    return f"the engine ended with status {process.returncode}" if process.returncode else ""


def _try(folder: Path) -> str:
    """What `proven` says, in a process of its own."""
    import numpy as np

    asked = json.loads((folder / "asked.json").read_text(encoding="utf-8"))
    _limit(asked["memory"])
    artifact = Artifact.model_validate(asked["artifact"])
    with np.load(folder / "rows.npz", allow_pickle=False) as stored:
        tensors = dict(stored)
    try:
        session = get(Runtime, artifact.runtime).open(Opened(artifact=artifact, folder=Path(asked["folder"])))
        answers = session.run(tensors)
    except GlassworksError as error:
        return error.problem
    except Exception as error:  # noqa: BLE001 - engines raise many classes
        return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    floats = [values for values in answers.values() if np.issubdtype(values.dtype, np.floating)]
    return "" if all(np.isfinite(each).all() for each in floats) else "its answers are not finite numbers"


def _limit(memory_bytes: int) -> None:
    """Where the system can: memory beyond that is refused, and a crash leaves no dump."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


if __name__ == "__main__":
    reason = _try(Path(sys.argv[1]))
    sys.stdout.write(reason)
    sys.exit(_EXPLAINED if reason else 0)
