"""Models over the control API: lists, cards, lineage, comparison, aliases."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.control.conftest import Api

from glassworks.contracts import Evaluation, ExampleScores, Measurement
from glassworks.control.comparing import _pair, agreement
from glassworks.control.requests import answer_of
from glassworks.packaging.bundle import Bundle, write_bundle
from glassworks.registry.gates import Gate, Gates
from glassworks.registry.records import Version


def _items(*items: str, score: float = 0.5) -> dict[str, Any]:
    found = [{"item": item, "score": score} for item in items]
    return {"items": found, "basis": "similar", "unknown_items": [], "shortage": None}


def test_models_are_listed_with_what_people_choose_by(api: Api, deployed: str) -> None:
    (found,) = api.as_role("viewer").get("/models")["items"]
    assert (found["name"], found["versions"], found["newest"], found["champion"]) == (deployed, 2, 2, 1)
    assert (found["task"], found["family"], found["served"]) == ("image-classification", "convnet", ["1"])
    assert set(found["metrics"]["accuracy"]) == {"value", "interval", "examples", "higher_is_better", "classes"}
    assert api.get(f"/models?query={deployed[:3].upper()}")["items"]
    assert api.get("/models?query=nothing")["items"] == []
    api.as_role("infer").get("/models", status=403)


def test_an_etag_saves_the_answer_until_something_changes(api: Api, published: str) -> None:
    for path in (f"/models/{published}", f"/models/{published}/versions/1"):
        first = api.client.get(f"/api/v1{path}")
        headers = {"If-None-Match": first.headers["etag"]}
        again = api.client.get(f"/api/v1{path}", headers=headers)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
        api.control.registry.set_alias(published, 1, "champion" if "versions" in path else "candidate")
        assert api.client.get(f"/api/v1{path}", headers=headers).status_code == 200


def test_a_version_shows_its_card_search_lineage_and_samples(
    api: Api, published: str, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    shutil.copytree(tiny_bundle.folder, tmp_path / "searched")
    (tmp_path / "searched" / "manifest.json").unlink()
    (tmp_path / "searched" / "optimization.json").write_text('{"chosen": "int8"}')
    api.control.registry.publish(write_bundle(tmp_path / "searched", tiny_bundle.manifest))
    assert api.get(f"/models/{published}/versions/3")["report"] == {"chosen": "int8"}
    found = api.get(f"/models/{published}/versions/1")
    assert found["report"] is None
    assert found["card"].startswith(f"# {published}")
    assert found["engine"]
    assert found["size_bytes"] > 1000
    kinds = [node["kind"] for node in found["lineage"]["nodes"]]
    assert {"version", "data", "job"} <= set(kinds)
    ids = {node["id"] for node in found["lineage"]["nodes"]}
    assert {each for edge in found["lineage"]["edges"] for each in edge.values()} <= ids
    assert found["samples"][0]["answer"]["headline"]
    assert found["samples"][0]["inputs"][0]["data"]


@pytest.mark.parametrize(
    ("source", "link"),
    [
        ("sample:digits", "#/data/sample%3Adigits"),
        ("uploaded:0123456789abcdef", "#/data/0123456789abcdef"),
        ("csv:a.csv", ""),
    ],
)
def test_data_lead_to_their_page(api: Api, tiny_bundle: Bundle, tmp_path: Path, source: str, link: str) -> None:
    manifest = tiny_bundle.manifest
    learned = manifest.model_copy(update={"lineage": manifest.lineage.model_copy(update={"data": source})})
    shutil.copytree(tiny_bundle.folder, tmp_path / "learned")
    (tmp_path / "learned" / "manifest.json").unlink()
    api.control.registry.publish(write_bundle(tmp_path / "learned", learned))
    nodes = api.get(f"/models/{manifest.name}/versions/1")["lineage"]["nodes"]
    assert [(node["label"], node["link"]) for node in nodes if node["kind"] == "data"] == [(source, link)]


def test_parents_are_in_the_graph_with_what_they_were_made_of(api: Api, published: str, tiny_bundle: Bundle) -> None:
    api.control.registry.publish(tiny_bundle, f"{published}@2")
    graph = api.get(f"/models/{published}/versions/3")["lineage"]
    assert [node["label"] for node in graph["nodes"] if node["kind"] == "version"] == [
        f"{published}@2",
        f"{published}@3",
    ]
    parent, child = (f"version:{published}@{number}" for number in (2, 3))
    targets = {edge["source"]: edge["target"] for edge in graph["edges"]}
    reached = parent
    while reached in targets:
        reached = targets[reached]
    assert reached == child


def test_five_hundred_versions_are_quick(api: Api, tiny_bundle: Bundle, published: str) -> None:
    database = api.control.registry._database
    for _ in range(498):
        database.add(
            Version(name=published, version=0, bundle_sha256=tiny_bundle.sha256, created_at="2026-01-01"),
            lambda _: None,
        )
    seen: list[int] = []
    after, spent = "", []
    while True:
        begun = time.perf_counter()
        page = api.get(f"/models/{published}/versions?limit=50{after}")
        spent.append(time.perf_counter() - begun)
        seen += [each["version"] for each in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert seen == list(range(500, 0, -1))
    assert min(spent) < 0.05, spent


def test_a_damaged_bundle_hides_no_other(api: Api, published: str) -> None:
    with api.control.registry._database._transaction() as connection:
        connection.exec_driver_sql(f"UPDATE glassworks_versions SET bundle_sha256 = '{'0' * 64}' WHERE version = 2")
    newest, first = api.get(f"/models/{published}/versions")["items"]
    assert "is missing" in newest["problem"]
    assert (first["problem"], first["task"]) == ("", "image-classification")
    assert "is missing" in api.get("/models")["items"][0]["problem"]


def test_two_versions_in_service_answer_the_same_requests(api: Api, deployed: str) -> None:
    found = api.get(f"/models/{deployed}/compare?a=1&b=2")
    assert found["examples_from"] == "bundles"
    path = f"/deployments/{deployed}"
    api.put(path, {"shares": {"1": 50, "2": 50}}, headers=api.etag(path))
    found = api.get(f"/models/{deployed}/compare?a=champion&b=2")
    assert (found["examples_from"], found["same_data"], found["keys"]) == ("service", True, [])
    assert all(each["agree"] for each in found["examples"])
    assert found["examples"][0]["a"]["headline"]
    (accuracy,) = [each for each in found["metrics"] if each["name"] == "accuracy"]
    assert (accuracy["difference"], accuracy["overlap"], accuracy["better"]) == (0.0, True, "")
    statistics = api.get("/statistics")["models"][0]
    assert statistics["requests"] == 0


def _classes(label: str, probability: float, **more: Any) -> dict[str, Any]:
    return {"label": label, "probability": probability, "top": [[label, probability]], **more}


@pytest.mark.parametrize(
    ("task", "one", "other", "agree"),
    [
        ("image-classification", _classes("cat", 0.9), _classes("cat", 0.6), True),
        ("image-classification", _classes("cat", 0.6), _classes("dog", 0.6), False),
        (
            "image-classification",
            _classes("cat", 0.9, labels=[["cat", 0.9], ["pet", 0.8]]),
            _classes("pet", 0.9, labels=[["pet", 0.9], ["cat", 0.7]]),
            True,
        ),
        (
            "image-classification",
            _classes("cat", 0.9, labels=[["cat", 0.9]]),
            _classes("cat", 0.9, labels=[["cat", 0.9], ["pet", 0.8]]),
            False,
        ),
        ("recommendation", _items("a", "b"), _items("a", "b", score=0.1), True),
        ("recommendation", _items("a", "b"), _items("a", "c"), False),
        ("text-generation", {"generated": "Hello", "finish_reason": "stop"}, {"generated": "Hello"}, True),
        ("text-generation", {"generated": "Hello"}, {"generated": "Hello there"}, False),
        ("text-embedding", {"embedding": [0.5, 0.5]}, {"embedding": [0.4, 0.6]}, None),
    ],
)
def test_answers_are_compared_without_how_sure_they_are(
    task: str, one: dict[str, Any], other: dict[str, Any], agree: bool | None
) -> None:
    answers = answer_of(task, one), answer_of(task, other)
    assert agreement(*answers) is agree
    known = [None if "labels" in each else each.get("probability") for each in (one, other)]
    assert [each.probability for each in answers] == known


def test_a_difference_is_better_only_beyond_chance() -> None:
    worse, better = _measured(0.5, 0.02), _measured(0.9, 0.02)
    found = _pair("accuracy", worse, better)
    assert (found.overlap, found.better) == (False, "b")
    assert found.interval is not None
    assert found.interval[0] < 0.4 < found.interval[1]
    assert _pair("accuracy", better, worse).better == "a"
    assert _pair("accuracy", _measured(0.5, 0.2), _measured(0.6, 0.2)).better == ""
    loss = _measured(0.5, 0.02, higher_is_better=False), _measured(0.9, 0.02, higher_is_better=False)
    assert _pair("loss", *loss).better == "a"
    assert _pair("f1", None, better).difference is None


def _measured(value: float, half: float, **more: Any) -> Measurement:
    return Measurement(value=value, interval=(value - half, value + half), examples=100, **more)


def test_an_alias_is_set_where_it_is_as_it_was_read(api: Api, published: str) -> None:
    path = f"/models/{published}/aliases/candidate"
    model = api.etag(f"/models/{published}")
    api.as_role("viewer").put(path, {"version": 1}, headers=model, status=403)
    api.as_role("operator").put(path, {"version": 1}, status=428)
    assert api.put(path, {"version": 1}, headers=model)["version"] == 1
    api.put(path, {"version": 2}, headers=model, status=412)
    read = api.etag(path)
    api.put(path, {"version": 2}, headers=read)
    assert "was changed" in api.put(path, {"version": 1}, headers=read, status=412)["detail"]
    assert api.get(f"/models/{published}")["aliases"] == {"candidate": 2}
    api.delete(path, status=428)
    api.delete(path, headers=api.etag(path))
    api.get(path, status=404)
    api.delete(path, headers={"If-Match": "*"}, status=404)


def test_an_alias_that_was_removed_does_not_come_back_with_the_database(api: Api, published: str) -> None:
    from glassworks.registry import Registry

    api.control.registry.set_alias(published, 1, "candidate")
    api.control.registry.remove_alias(published, "candidate")
    (api.control.home / "registry.db").unlink()
    again = Registry.open({"GLASSWORKS_HOME": str(api.control.home)})
    assert [each.aliases for each in again.versions(published)] == [(), ()]


def test_the_champion_of_a_served_model_answers_at_once(api: Api, deployed: str) -> None:
    path = f"/models/{deployed}/aliases/champion"
    api.put(path, {"version": 2}, headers=api.etag(path))
    assert api.control.serving.dispatcher.models.model(deployed).version == "2"
    assert api.get(f"/deployments/{deployed}")["history"][0]["what"] == "changed"
    api.delete(path, headers=api.etag(path), status=409)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/models/nobody", 404),
        ("/models/..%2f..%2fetc", 404),
        ("/models/%2e%2e", 400),
        ("/models/{name}/versions/99", 404),
        ("/models/{name}/versions/1%2f..", 404),
        ("/models/{name}/versions/1@2", 400),
        ("/models/{name}/versions/999999999999999999999", 400),
        ("/models/{name}/versions?after=1e9", 400),
        ("/models/{name}/versions?after=99999999999999999999", 400),
        ("/models/{name}/versions?limit=201", 400),
        ("/models/{name}/compare?a=1", 400),
        ("/models/{name}/compare?a=1&b=9", 404),
        ("/models/{name}/compare?a=1&b=..", 400),
        ("/models/{name}/aliases/1", 400),
        ("/models/{name}/aliases/nobody", 404),
    ],
)
def test_what_is_not_there_is_said(api: Api, published: str, path: str, status: int) -> None:
    assert api.client.get("/api/v1" + path.format(name=published)).status_code == status


@pytest.mark.parametrize("body", [{"version": 0}, {"version": 10**12}, {"version": "x"}, {"version": None}, {}, []])
def test_an_alias_needs_a_version(api: Api, published: str, body: Any) -> None:
    path = f"/models/{published}/aliases/candidate"
    api.put(path, body, headers={"If-Match": "*"}, status=400)
    api.put(path, {"version": 9}, headers={"If-Match": "*"}, status=404)
    api.put(f"/models/{published}/aliases/UPPER", {"version": 1}, headers={"If-Match": "*"}, status=400)


def test_a_version_that_fell_on_a_gate_is_refused_unless_forced(
    api: Api, deployed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLASSWORKS_HOME", str(api.control.home))  # where runs find the model
    gates = Gates(api.control.registry)
    gate = gates.set(Gate(model=deployed, gate="capitals", asked={"source": "csv:x.csv"}, metric="accuracy"))
    path = f"/models/{deployed}/aliases/champion"
    said = api.put(path, {"version": 2}, headers=api.etag(path), status=409)
    runs = [run for run in api.control.runs.list() if run.kind == "evaluate"]
    assert {run.about: run.request["gate"] for run in runs} == {f"{deployed}@{number}": "capitals" for number in (1, 2)}
    assert all(run.id in said["mend"] for run in runs)
    api.put(path, {"version": 2}, headers=api.etag(path), status=409)
    assert len(api.control.runs.list()) == len(runs), "nothing is measured twice"
    for version, hits in ((1, 40), (2, 10)):
        scores = ExampleScores(values=np.repeat([1.0, 0], [hits, 50 - hits]))
        metric = Measurement(value=hits / 50, interval=(0, 1), examples=50)
        found = Evaluation(50, {"accuracy": metric}, scores={"accuracy": scores}, fingerprint="same")
        gates.keep(gate, version, found)
    assert "fell on 'capitals'" in api.put(path, {"version": 2}, headers=api.etag(path), status=409)["detail"]
    wanted = {"champion": 2}
    deployment = f"/deployments/{deployed}"
    assert "fell" in api.put(deployment, wanted, headers=api.etag(deployment), status=409)["detail"]
    assert api.get(path)["version"] == 1
    api.put(path, {"version": 2, "force": True}, headers=api.etag(path))
    assert api.get(deployment)["history"][0]["what"] == "forced"
    assert [each.version for each in gates.forced(deployed)] == [2]
