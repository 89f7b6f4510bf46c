"""Deployments over the control API: what is asked for takes effect, or nothing changes and the reason is said."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.unit.control.conftest import Api

from glassworks.packaging.bundle import Bundle, write_bundle
from glassworks.registry import Registry
from glassworks.registry.deployments import Deployments
from glassworks.serving.core.models import Models
from glassworks.serving.core.repository import Repository
from glassworks.serving.core.traffic import Traffic
from glassworks.serving.deploying import loaded_before, restore


def put(api: Api, name: str, body: Any, **more: Any) -> Any:
    path = f"/deployments/{name}"
    return api.put(path, body, headers=api.etag(path), **more)


def answering(api: Api, name: str) -> str:
    return api.control.serving.dispatcher.models.model(name).version


def test_a_split_takes_effect_at_once_and_is_kept(api: Api, deployed: str) -> None:
    found = put(api.as_role("operator"), deployed, {"shares": {"1": 90, "2": 10}, "shadow": 2})
    assert (found["champion"], found["shares"], found["shadow"]) == (1, {"1": 90.0, "2": 10.0}, 2)
    models = api.control.serving.dispatcher.models
    assert models.traffic(deployed) == Traffic(shares={"1": 90.0, "2": 10.0}, shadow="2")
    assert sorted(models.versions(deployed)) == ["1", "2"]
    assert [(each["what"], each["who"]) for each in found["history"]] == [("changed", "operator"), ("loaded", "")]
    assert put(api, deployed, {"shares": {"1": 90, "2": 10}, "shadow": 2})["revision"] == found["revision"]


def test_a_champion_is_an_alias_of_the_registry_and_the_old_one_goes(api: Api, deployed: str) -> None:
    put(api, deployed, {"champion": 2})
    assert api.control.registry.find(f"{deployed}@champion").version == 2
    assert answering(api, deployed) == "2"
    assert api.control.serving.dispatcher.models.versions(deployed) == ("2",)
    assert api.control.serving.dispatcher.models.traffic(deployed) is None


def test_the_second_of_two_browsers_is_told_who_was_first(api: Api, deployed: str) -> None:
    read = api.etag(f"/deployments/{deployed}")
    api.as_role("operator").put(f"/deployments/{deployed}", {"champion": 2}, headers=read)
    problem = api.as_role("admin").put(f"/deployments/{deployed}", {"shares": {"1": 100}}, headers=read, status=412)
    assert "was changed by 'operator' at 20" in problem["detail"]
    assert "(revision 2)" in problem["detail"]
    assert answering(api, deployed) == "2"
    api.put(f"/deployments/{deployed}", {"champion": 1}, status=428)
    api.post(f"/deployments/{deployed}/rollback", status=428)


def test_of_two_changes_at_the_same_time_one_is_refused(api: Api, deployed: str, monkeypatch: Any) -> None:
    """Both have read the same state; the second finds its revision taken."""
    deployments = api.control.deployments
    append = deployments.append

    def slower(revisions: Any) -> bool:
        monkeypatch.setattr(deployments, "append", append)
        append([each.model_copy(update={"who": "otto"}) for each in revisions])
        return append(revisions)

    monkeypatch.setattr(deployments, "append", slower)
    problem = put(api, deployed, {"shares": {"2": 100}}, status=412)
    assert "by 'otto'" in problem["detail"]
    assert api.control.serving.dispatcher.models.versions(deployed) == ("1",)
    assert answering(api, deployed) == "1"


def test_rolling_back_restores_all_and_goes_further_each_time(api: Api, deployed: str) -> None:
    path = f"/deployments/{deployed}"
    put(api, deployed, {"shares": {"1": 50, "2": 50}})
    put(api, deployed, {"champion": 2, "shadow": 1})
    for shares, champion, shadow in (({"1": 50.0, "2": 50.0}, 1, None), ({"1": 100.0}, 1, None)):
        found = api.post(f"{path}/rollback", headers=api.etag(path))
        assert (found["shares"], found["champion"], found["shadow"]) == (shares, champion, shadow)
        assert found["history"][0]["what"] == "rolled back"
    assert "nothing is before" in api.post(f"{path}/rollback", headers=api.etag(path), status=409)["detail"]
    found = api.post(f"{path}/rollback", {"revision": 3}, headers=api.etag(path))
    assert (found["champion"], found["shadow"]) == (2, 1)
    api.post(f"{path}/rollback", {"revision": 99}, headers=api.etag(path), status=404)


def test_without_any_change_nothing_is_before(api: Api, deployed: str) -> None:
    path = f"/deployments/{deployed}"
    assert "nothing is before" in api.post(f"{path}/rollback", headers=api.etag(path), status=409)["detail"]


def test_an_alias_that_the_command_line_moves_is_seen_and_can_be_rolled_back(api: Api, deployed: str) -> None:
    path = f"/deployments/{deployed}"
    put(api, deployed, {"shares": {"1": 50, "2": 50}})
    read = api.etag(path)
    api.control.registry.set_alias(deployed, 2, "champion")
    found = api.get(path)
    assert (found["champion"], found["changed_elsewhere"]) == (2, True)
    assert "by another program" in api.put(path, {"champion": 1}, headers=read, status=412)["detail"]
    found = api.post(f"{path}/rollback", headers=api.etag(path))
    assert (found["champion"], [each["what"] for each in found["history"][:2]]) == (1, ["rolled back", "found"])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"shares": {"1": 60, "2": 60}}, 400),
        ({"shares": {"1": -10, "2": 110}}, 400),
        ({"shares": {"1": 0}}, 400),
        ({"shares": {"1": "NaN", "2": 100}}, 400),
        ({"shares": {"1": 1e308}}, 400),
        ({"shares": {"champion": 50, "1": 50}}, 400),
        ({"shares": {"7": 100}}, 404),
        ({"shares": {"nobody": 100}}, 404),
        ({"shares": {"../1": 100}}, 400),
        ({"shares": {"1@2": 100}}, 400),
        ({"champion": 0}, 400),
        ({"champion": 10**30}, 400),
        ({"champion": True}, 400),
        ({"shadow": "x" * 100}, 400),
        ({"shares": {str(number): 1 for number in range(100)}}, 400),
        ([], 400),
    ],
)
def test_what_makes_no_sense_changes_nothing(api: Api, deployed: str, body: Any, status: int) -> None:
    put(api, deployed, body, status=status)
    assert answering(api, deployed) == "1"
    assert [each["what"] for each in api.get(f"/deployments/{deployed}")["history"]] == ["loaded"]


@pytest.mark.parametrize("name", ["..", "%2e%2e", "a%2f..%2fb", "nobody", "A", "x" * 200, "%00"])
def test_names_that_are_none(api: Api, deployed: str, name: str) -> None:
    assert api.client.get(f"/api/v1/deployments/{name}").status_code in (400, 404)
    headers = {"If-Match": "*"}
    assert api.client.put(f"/api/v1/deployments/{name}", json={"champion": 1}, headers=headers).status_code in (
        400,
        404,
        405,
    )


def test_a_version_that_cannot_be_opened_changes_nothing(
    api: Api, deployed: str, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    shutil.copytree(tiny_bundle.folder, tmp_path / "lie")
    (tmp_path / "lie" / "manifest.json").unlink()
    manifest = tiny_bundle.manifest.model_copy(update={"labels": tiny_bundle.manifest.labels[:1]})
    api.control.registry.publish(write_bundle(tmp_path / "lie", manifest))
    for body in ({"champion": 3}, {"shares": {"1": 50, "3": 50}}, {"shadow": 3}):
        assert "is not what its manifest says" in put(api, deployed, {**body, "force": True}, status=500)["detail"]
    assert api.control.registry.find(f"{deployed}@champion").version == 1
    assert api.control.serving.dispatcher.models.versions(deployed) == ("1",)
    assert api.control.serving.dispatcher.models.traffic(deployed) is None


def test_a_registry_that_cannot_be_written_changes_nothing(api: Api, deployed: str, monkeypatch: Any) -> None:
    from glassworks.errors import StorageError

    def full(*arguments: object) -> None:
        raise StorageError("the disk is full", "free some space")

    monkeypatch.setattr(Registry, "set_alias", full)
    assert put(api, deployed, {"champion": 2}, status=507)["detail"] == "the disk is full"
    found = api.get(f"/deployments/{deployed}")
    assert (answering(api, deployed), found["revision"], found["champion"]) == ("1", 1, 1)


def test_a_model_is_unloaded_and_loaded_again(api: Api, deployed: str) -> None:
    put(api, deployed, {"shares": {"1": 50, "2": 50}})
    found = api.delete(f"/deployments/{deployed}", status=200)
    assert (found["served"], found["shares"], found["changed_elsewhere"]) == ([], {}, False)
    api.delete(f"/deployments/{deployed}", status=404)
    assert loaded_before(api.control.registry, api.control.deployments) == []
    found = api.post("/deployments", {"reference": f"{deployed}@2"}, status=201)
    assert found["shares"] == {"2": 100.0}
    assert loaded_before(api.control.registry, api.control.deployments) == [deployed]
    for reference, status in (("nobody", 404), ("/etc/passwd", 400), ("../x", 400), (f"{deployed}@9", 404)):
        api.post("/deployments", {"reference": reference}, status=status)


def test_a_rollback_brings_back_what_was_unloaded(api: Api, deployed: str) -> None:
    path = f"/deployments/{deployed}"
    put(api, deployed, {"shares": {"1": 50, "2": 50}})
    api.delete(path, status=200)
    assert api.post(f"{path}/rollback", headers=api.etag(path))["shares"] == {"1": 50.0, "2": 50.0}


def test_a_viewer_looks_and_changes_nothing(api: Api, deployed: str) -> None:
    path = f"/deployments/{deployed}"
    api.as_role("viewer")
    assert [each["model"] for each in api.get("/deployments")["items"]] == [deployed]
    api.put(path, {"champion": 2}, headers=api.etag(path), status=403)
    api.post(f"{path}/rollback", headers=api.etag(path), status=403)
    api.post("/deployments", {"reference": deployed}, status=403)
    api.delete(path, status=403)
    api.as_role("infer").get("/deployments", status=403)


def test_a_new_version_of_a_served_model_switches_nothing(api: Api, deployed: str, tiny_bundle: Bundle) -> None:
    put(api, deployed, {"shares": {"1": 100}})
    api.control.registry.publish(tiny_bundle)
    asyncio.run(api.control.serving.repository.follow_once())  # type: ignore[union-attr]
    found = api.get(f"/deployments/{deployed}")
    assert (found["shares"], found["champion"], found["changed_elsewhere"]) == ({"1": 100.0}, 1, False)


class Restarted:
    """A service on the same registry."""

    def __init__(self, registry: Registry, directed: set[str]) -> None:
        self.models, deployments = Models(), Deployments(registry)
        self.repository = Repository(self.models, registry)
        self.repository.open(loaded_before(registry, deployments))
        restore(self.repository, self.models, deployments, directed)


def test_after_a_restart_it_is_as_it_was_unless_the_command_line_says_otherwise(api: Api, deployed: str) -> None:
    put(api, deployed, {"shares": {"1": 90, "2": 10}, "shadow": 2})
    again = Restarted(api.control.registry, set())
    assert again.models.traffic(deployed) == Traffic(shares={"1": 90.0, "2": 10.0}, shadow="2")
    assert sorted(again.models.versions(deployed)) == ["1", "2"]
    again.models.close()
    other = Restarted(api.control.registry, {deployed})
    assert other.models.traffic(deployed) is None
    other.models.close()


def test_a_deployment_that_cannot_be_had_any_more_is_reported_and_the_champion_serves(api: Api, deployed: str) -> None:
    put(api, deployed, {"shares": {"1": 90, "2": 10}})
    with api.control.registry._database._transaction() as connection:
        connection.exec_driver_sql("DELETE FROM glassworks_versions WHERE version = 2")
    again = Restarted(api.control.registry, set())
    assert again.models.model(deployed).version == "1"
    assert again.models.traffic(deployed) is None
    assert "has no version 2" in again.models.supervisor.troubles["deployments"].lasting
    again.models.close()
    path = f"/deployments/{deployed}"
    put(api, deployed, {"shares": {"1": 100}})
    assert "cannot be restored" in api.post(f"{path}/rollback", headers=api.etag(path), status=409)["detail"]


def publish_unlike(api: Api, bundle: Bundle, folder: Path, **other: Any) -> None:
    """A further version whose manifest says something else."""
    shutil.copytree(bundle.folder, folder)
    (folder / "manifest.json").unlink()
    api.control.registry.publish(write_bundle(folder, bundle.manifest.model_copy(update=other)))


def resized(bundle: Bundle, side: int) -> Any:
    """The signature of a bundle for pictures of another size."""
    [first] = bundle.manifest.signature.inputs
    shape = tuple(each if each == -1 or at < 2 else side for at, each in enumerate(first.shape))
    return bundle.manifest.signature.model_copy(update={"inputs": (first.model_copy(update={"shape": shape}),)})


@pytest.mark.parametrize("body", [{"shares": {"1": 50, "3": 50}}, {"shares": {"1": 100}, "shadow": 3}])
def test_versions_that_take_other_inputs_share_no_requests(
    api: Api, deployed: str, tiny_bundle: Bundle, tmp_path: Path, body: Any
) -> None:
    publish_unlike(api, tiny_bundle, tmp_path / "wide", signature=resized(tiny_bundle, 28))
    shape = "x".join(str(each) for each in tiny_bundle.manifest.signature.inputs[0].shape[2:])
    problem = put(api, deployed, body, status=409)
    assert f"{shape} against" in problem["detail"].replace("-1x1x", "").replace("1x1x", "")
    assert "28x28" in problem["detail"]
    assert "another name" in problem["mend"]
    assert api.get(f"/deployments/{deployed}")["shares"] == {"1": 100.0}


def test_versions_that_answer_with_other_labels_share_no_requests_unless_forced(
    api: Api, deployed: str, tiny_bundle: Bundle, tmp_path: Path
) -> None:
    labels = tuple(f"other {each}" for each in tiny_bundle.manifest.labels)
    publish_unlike(api, tiny_bundle, tmp_path / "labels", labels=labels)
    body = {"shares": {"1": 50, "3": 50}}
    assert "labels" in put(api, deployed, body, status=409)["detail"]
    assert put(api, deployed, {"shares": {"3": 100}})["shares"] == {"3": 100.0}  # alone it answers all
    assert put(api, deployed, {**body, "force": True})["shares"] == {"1": 50.0, "3": 50.0}
