"""`glassworks up examples/recommend.toml`: the whole flow of a recommender on real ratings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]


def test_the_example_goes_through_the_whole_flow(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "glassworks", "up", str(ROOT / "examples" / "recommend.toml"), "--check", "--json"]
    environment = {**os.environ, "GLASSWORKS_HOME": str(tmp_path)}
    quick = ("--set", "optimization.budget=1s", "--set", "training.budget=5s")
    done = subprocess.run([*command, *quick], env=environment, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    metrics, simple = said["package"]["metrics"], said["package"]["baseline"]
    assert metrics["ndcg_at_10"]["value"] > 0.08 > simple["ndcg_at_10"]["value"]
    assert said["data"]["splits"]["test"] == 143
    assert [each["engine"] for each in said["optimize"]["candidates"]] == ["arrays"]
    assert said["explain"]["completeness_gap"] < 1e-4
