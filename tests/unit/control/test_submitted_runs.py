"""Runs over the control API."""

from __future__ import annotations

import pytest
from openapi_spec_validator import validate
from tests.unit.control.conftest import Api

from glassworks.runs.queue import Queue, Report

JOB = {"job": {"name": "digits", "family": "convnet", "data": {"source": "sample:digits"}}}


def submitted(api: Api, **more: object) -> dict[str, object]:
    found: dict[str, object] = api.post("/runs", {"kind": "train", "request": JOB, **more}, status=201)
    return found


def test_a_run_is_submitted_listed_cancelled_and_gone_on_with(api: Api) -> None:
    run = submitted(api)
    assert (run["state"], run["about"]) == ("queued", "digits")
    assert [each["id"] for each in api.get("/runs")["items"]] == [run["id"]]
    assert api.get(f"/runs/{str(run['id'])[:6]}")["id"] == run["id"]
    assert api.post(f"/runs/{run['id']}/cancel")["state"] == "cancelled"
    assert "is cancelled" in api.post(f"/runs/{run['id']}/cancel", status=409)["detail"]
    assert api.get("/runs?state=queued")["items"] == []
    assert api.post(f"/runs/{run['id']}/resume")["state"] == "queued"


def test_the_training_of_a_run_is_good_enough(api: Api) -> None:
    run = str(submitted(api)["id"])
    assert "is not training" in api.post(f"/runs/{run}/finish", status=409)["detail"]
    queue = Queue(api.control.runs, "w")
    queue.claim()
    queue.report(run, Report(stage="train", stages=1))
    assert api.post(f"/runs/{run}/finish")["request"]["finish"]
    assert queue.report(run, Report(stage="train", stages=1)).finish


def test_the_same_key_gives_the_same_run(api: Api) -> None:
    body, key = {"kind": "train", "request": JOB}, {"Idempotency-Key": "a"}
    first = api.post("/runs", body, status=201, headers=key)
    assert api.post("/runs", body, status=200, headers=key)["id"] == first["id"]
    other = {"kind": "train", "request": {"job": {**JOB["job"], "name": "other"}}}
    assert "asks for something else" in api.post("/runs", other, status=400, headers=key)["detail"]


def test_pages_follow_each_other(api: Api) -> None:
    made = [submitted(api)["id"] for _ in range(5)]
    first = api.get("/runs?limit=2")
    second = api.get(f"/runs?limit=2&after={first['next']}")
    last = api.get(f"/runs?limit=2&after={second['next']}")
    assert [run["id"] for page in (first, second, last) for run in page["items"]] == made[::-1]
    assert last["next"] is None


@pytest.mark.parametrize(
    "source", ["folder:/etc", "csv:data.csv", "hf:/etc", "hf:../x", "jsonl:~/a.jsonl", "parquet:C:\\a"]
)
def test_files_of_the_machine_cannot_be_named(source: str, api: Api) -> None:
    job = {"name": "a", "family": "convnet", "data": {"source": source}}
    problem = api.post("/runs", {"kind": "train", "request": {"job": job}}, status=403)
    assert "names a file of the service's machine" in problem["detail"]
    assert api.get("/runs")["items"] == []


@pytest.mark.parametrize("request_", [{"model": "/etc/passwd"}, {"model": "x.glass"}, {"model": "..\\x"}])
def test_nor_bundles_by_their_paths(request_: dict[str, str], api: Api) -> None:
    api.post("/runs", {"kind": "evaluate", "request": request_}, status=403)


