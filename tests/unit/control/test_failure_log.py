"""The log of failures over the control API."""

from __future__ import annotations

from tests.unit.control.conftest import Api

from glassworks.errors import InputError, ServingError
from glassworks.serving.observability.failures import Failures
from glassworks.serving.transports.http.exchange import Answer, Exchange, failure, refusal

SECRET = b"gw_0a1b2c3d_" + b"x" * 43


def failed(failures: Failures, target: bytes = b"/v2/models/digits/infer", **answer: Answer) -> None:
    exchange = Exchange("POST", target, {b"x-api-key": SECRET}, b"")
    exchange.parameters, exchange.request_id = {"model": "digits"}, b"r-1"
    failures.answered(exchange, answer.get("answer") or failure(InputError("it is wrong", "mend it"), target))


def test_what_failed_is_listed_the_newest_first(api: Api) -> None:
    failures = api.control.serving.failures
    assert api.as_role("viewer").get("/logs") == {"items": [], "next": None}
    for _ in range(4):
        failed(failures)
    failures.troubled("access log", "it cannot be written")
    first = api.get("/logs?limit=2")
    assert (first["items"][0]["part"], first["items"][0]["status"]) == ("access log", None)
    second = api.get(f"/logs?limit=3&after={first['next']}")
    assert second["next"] is None
    numbers = [each["number"] for page in (first, second) for each in page["items"]]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == 5
    found = second["items"][0]
    assert (found["status"], found["method"], found["model"], found["request_id"]) == (400, "POST", "digits", "r-1")
    assert (found["problem"], found["mend"]) == ("it is wrong", "mend it")
    api.get("/logs?after=-1", status=400)
    api.get("/logs?after=1e400", status=400)
    api.as_role("infer").get("/logs", status=403)


def test_each_protocols_errors_are_understood_and_no_secret_is_kept(api: Api) -> None:
    failures = api.control.serving.failures
    error = ServingError(f"broken by {SECRET.decode()}", "try again")
    for target in (b"/v1/chat/completions?key=" + SECRET, b"/api/v1/runs/" + SECRET, b"/v2/" + SECRET):
        failed(failures, target, answer=failure(error, target))
    failed(failures, answer=refusal("no such thing", 404))
    failed(failures, answer=Answer(b"\xff\xfe", 502, b"text/plain"))
    failed(failures, answer=Answer(b"", 500))
    failed(failures, answer=Answer(b"[1]", 500))
    items = api.get("/logs")["items"]
    assert len(items) == 7
    assert SECRET[12:].decode() not in str(items)
    assert all("broken by gw_0a1b2c3d_..." in each["problem"] for each in items[-3:])
    assert [each["mend"] for each in items[-3:]] == ["try again"] * 3
    assert items[0]["level"] == "error"


def test_only_the_last_thousand_are_kept(api: Api) -> None:
    failures = api.control.serving.failures
    for _ in range(1500):
        failures.troubled("x", "y")
    assert len(failures.since(0)) == 1000
    assert failures.since(0)[-1].number == failures.newest
