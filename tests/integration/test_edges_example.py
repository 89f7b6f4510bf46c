"""`glassworks up examples/edges.toml`: the whole flow for something that learns nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]


def test_the_example_goes_through_the_whole_flow(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "glassworks", "up", str(ROOT / "examples" / "edges.toml"), "--check", "--json"]
    environment = {**os.environ, "GLASSWORKS_HOME": str(tmp_path)}
    done = subprocess.run(
        [*command, "--set", "optimization.budget=1s"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["package"]["metrics"]["agreement"]["value"] == 1.0
    engines = {each["engine"]: each for each in said["optimize"]["candidates"]}
    assert engines.keys() == {"opencv", "onnxruntime", "openvino"}
    fastest = min(engines.values(), key=lambda each: each["latency_p50_ms"])
    assert said["optimize"]["chosen"] == fastest["name"]
    assert said["explain"]["label"].startswith("pixel ")
    assert Path(said["explain"]["drawn"]).read_bytes().startswith(b"\x89PNG")
