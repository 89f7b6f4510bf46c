"""Metrics as Triton names them: what dashboards and autoscalers made for it ask for is there, in both text formats."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families
from tests.unit.serving.test_app import INFER, body, post, send
from tests.unit.serving.wire import ask, service

from glassworks.packaging.bundle import Bundle
from glassworks.serving.core.models import Models
from glassworks.serving.observability.metrics import Metrics
from glassworks.serving.observability.triton import Triton
from glassworks.serving.transports.http.service import Service

QUERIES = (
    # The panels of deploy/k8s-onprem/dashboard.json of triton-inference-server/server, and the rule of its autoscaler
    # in values.yaml beside it. `pod` and `instance` are labels that Prometheus itself adds.
    "count(count(nv_inference_count) by (instance))",
    "sum by (pod) (rate(nv_inference_count[1m])) / ignoring(pod) group_left sum (rate(nv_inference_count[1m]))",
    "sum(nv_inference_request_success) by (pod)",
    "sum(nv_inference_request_failure) by (pod)",
    "sum(rate(nv_inference_compute_infer_duration_us[30s])) by (model) / 1000",
    "avg(rate(nv_inference_queue_duration_us[30s])/(1+rate(nv_inference_request_success[30s]))) by (pod)",
    "avg(delta(nv_inference_queue_duration_us{namespace='default'}[30s])) by (pod)",
)
GUIDE = {
    # The tables of its guide to metrics: names, types and labels.
    **dict.fromkeys(
        (
            "nv_inference_request_success", "nv_inference_count", "nv_inference_exec_count",
            "nv_inference_request_duration_us", "nv_inference_queue_duration_us",
            "nv_inference_compute_input_duration_us", "nv_inference_compute_infer_duration_us",
            "nv_inference_compute_output_duration_us",
        ),
        ("counter", {"model", "version"}),
    ),
    "nv_inference_request_failure": ("counter", {"model", "version", "reason"}),
    "nv_inference_pending_request_count": ("gauge", {"model", "version"}),
    "nv_cpu_utilization": ("gauge", set()),
    "nv_cpu_memory_total_bytes": ("gauge", set()),
    "nv_cpu_memory_used_bytes": ("gauge", set()),
}  # fmt: skip
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


@pytest.fixture(scope="module")
def app(tiny_bundle: Bundle) -> Iterator[Service]:
    models = Models()
    models.load(tiny_bundle, "bars", "1")
    app = service(models, metrics=Metrics(models, lambda: None))
    post(app, INFER, body(3))
    post(app, INFER, {"inputs": []})
    yield app
    models.close()


def lines(app: Service, accept: str = "text/plain;version=0.0.4") -> str:
    return send(app, "GET", "/metrics", accept=accept).body.decode()


def samples(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for line in text.splitlines():
        if match := re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', match[2] or ""))
            found.setdefault(match[1], []).append((labels, float(match[3])))
    return found


@pytest.mark.parametrize("accept", ["text/plain;version=0.0.4", "*/*", "", OPENMETRICS])
@pytest.mark.parametrize("query", QUERIES)
def test_a_public_dashboard_finds_what_it_asks_for(query: str, accept: str, app: Service) -> None:
    found = samples(lines(app, accept))
    for name in re.findall(r"nv_\w+", query):
        assert name in found
    for label in {"model", "version", "reason"} & set(re.findall(r"\w+", query)):
        assert all(label in labels for name in re.findall(r"nv_\w+", query) for labels, _ in found[name])


@pytest.mark.parametrize("name", GUIDE)
def test_names_types_and_labels_are_those_of_the_guide(name: str, app: Service) -> None:
    kind, labels = GUIDE[name]
    text = lines(app)
    assert f"# TYPE {name} {kind}\n" in text
    assert f"{name}_total" not in text
    assert {frozenset(each) for each, _ in samples(text)[name]} == {frozenset(labels)}


def test_every_failure_has_a_reason(app: Service) -> None:
    def counts() -> dict[str, float]:
        return {labels["reason"]: value for labels, value in samples(lines(app))["nv_inference_request_failure"]}

    before = counts()
    assert set(before) == {"REJECTED", "CANCELED", "BACKEND", "OTHER"}
    assert post(app, INFER, {**body(1), "outputs": [{"name": "nothing"}]}).status == 400
    assert post(app, INFER, {**body(1), "parameters": {"priority": 17}}).status == 400
    assert counts() == {**before, "OTHER": before["OTHER"] + 2}


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("Overloaded", "REJECTED"), ("QuotaSpent", "REJECTED"), ("DeadlineExceeded", "REJECTED"),
        ("InputError", "OTHER"), ("TooLarge", "OTHER"), ("Unsupported", "OTHER"),
        ("ServingError", "BACKEND"), ("RuntimeError", "BACKEND"), ("NoSuchError", "BACKEND"),
    ],
)  # fmt: skip
def test_the_reason_of_an_error(kind: str, reason: str) -> None:
    from glassworks.serving.observability.triton import _reason

    assert _reason(kind) == reason


def test_the_numbers_are_those_of_the_statistics(app: Service) -> None:
    found = samples(lines(app))
    stats = send(app, "GET", "/v2/models/bars/stats").json["model_stats"][0]
    assert found["nv_inference_count"][0][1] == stats["inference_count"]
    assert found["nv_inference_exec_count"][0][1] == stats["execution_count"]
    assert found["nv_inference_request_success"][0][1] == stats["inference_stats"]["success"]["count"]
    for part in ("input", "infer", "output"):
        counted = stats["inference_stats"][f"compute_{part}"]["ns"] // 1000
        assert found[f"nv_inference_compute_{part}_duration_us"][0][1] == counted


def test_both_formats_are_valid_and_agree(app: Service) -> None:
    reply = send(app, "GET", "/metrics", accept=OPENMETRICS)
    assert reply.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    families = openmetrics.text_string_to_metric_families(reply.body.decode())  # type: ignore[no-untyped-call]
    by_open = {family.name: family for family in families}
    assert by_open["nv_inference_count"].type == "unknown"
    assert by_open["glassworks_requests"].type == "counter"
    plain = {family.name for family in text_string_to_metric_families(lines(app))}
    assert {name for name in by_open if name.startswith("nv_")} == {name for name in plain if name.startswith("nv_")}
    assert send(app, "GET", "/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")


def test_requests_that_wait_are_counted_as_requests(tiny_bundle: Bundle) -> None:
    models = Models()
    model = models.load(tiny_bundle, "bars", "1")
    served = service(models)

    async def main() -> int:
        import json

        content = json.dumps(body(5)).encode()
        asked = [asyncio.ensure_future(ask(served, "POST", INFER, content)) for _ in range(3)]
        seen = 0
        while not all(each.done() for each in asked):
            seen = max(seen, model.waiting_requests)
            await asyncio.sleep(0)
        return seen

    assert asyncio.run(main()) in (1, 2, 3)
    assert model.waiting_requests == 0
    models.close()


def test_the_use_of_the_processors_is_since_the_last_look(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    triton = Triton(stat)

    def look(line: str) -> float:
        stat.write_text(f"{line}\ncpu0 1 2 3\n")
        found = {family.name: family for family in triton.collect([])}
        return float(found["nv_cpu_utilization"].samples[0].value)

    look("cpu  100 0 100 700 100 0 0 0 50 0")
    assert look("cpu  130 0 120 740 110 0 0 0 90 0") == pytest.approx(0.5)
    assert look("cpu  130 0 120 740 110 0 0 0 90 0") == 0
    stat.unlink()
    assert "nv_cpu_utilization" not in {family.name for family in triton.collect([])}
