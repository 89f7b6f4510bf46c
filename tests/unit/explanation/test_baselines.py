"""What an explanation is against: a baseline that no pixel can have is refused, the picture itself is told."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.unit.serving.test_app import EXPLAIN, post
from tests.unit.serving.wire import service
from typer.testing import CliRunner

from glassworks.catalog import get
from glassworks.cli.app import build
from glassworks.contracts import Explainer, Explanation, Family
from glassworks.errors import InputError
from glassworks.flow import train
from glassworks.packaging.answered import explanation_json
from glassworks.packaging.bundle import Bundle
from glassworks.packaging.opened import OpenedBundle
from glassworks.registry import Registry
from glassworks.serving.core.engines.messages import explained, explanation
from glassworks.serving.core.models import Models
from glassworks.serving.transports.http.service import Service

AGAINST = ("integrated_gradients", "occlusion", "partition_shapley", "leave_one_out")


@pytest.fixture(scope="module")
def opened(tiny_bundle: Bundle) -> Iterator[OpenedBundle]:
    found = OpenedBundle(tiny_bundle)
    yield found
    found.close()


@pytest.fixture(scope="module")
def operators(tmp_path_factory: pytest.TempPathFactory) -> OpenedBundle:
    folder = tmp_path_factory.mktemp("operators")
    job = get(Family, "image_operators").tiny(folder)
    return OpenedBundle(train(job, Registry.open({"GLASSWORKS_HOME": str(folder / "home")})).bundle)


def plain(shade: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.full((1, 16, 16, 1), shade, np.uint8)


def written(folder: Path, shade: int) -> str:
    Image.fromarray(plain(shade)[0, :, :, 0]).save(folder / f"{shade}.png")
    return str(folder / f"{shade}.png")


@pytest.mark.parametrize(
    ("baseline", "mend"),
    [(255.0, "for 255 of 255 give 1"), (128.0, "give 0.502"), (-0.1, "from 0 to 1"), (300.0, "0.5 for gray"),
     (float("nan"), "from 0 to 1"), (float("inf"), "from 0 to 1"), (-np.inf, "from 0 to 1"), (1.0001, "from 0 to 1")],
)  # fmt: skip
def test_a_baseline_that_no_pixel_can_have_is_refused(baseline: float, mend: str, opened: OpenedBundle) -> None:
    for method in opened.manifest.explainers:
        with pytest.raises(InputError) as caught:
            opened.explain(plain(90), method=method, baseline=baseline)
        assert "lie from 0 (black) to 1 (white)" in caught.value.problem
        assert mend in caught.value.mend


def test_of_operators_white_is_what_the_file_holds(operators: OpenedBundle) -> None:
    x = np.random.default_rng(0).integers(0, 256, (1, 12, 12, 3), dtype=np.uint8)
    operators.explain(x, method="occlusion", baseline=255)
    with pytest.raises(InputError, match=r"lie from 0 \(black\) to 255 \(white\)"):
        operators.explain(x, method="occlusion", baseline=256)
    black = operators.explain(np.zeros_like(x), method="occlusion")
    assert (black.baseline_to_try, black.attribution.converged) == (255, False)


@pytest.mark.parametrize(
    ("shade", "baseline", "other"), [(0, None, 1.0), (255, 1.0, 0.0), (128, 0.5, 0.0), (51, 0.2, 1.0)]
)
def test_a_picture_that_is_its_baseline_is_told(
    shade: int, baseline: float | None, other: float, opened: OpenedBundle
) -> None:
    for method in set(AGAINST) & set(opened.manifest.explainers):
        found = opened.explain(plain(shade), method=method, baseline=baseline)
        assert (found.baseline_to_try, found.attribution.converged, found.quality) == (other, False, {})
        assert np.abs(found.attribution.values).sum() < 0.05
        again = opened.explain(plain(shade), method=method, baseline=found.baseline_to_try)
        assert again.baseline_to_try is None
        assert again.quality


def test_what_needs_no_baseline_is_explained_all_the_same(opened: OpenedBundle) -> None:
    free = [name for name in opened.manifest.explainers if not get(Explainer, name).against_baseline]
    assert "saliency" in free
    for method in free:
        assert opened.explain(plain(0), method=method).baseline_to_try is None


def test_a_picture_that_differs_is_not(opened: OpenedBundle) -> None:
    x = plain(0)
    x[0, 3, 3] = 1
    found = opened.explain(x, method="integrated_gradients")
    assert found.baseline_to_try is None
    assert "baseline_to_try" not in explanation_json(found)


def test_it_crosses_to_an_engine_process(opened: OpenedBundle) -> None:
    found = opened.explain(plain(0), method="integrated_gradients")
    there: Explanation = explanation(explained(1, found))
    assert there.baseline_to_try == 1.0


@pytest.fixture(scope="module")
def app(tiny_bundle: Bundle) -> Iterator[Service]:
    models = Models()
    models.load(tiny_bundle, "bars", "1")
    yield service(models)
    models.close()


def asked(app: Service, shade: float, parameters: Mapping[str, Any]) -> Any:
    tensor = {"name": "image", "shape": [1, 1, 16, 16], "datatype": "FP32", "data": [shade] * 256}
    return post(app, EXPLAIN, {"inputs": [tensor], "parameters": {"method": "occlusion"} | dict(parameters)})


def test_over_http_it_is_a_parameter_of_the_answer(app: Service) -> None:
    told = asked(app, 0.0, {}).json["parameters"]
    assert (told["baseline_to_try"], told["converged"], "faithfulness_z" in told) == (1.0, False, False)
    other = asked(app, 0.0, {"baseline": told["baseline_to_try"]}).json["parameters"]
    assert ("baseline_to_try" in other, other["converged"]) == (False, True)
    wrong = asked(app, 0.0, {"baseline": 255})
    assert wrong.status == 400
    assert "for 255 of 255 give 1" in wrong.error


def test_the_command_line_says_it_in_words(tiny_bundle: Bundle, tmp_path: Path) -> None:
    dark = written(tmp_path, 0)
    said = CliRunner().invoke(build(), ["explain", str(tiny_bundle.folder), dark]).stdout
    assert "is the baseline itself" in said
    assert "--baseline 1" in said
    assert "promise kept" not in said
    record = json.loads(CliRunner().invoke(build(), ["explain", str(tiny_bundle.folder), dark, "--json"]).stdout)
    assert record["baseline_to_try"] == 1.0
    again = CliRunner().invoke(build(), ["explain", str(tiny_bundle.folder), dark, "--baseline", "1"]).stdout
    assert "baseline itself" not in again
    lines = tmp_path / "lines.jsonl"
    (tmp_path / "all").mkdir()
    written(tmp_path / "all", 0)
    command = ["explain", str(tiny_bundle.folder), "--data", f"folder:{tmp_path / 'all'}", "-o", str(lines)]
    assert CliRunner().invoke(build(), command).exit_code == 0
    assert '"baseline_to_try": 1.0' in lines.read_text()
