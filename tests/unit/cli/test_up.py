"""`up` in one process but for the service: a model that explains nothing, refusals before any work, and ports."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from glassworks.catalog import found
from glassworks.cli.app import build
from glassworks.config import ServingConfig
from glassworks.contracts import Explainer
from glassworks.errors import ConfigError, ServingError
from glassworks.families.image_operators.synthetic import write_squares
from glassworks.serving.process import options_of, require_free

JOB = """
name = "gray"
family = "image_operators"
data = { source = "folder:pictures" }
model = { pipeline = [{ operator = "grayscale" }] }
optimization = { enabled = false }
"""


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("glassworks.cli.verbs.up.receive_interrupts", lambda: None)
    monkeypatch.setenv("GLASSWORKS_HOME", str(tmp_path / "home"))
    write_squares(tmp_path / "pictures", pictures=3, seed=0)
    (tmp_path / "job.toml").write_text(JOB, encoding="utf-8")
    return tmp_path / "job.toml"


def only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Regions of pictures are explained by these methods alone."""
    for name, explainer in found(Explainer).items():
        monkeypatch.setattr(type(explainer), "subjects", {"regions": 0} if name in names else {})


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(build(), [str(each) for each in arguments])


@pytest.mark.parametrize("explainers", [(), ("occlusion",)], ids=["none", "one"])
def test_a_family_may_have_no_explainer_or_one(
    job: Path, monkeypatch: pytest.MonkeyPatch, explainers: tuple[str, ...]
) -> None:
    only(monkeypatch, *explainers)
    shown = run("up", job, "--check")
    assert shown.exit_code == 0, (shown.exception, shown.output)
    assert ("not explained: the model explains nothing" in shown.output) is not bool(explainers)
    suggested = shown.output.partition("Next")[2]
    assert ("glassworks explain" in suggested) is bool(explainers)
    assert "--method" not in suggested
    # It has been stopped: nothing is there to be asked.
    assert "glassworks serve gray@" in suggested
    assert "http://" not in suggested


def test_a_model_that_explains_nothing_says_so(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch)
    assert json.loads(run("up", job, "--check", "--json").stdout)["explain"] is None
    reported = run("explain", "gray", job.parent / "pictures" / "0.png").exception
    assert "no explanation method" in str(reported)


def test_what_cannot_be_explained_is_answered_all_the_same(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a text that is too long: the next example is tried, and at last none is explained, with the reason."""
    only(monkeypatch, "grad_cam")
    monkeypatch.setattr("glassworks.packaging.assemble._explainers", lambda parts: ("occlusion",))
    said = run("up", job, "--check", "--set", "explanation.method=grad_cam")
    assert said.exit_code == 0, (said.exception, said.output)
    assert "no explanation method 'grad_cam'" in said.output


def test_a_method_that_the_family_does_not_have_is_refused_first(job: Path, tmp_path: Path) -> None:
    refused = run("up", job, "--check", "--set", "explanation.method=grad_cam").exception
    assert isinstance(refused, ConfigError)
    assert "'explanation.method' is 'grad_cam', which image_operators does not have" in refused.problem
    assert refused.mend.startswith("leave it out, or write one of: input_x_gradient,")
    assert not (tmp_path / "home" / "runs").exists()


def test_an_objective_that_nothing_can_keep_to_is_refused_first(job: Path, tmp_path: Path) -> None:
    for wrong, reported in (
        ("minimize=speed", "cannot minimize 'speed'"),
        ('within=["psnr < 1"]', "is not a constraint"),
    ):
        refused = run("up", job, "--check", "--set", f"optimization.{wrong}").exception
        assert isinstance(refused, ConfigError)
        assert reported in refused.problem
    assert not (tmp_path / "home" / "runs").exists()


def test_both_ports_are_tried_first(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for config, key in ((ServingConfig(port=port), "port"), (ServingConfig(port=0, grpc_port=port), "grpc_port")):
            with pytest.raises(ServingError, match=f"cannot listen on 127.0.0.1:{port}: Address already in") as raised:
                require_free(config)
            assert f"serving.{key}=" in raised.value.mend
    tried: list[int] = []
    monkeypatch.setattr("glassworks.serving.process._require_free", lambda host, port, key: tried.append(port))
    for config in (ServingConfig(port=80), ServingConfig(port=80, grpc=False), ServingConfig(port=0)):
        require_free(config)
    assert tried == [80, 81, 80, 0, 0]


def test_every_setting_of_a_job_is_an_option_of_serve() -> None:
    said: dict[str, Any] = {
        name: ["https://app.example"] if isinstance(value, tuple) else str(name) if value == "" else value
        for name, value in ServingConfig(grpc_port=1, grpc=False, watch=True)
    }
    options = {each for each in options_of(ServingConfig(**said)) if each.startswith("--")}
    serve = get_command(build()).commands["serve"]  # type: ignore[attr-defined]
    known = {each for parameter in serve.params for each in (*parameter.opts, *parameter.secondary_opts)}
    assert options <= known
    assert len(options) == len(ServingConfig.model_fields)
