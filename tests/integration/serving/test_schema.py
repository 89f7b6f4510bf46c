"""Requests that schemathesis makes up from our OpenAPI document: every answer is one that the document tells of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.integration.serving.running import serving
from tests.patience import PATIENCE_S

from glassworks.packaging.bundle import Bundle

CHECKS = "not_a_server_error,response_schema_conformance,content_type_conformance,status_code_conformance"
SENSELESS = ["2xx", "400", "401", "403", "404", "409", "412", "428"]
RUN = "from schemathesis.cli import schemathesis; schemathesis()"


def test_made_up_requests_get_documented_answers(tiny_bundle: Bundle, tmp_path: Path) -> None:
    with serving(tmp_path, str(tiny_bundle.folder)) as server:
        config = tmp_path / "schemathesis.toml"
        config.write_text(f'[parameters]\nmodel = "{server.model}"\nversion = "1"\n', encoding="utf-8")
        url = f"http://{server.address}/openapi.json"
        command = [sys.executable, "-c", RUN, "--config-file", str(config), "run", url]
        options = ["--checks", CHECKS, "--max-examples", "8", "--seed", "1", "--no-color"]
        done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=PATIENCE_S)
        assert done.returncode == 0, done.stdout[-3000:]
        assert " passed" in done.stdout
        assert server.get("/v2/health/ready")["ready"] is True


def test_so_does_the_control_api(tmp_path: Path) -> None:
    """Streams do not end: they are asked elsewhere. What the schema allows may still make no sense, as a job."""
    config = tmp_path / "schemathesis.toml"
    config.write_text(f"[checks.positive_data_acceptance]\nexpected-statuses = {SENSELESS}\n", encoding="utf-8")
    with serving(tmp_path) as server:
        url = f"http://{server.address}/api/v1/openapi.json"
        command = [
            sys.executable,
            "-c",
            RUN,
            "--config-file",
            str(config),
            "run",
            url,
            "--exclude-path-regex",
            "/stream$",
        ]
        options = ["--checks", "all", "--max-examples", "8", "--seed", "1", "--no-color"]
        done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=PATIENCE_S)
        assert done.returncode == 0, done.stdout[-5000:]
        assert " passed" in done.stdout