@pytest.mark.parametrize(
    ("family", "key", "value"),
    [
        ("recurrent_text", "vectors", "file:src/../../../etc/passwd"),
        ("recurrent_text", "vectors", "file:vectors.bin"),
        ("language_model", "source", "gguf:a/../../model.gguf"),
        ("language_model", "source", "gguf:model.gguf"),
        ("language_model", "source", "hf:a/../../b"),
        ("convnet", "backbone", "LOCAL-DIR:somewhere"),
        ("convnet", "backbone", "local-\ndir:somewhere"),
        ("convnet", "backbone", " local-dir:somewhere"),
        ("convnet", "backbone", "/etc"),
        ("transformer_text", "backbone", "hf:./encoder"),
        ("transformer_text", "backbone", "Folder:encoder"),
    ],
)
def test_nor_files_by_the_keys_of_a_model(family: str, key: str, value: str, api: Api) -> None:
    job = {"name": "a", "family": family, "data": {"source": "sample:digits"}, "model": {key: value}}
    problem = api.post("/runs", {"kind": "train", "request": {"job": job}}, status=403)
    assert f"'{key}' names a file" in problem["detail"]


@pytest.mark.parametrize("value", ["resnet18", "hf-hub:timm/resnet18.a1_in1k", "resnet18.a1_in1k"])
def test_published_networks_may_be_named(value: str, api: Api) -> None:
    job = {**JOB["job"], "model": {"backbone": value}}
    api.post("/runs", {"kind": "train", "request": {"job": job}}, status=201)


@pytest.mark.parametrize("teacher", ["..", "~root", "./x"])
def test_a_teacher_is_of_the_registry(teacher: str, api: Api) -> None:
    job = {**JOB["job"], "training": {"teacher": teacher}}
    api.post("/runs", {"kind": "train", "request": {"job": job}}, status=403)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('"\\ud800"', "half of a character"),
        ('{"\\ud800": 1}', "half of a character"),
        ("NaN", "no number"),
        ("1e999", "no number"),
        ("[" * 500 + "]" * 500, "nested"),
        ("[" + "1," * 10_000 + "1]", "more than"),
    ],
)
def test_what_cannot_be_kept_is_refused(value: str, said: str, api: Api) -> None:
    for path, text in (
        ("/runs", f'{{"kind": "train", "request": {{"job": {value}}}}}'),
        ("/jobs/check", f'{{"job": {{"a": {value}}}}}'),
        ("/jobs/check", f'{{"toml": "a = 1", "changes": {{"a": {value}}}}}'),
    ):
        answer = api.client.post(f"/api/v1{path}", content=text, headers={"content-type": "application/json"})
        assert answer.status_code == 400
        assert said in answer.json()["detail"]


def test_what_a_run_is_about_is_one_line(api: Api) -> None:
    body = {"kind": "check", "request": {"data": {"source": "hf:a\nfake line\x1b[31m"}}}
    api.post("/runs", body, status=403)
    run = api.control.runs.submit("check", body["request"])  # type: ignore[arg-type]
    assert run.about == "hf:a\N{REPLACEMENT CHARACTER}fake line\N{REPLACEMENT CHARACTER}[31m"


def test_what_is_wrong_is_said_by_key(api: Api) -> None:
    problem = api.post("/runs", {"kind": 3}, status=400)
    assert {error["key"] for error in problem["errors"]} == {"kind", "request"}
    assert "there is no work 'dance'" in api.post("/runs", {"kind": "dance", "request": {}}, status=404)["detail"]
    job = {"name": "a", "family": "convnet", "data": {"source": "sample:digits"}, "trianing": {}}
    problem = api.post("/runs", {"kind": "train", "request": {"job": job}}, status=400)
    assert problem["mend"] == "did you mean 'training'?"
    api.get("/runs?state=sleeping", status=400)
    api.get("/runs?limit=0", status=400)
    api.get("/runs/zz", status=404)


def test_a_viewer_sees_and_an_operator_acts(api: Api) -> None:
    run = submitted(api)
    assert (
        "has not the role 'operator'" in api.as_role("viewer").post(f"/runs/{run['id']}/cancel", status=403)["detail"]
    )
    assert api.get("/runs")["items"]
    api.as_role("infer").get("/runs", status=403)
    api.as_role("operator").post(f"/runs/{run['id']}/cancel")
    api.as_role("admin").post(f"/runs/{run['id']}/resume")


