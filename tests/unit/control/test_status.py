"""Everything is running, or what needs somebody."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
from tests.unit.control.conftest import Api
from tests.unit.control.test_managed_keys import guarded
from tests.unit.control.test_submitted_runs import submitted

from glassworks.packaging.bundle import Bundle, write_bundle
from glassworks.runs.presence import Presence
from glassworks.runs.queue import Queue, Report
from glassworks.serving.access.clock import Clock
from glassworks.serving.access.keys import KeyStore

Disk = namedtuple("Disk", "total used free")


@pytest.fixture(autouse=True)
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Disk(10**12, 0, 10**12))


def codes(api: Api) -> list[str]:
    found = api.get("/status")
    assert found["healthy"] == (not found["needs"])
    for need in found["needs"]:
        assert all(need[key] for key in ("subject", "problem", "mend"))
        assert need["link"].startswith("#/")
    return [need["code"] for need in found["needs"]]


def test_everything_is_running(api: Api, deployed: str) -> None:
    assert codes(api.as_role("viewer")) == []
    found = api.get("/status")
    assert found["serving"] == [{"model": deployed, "versions": ["1"]}]
    assert found["disk"]["free_bytes"] == 10**12
    api.as_role("infer").get("/status", status=403)


def test_runs_that_wait_need_a_worker(api: Api) -> None:
    run = submitted(api)
    assert codes(api) == ["no-worker"]
    assert api.get("/status")["runs"] == {"running": 0, "waiting": 1}
    assert api.get("/status")["needs"][0]["link"] == f"#/runs/{run['id']}"
    presence = Presence(api.control.home)
    presence.enter()
    assert codes(api) == []
    assert api.get("/status")["workers"]
    presence.close()


def test_a_failed_run_is_shown_until_it_is_made_good(api: Api) -> None:
    run = submitted(api)
    queue = Queue(api.control.runs, "w")
    assert queue.claim() is not None
    queue.fail(str(run["id"]), "the disk is full", "free some space", Report())
    assert codes(api) == ["run-failed"]
    (need,) = api.get("/status")["needs"]
    assert (need["problem"], need["mend"]) == ("the disk is full", "free some space")
    api.post(f"/runs/{run['id']}/resume")
    assert codes(api) == ["no-worker"]


def test_troubles_and_losses_are_said(api: Api) -> None:
    supervisor = api.control.serving.dispatcher.models.supervisor
    supervisor.suffers("usage ledger", "usage is not recorded")
    assert codes(api) == ["trouble"]
    supervisor.recovered("usage ledger")
    assert codes(api) == []
    supervisor.lost("usage ledger", 3)
    assert codes(api) == ["lost"]


def test_a_version_that_cannot_be_opened_is_named(api: Api, deployed: str, tiny_bundle: Bundle, tmp_path: Path) -> None:
    shutil.copytree(tiny_bundle.folder, tmp_path / "lie")
    (tmp_path / "lie" / "manifest.json").unlink()
    manifest = tiny_bundle.manifest.model_copy(update={"labels": tiny_bundle.manifest.labels[:1]})
    api.control.registry.publish(write_bundle(tmp_path / "lie", manifest))
    api.control.registry.set_alias(deployed, 3, "champion")
    repository = api.control.serving.repository
    assert repository is not None
    asyncio.run(repository.follow_once())
    assert codes(api) == ["version-not-opened"]
    assert api.get("/status")["needs"][0]["link"] == f"#/models/{deployed}"
    api.control.registry.set_alias(deployed, 1, "champion")
    asyncio.run(repository.follow_once())
    assert codes(api) == []


def test_a_disk_that_is_nearly_full(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Disk(10**12, 0, 10**9))
    assert codes(api) == ["disk-full"]


def test_keys_that_end_soon_are_shown_to_who_manages_them(api: Api) -> None:
    store = KeyStore(api.control.home, Clock())
    store.create("soon", expires_in_s=86_400.0)
    store.create("later", expires_in_s=86_400.0 * 30)
    revoked, _ = store.create("gone", expires_in_s=3600.0)
    store.revoke(revoked.id)
    assert codes(api) == ["key-expires"]
    assert codes(api.as_role("operator")) == []


def test_open_to_a_network_without_keys(api: Api) -> None:
    config = api.control.serving.config.model_copy(update={"host": "0.0.0.0"})
    object.__setattr__(api.control, "serving", dataclasses.replace(api.control.serving, config=config))
    assert codes(api) == ["open-to-all"]
    guarded(api)
    assert codes(api) == []


def test_many_errors_and_a_shadow_that_differs(api: Api, deployed: str) -> None:
    assert codes(api) == []
    statistics = api.control.serving.dispatcher.models.model(deployed).statistics
    for _ in range(90):
        statistics.answered(1, 0, 0, 1000, 0)
    for _ in range(3):
        statistics.failed("InputError", 1)
    assert codes(api) == []
    for _ in range(10):
        statistics.failed("ServingError", 1)
    statistics.shadow_compared, statistics.shadow_differed = 200, 50
    assert codes(api) == ["many-errors", "shadow-differs"]
    needs: Any = api.get("/status")["needs"]
    assert needs[0]["problem"].startswith("13 of 103 requests failed in the last minutes, most with ServingError")
