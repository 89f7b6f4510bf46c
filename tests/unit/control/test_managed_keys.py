"""Keys and usage over the control API."""

from __future__ import annotations

import csv
import dataclasses
import io
from typing import Any

import pytest
from tests.unit.control.conftest import Api

from glassworks.serving.access.clock import Clock
from glassworks.serving.access.gate import Gate
from glassworks.serving.access.keys import KeyStore
from glassworks.serving.access.ledger import Ledger, Usage
from glassworks.serving.access.sessions import Sessions

LIMITS = {
    "requests_per_s": 2.5,
    "requests_per_day": 10,
    "rows_per_day": 20,
    "tokens_per_day": 30,
    "concurrent_streams": 4,
    "max_context": 5,
}


def test_a_key_is_shown_once_with_all_that_limits_it(api: Api) -> None:
    body = {"name": "shop", "models": ["digits"], "roles": ["infer", "viewer"], "expires_in": "30d", **LIMITS}
    made = api.post("/keys", body, status=201)
    assert made["secret"].startswith(f"gw_{made['key']['id']}_")
    assert {name: made["key"][name] for name in LIMITS} == LIMITS
    assert (made["key"]["roles"], made["key"]["state"]) == (["viewer", "infer"], "valid")
    listed = api.client.get("/api/v1/keys").text
    assert made["secret"] not in listed
    assert made["secret"][12:] not in listed
    assert KeyStore(api.control.home, Clock()).find(made["secret"].encode()) is not None


def test_keys_are_listed_in_pages_and_revoked(api: Api) -> None:
    made = [api.post("/keys", {"name": f"key-{number}x"}, status=201)["key"]["id"] for number in range(3)]
    first = api.get("/keys?limit=2")
    second = api.get(f"/keys?limit=2&after={first['next']}")
    assert sorted(each["id"] for page in (first, second) for each in page["items"]) == sorted(made)
    assert api.delete(f"/keys/{made[0]}", status=200)["state"] == "revoked"
    assert api.delete(f"/keys/{made[0]}", status=200)["state"] == "revoked"
    assert len(api.get("/keys?state=valid")["items"]) == 2
    api.delete("/keys/nobody", status=404)
    api.get("/keys?after=nobody", status=400)


@pytest.mark.parametrize(
    "body",
    [
        {"name": "anonymous"},
        {"name": "Upper"},
        {"name": "0a1b2c3d"},
        {"name": "../x"},
        {"name": ""},
        {"name": "a", "roles": []},
        {"name": "a", "roles": ["root"]},
        {"name": "a", "models": ["../x"]},
        {"name": "a", "expires_in": "soon"},
        {"name": "a", "expires_in": -5},
        {"name": "a", "expires_in": 1e300},
        {"name": "a", "requests_per_s": 0},
        {"name": "a", "requests_per_s": "NaN"},
        {"name": "a", "requests_per_s": 1e10},
        {"name": "a", "rows_per_day": 2**63},
        {"name": "a", "rows_per_day": 1.5},
        {"name": "a", "rows_per_day": True},
    ],
)
def test_keys_that_make_no_sense(api: Api, body: dict[str, Any]) -> None:
    api.post("/keys", body, status=400)
    assert api.get("/keys")["items"] == []


def test_a_secret_that_is_sent_as_a_name_is_not_sent_back(api: Api) -> None:
    made = api.post("/keys", {"name": "shop"}, status=201)
    response = api.client.post("/api/v1/keys", json={"name": made["secret"]})
    assert response.status_code == 400
    assert made["secret"] not in response.text
    response = api.client.delete(f"/api/v1/keys/{made['secret']}")
    assert made["secret"] not in response.text


def test_a_name_is_taken_once(api: Api) -> None:
    api.post("/keys", {"name": "shop"}, status=201)
    assert "already" in api.post("/keys", {"name": "shop"}, status=400)["detail"]


def test_only_an_admin_sees_keys(api: Api) -> None:
    for role in ("infer", "viewer", "operator"):
        asked = api.as_role(role)
        asked.get("/keys", status=403)
        asked.post("/keys", {"name": "a"}, status=403)
        asked.delete("/keys/a", status=403)


def test_the_last_admin_cannot_lock_everybody_out(api: Api) -> None:
    guarded(api)
    first = api.post("/keys", {"name": "first", "roles": ["admin"]}, status=201)["key"]["id"]
    for name in (first, "first"):
        assert "only key" in api.delete(f"/keys/{name}", status=409)["detail"]
    api.post("/keys", {"name": "second", "roles": ["admin"]}, status=201)
    api.delete(f"/keys/{first}", status=200)


def guarded(api: Api) -> None:
    """Let callers need keys."""
    home, clock = api.control.home, Clock()
    gate = Gate(KeyStore(home, clock), Ledger(home, clock), clock, required=True)
    context = dataclasses.replace(api.control.serving, sessions=Sessions(home, gate, clock))
    object.__setattr__(api.control, "serving", context)


@pytest.fixture
def used(api: Api) -> dict[str, str]:
    """Two keys that have used something on two days."""
    store, wall = KeyStore(api.control.home, Clock()), [86_400.0 * 20_000]
    ids = {name: store.create(name)[0].id for name in ("shop", "lab")}
    ledger = Ledger(api.control.home, Clock(wall=lambda: wall[0], monotonic=lambda: wall[0]))
    for number, day in enumerate((20_000, 20_001)):
        wall[0] = 86_400.0 * day
        ledger.record([Usage(ids["shop"], "digits", "1", rows=3 + number), Usage(ids["lab"], "=cmd()", "2", ok=False)])
    ledger.close()
    return ids


def test_usage_is_added_up_by_what_is_asked_for(api: Api, used: dict[str, str]) -> None:
    found = api.get("/usage")["items"]
    assert len(found) == 4
    assert {each["name"] for each in found} == {"shop", "lab"}
    (one,) = api.get("/usage?by=")["items"]
    assert (one["requests"], one["errors"], one["rows"], one["day"]) == (4, 2, 9, None)
    by_key = {each["name"]: each["rows"] for each in api.get("/usage?by=key")["items"]}
    assert by_key == {"shop": 7, "lab": 2}
    assert len(api.get("/usage?from=2024-10-05&by=day")["items"]) == 1
    assert api.get("/usage?to=2024-10-03")["items"] == []
    for wrong in ("by=color", "from=yesterday", "to=2024-13-01", "format=xml"):
        api.get(f"/usage?{wrong}", status=400)


def test_a_viewer_sees_what_its_own_key_has_used(api: Api, used: dict[str, str]) -> None:
    api.as_role("viewer")
    assert api.get("/usage")["items"] == []
    api.caller = dataclasses.replace(api.caller, key_id=used["shop"])
    assert {each["key_id"] for each in api.get("/usage")["items"]} == {used["shop"]}


def test_a_table_opens_in_a_spreadsheet_and_computes_nothing(api: Api, used: dict[str, str]) -> None:
    response = api.client.get("/api/v1/usage?format=csv&by=model,day")
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.content.startswith(b"\xef\xbb\xbfmodel,day,requests")
    rows = list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))
    assert {row["model"] for row in rows} == {"'=cmd()", "digits"}
    assert sum(int(row["rows"]) for row in rows) == 9


def test_without_keys_nothing_is_counted_and_that_is_said(api: Api) -> None:
    assert api.get("/usage") == {"items": [], "counted": False}