def test_series_keep_their_extremes(api: Api) -> None:
    run = submitted(api)
    queue = Queue(api.control.runs, "w")
    assert queue.claim() is not None
    values = [(float(step), 1.0 if step != 700 else 99.0) for step in range(2000)]
    events = [(0.0, "values", {"stage": "train", "step": step, "loss": loss}) for step, loss in values]
    queue.report(str(run["id"]), Report(events=events))
    (found,) = api.get(f"/runs/{run['id']}/series?points=50")["series"]
    assert (found["stage"], found["name"], found["points"]) == ("train", "loss", 2000)
    assert len(found["step"]) <= 50
    assert max(found["value"]) == 99.0
    assert found["step"][found["value"].index(99.0)] == 700
    assert (found["step"][0], found["step"][-1]) == (0.0, 1999.0)


def test_the_document_is_openapi_and_says_how_errors_look(api: Api) -> None:
    document = api.get("/openapi.json")
    validate(document)
    assert document["openapi"].startswith("3.1")
    operations = [each for path in document["paths"].values() for each in path.values()]
    assert all("application/problem+json" in each["responses"]["default"]["content"] for each in operations)
    assert not [each for each in operations if "422" in each["responses"]]
    assert len({each["operationId"] for each in operations}) == len(operations)


def test_what_a_run_has_written_is_sent_and_nothing_else(api: Api) -> None:
    run, queue = submitted(api), Queue(api.control.runs, "w")
    api.get(f"/runs/{run['id']}/file", status=404)
    folder = api.control.home / "answers"
    folder.mkdir()
    (folder / "a.jsonl").write_text('{"answer": {}}\n')
    (api.control.home / "secret").write_text("x")
    for path, status in ((folder / "a.jsonl", 200), (api.control.home / "secret", 404), (folder / "../secret", 404)):
        run = submitted(api)
        claimed = queue.claim()
        while claimed is not None and claimed.id != run["id"]:
            claimed = queue.claim()
        queue.succeed(str(run["id"]), {"file": str(path)}, Report())
        response = api.client.get(f"/api/v1/runs/{run['id']}/file")
        assert response.status_code == status, path


@pytest.mark.parametrize("more", [{"output": "x"}, {"output": "../../x"}])
def test_where_to_write_cannot_be_said(more: dict[str, str], api: Api) -> None:
    api.post("/runs", {"kind": "predict", "request": {"model": "m", "data": "sample:digits", **more}}, status=403)


@pytest.mark.parametrize(
    ("content", "kind", "what"),
    [
        (b'{"kind": "train"', "application/json", "not valid JSON"),
        (b'{"kind": "train", "request": {}}', "text/plain", "sent as 'text/plain', not as JSON"),
        (b'{"kind": "train", "request": {}}', None, "not said to be JSON"),
    ],
)
def test_a_body_that_cannot_be_read_says_why(content: bytes, kind: str | None, what: str, api: Api) -> None:
    headers = {"content-type": kind} if kind else {}
    response = api.client.post("/api/v1/runs", content=content, headers=headers)
    assert response.status_code == 400
    assert what in response.json()["detail"]
    assert "JSON" in response.json()["mend"] or "application/json" in response.json()["mend"]


def test_a_key_written_wrongly_is_named_rather_than_the_missing_one(api: Api) -> None:
    job = {"nmae": "a", "family": "convnet", "data": {"source": "sample:digits"}}
    assert "did you mean 'name'" in api.post("/runs", {"kind": "train", "request": {"job": job}}, status=400)["mend"]


def test_an_idempotency_key_is_named_as_it_was_sent(api: Api) -> None:
    key = {"Idempotency-Key": "n1"}
    submitted_first = api.post("/runs", {"kind": "train", "request": JOB}, status=201, headers=key)
    other = {"kind": "train", "request": {"job": {**JOB["job"], "name": "other"}}}
    detail = api.post("/runs", other, status=400, headers=key)["detail"]
    assert "key 'n1' belongs to run" in detail
    assert submitted_first["id"] in detail
