"""Data over the control API: sent in parts, listed, looked at, checked, taken away."""

from __future__ import annotations

import fcntl
import hashlib
import io
import shutil
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from openapi_spec_validator import validate
from PIL import Image
from tests.archives import picture, write_zip
from tests.unit.control.conftest import Api

from glassworks.control.resources import uploads
from glassworks.data.uploads import receiving
from glassworks.data.uploads.receiving import PART_BYTES
from glassworks.packaging.bundle import Bundle, write_bundle
from glassworks.runs.worker import Worker

TABLE = "text,label\n" + "".join(
    f"number {each * 7919} is what this text says,{'even' if each % 2 else 'odd'}\n" for each in range(60)
)


@pytest.fixture(autouse=True)
def home(api: Api, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The service and its data are those of one home, as they are where it is started."""
    monkeypatch.setenv("GLASSWORKS_HOME", str(api.control.home))
    return api.control.home


def send(api: Api, content: bytes, name: str, status: int = 201, **more: Any) -> Any:
    begun = api.post("/uploads", {"name": name, "size_bytes": len(content), **more}, status=201)
    put(api, begun["id"], 0, content)
    return api.post(f"/uploads/{begun['id']}/complete", status=status)


def put(api: Api, upload: str, offset: int, content: bytes, status: int = 200) -> Any:
    headers = {"content-type": "application/octet-stream"}
    response = api.client.put(f"/api/v1/uploads/{upload}?offset={offset}", content=content, headers=headers)
    assert response.status_code == status, response.text
    return response.json()


def pets(folder: Path) -> bytes:
    files = {f"pets/{'cat' if each % 3 else 'dog'}/{each:02}.png": picture(each) for each in range(12)}
    return write_zip(folder / "made.zip", files).read_bytes()


def test_pictures_from_a_zip_to_a_job(api: Api, tmp_path: Path) -> None:
    item = send(api, pets(tmp_path), "pets.zip", sha256=hashlib.sha256(pets(tmp_path)).hexdigest())
    assert (item["name"], item["kind"], item["origin"], item["examples"]) == ("pets.zip", "pictures", "uploaded", 12)
    assert api.get("/data")["items"][0] == item
    details = api.get(f"/data/{item['id']}")
    assert details["classes"] == [{"name": "cat", "examples": 8}, {"name": "dog", "examples": 4}]
    assert details["problems"] == []
    assert f'source = "{item["source"]}"' in details["suggested"]["toml"]
    page = api.get(f"/data/{item['id']}/examples?class=dog&limit=3")
    assert [each["label"] for each in page["items"]] == ["dog"] * 3
    last = api.get(f"/data/{item['id']}/examples?class=dog&limit=3&after={page['next']}")
    assert (len(last["items"]), last["next"]) == (1, None)
    shown = api.client.get(page["items"][0]["picture"])
    assert shown.headers["content-type"] == "image/png"
    assert "immutable" in shown.headers["cache-control"]
    assert Image.open(io.BytesIO(shown.content)).size == (12, 12)
    api.get(f"/data/{item['id']}/pictures/99", status=404)
    drafted = api.post("/jobs/draft", {"data": item["source"]})
    assert (drafted["family"], drafted["job"]["data"]) == ("convnet", {"source": item["source"]})


def test_a_broken_connection_is_gone_on_with(api: Api) -> None:
    content = TABLE.encode()
    begun = api.post("/uploads", {"name": "table.csv", "size_bytes": len(content)}, status=201)
    assert (begun["offset"], begun["part_bytes"]) == (0, PART_BYTES)
    assert put(api, begun["id"], 0, content[:100])["offset"] == 100
    assert put(api, begun["id"], 500, content[500:], status=409)["offset"] == 100
    assert put(api, begun["id"], 0, content[:100])["offset"] == 100
    assert api.post(f"/uploads/{begun['id']}/complete", status=409)["offset"] == 100
    assert api.get(f"/uploads/{begun['id']}") == {"id": begun["id"], "offset": 100, "size_bytes": len(content)}
    put(api, begun["id"], 100, content[100:])
    item = api.post(f"/uploads/{begun['id']}/complete", status=201)
    assert api.post(f"/uploads/{begun['id']}/complete", status=201) == item


def test_an_upload_is_abandoned(api: Api) -> None:
    begun = api.post("/uploads", {"name": "a.csv", "size_bytes": 10}, status=201)
    api.delete(f"/uploads/{begun['id']}")
    api.get(f"/uploads/{begun['id']}", status=404)
    put(api, begun["id"], 0, b"x", status=404)


def test_a_part_that_is_too_large_is_refused(api: Api) -> None:
    begun = api.post("/uploads", {"name": "a.csv", "size_bytes": 2 * PART_BYTES}, status=201)
    assert "send parts of at most" in put(api, begun["id"], 0, b"x" * (PART_BYTES + 1), status=400)["mend"]


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"%PDF-1.7", "a.csv", "is a PDF"),
        (b"PK\x03\x04 not really", "a.zip", "not a whole zip archive"),
        (picture(1), "a.png", "one picture"),
    ],
)
def test_what_is_no_data_is_refused_with_its_mend(content: bytes, name: str, said: str, api: Api) -> None:
    problem = send(api, content, name, status=400)
    assert said in problem["detail"]
    assert problem["mend"]
    assert api.get("/data?limit=200")["items"][0]["origin"] == "sample"


def test_a_bomb_and_a_way_out_are_refused(api: Api, tmp_path: Path) -> None:
    for files in ({"a/1.png": b"\0" * 2**26, "b/1.png": b"x"}, {"../1.png": picture(1), "b/1.png": picture(2)}):
        assert send(api, write_zip(tmp_path / "made.zip", files).read_bytes(), "a.zip", status=400)["mend"]
    assert not (tmp_path / "1.png").exists()


def test_another_hash_and_a_nearly_full_disk(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = send(api, TABLE.encode(), "a.csv", status=400, sha256="0" * 64)
    assert "has the SHA-256" in problem["detail"]
    usage = shutil.disk_usage("/")._replace(free=2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    full = api.post("/uploads", {"name": "a.csv", "size_bytes": 2**20}, status=507)
    assert "nearly full" in full["detail"]


def test_the_same_content_is_the_same_item(api: Api) -> None:
    first = send(api, TABLE.encode(), "a.csv")
    assert send(api, TABLE.encode(), "other.csv") == first
    assert sum(each["origin"] == "uploaded" for each in api.get("/data?limit=200")["items"]) == 1


def test_texts_and_samples_are_looked_at(api: Api) -> None:
    item = send(api, TABLE.encode(), "a.csv")
    details = api.get(f"/data/{item['id'][:12]}")
    assert details["roles"] == {"text": "text", "label": "label"}
    assert [column["name"] for column in details["columns"]] == ["text", "label"]
    assert len(details["columns"][0]["sample"]) == 3
    digits = quote("sample:digits", safe="")
    assert api.get(f"/data/{digits}")["examples"] == 1797
    shown = api.client.get(api.get(f"/data/{digits}/examples?class=7&limit=1")["items"][0]["picture"])
    assert shown.headers["content-type"] == "image/png"


NUMBERS = b"a,b,c\n" + b"".join(b"%d,%d,%d\n" % (each % 9, each % 7, each % 2) for each in range(40))


def test_a_table_of_which_nothing_is_clear_says_so_by_its_name(api: Api) -> None:
    item = send(api, NUMBERS, "numbers.csv")
    details = api.get(f"/data/{item['id']}")
    assert (details["kind"], details["suggested"]) == (None, None)
    (found,) = details["problems"]
    assert found["problem"] == "'numbers.csv' can be read as texts and as interactions, or as neither"
    assert "kind" in found["mend"]
    assert "columns" in found["mend"]
    assert api.post(f"/data/{item['id']}/check", status=400)["detail"] == found["problem"]
    refused = api.post("/jobs/draft", {"data": item["source"], "kind": "interactions"}, status=400)
    assert "'numbers.csv': it is not clear which columns hold users and items" in refused["detail"]


def test_people_say_what_the_columns_of_a_table_hold(api: Api) -> None:
    item = send(api, NUMBERS, "numbers.csv")
    chosen = {"kind": "interactions", "columns": {"user": "a", "item": "b"}}
    drafted = api.post("/jobs/draft", {"data": item["source"], **chosen})
    keys = {"source": item["source"], "user": "a", "item": "b"}
    assert (drafted["family"], drafted["job"]["data"]) == ("collaborative", keys)
    run = api.post(f"/data/{item['id']}/check", chosen, status=201)
    assert (run["request"]["kind"], run["request"]["data"]) == ("interactions", keys)
    for wrong in ({"columns": {"user": "z", "item": "b"}}, {"kind": "pictures", "columns": {}}):
        for path, more in (("/jobs/draft", {"data": item["source"]}), (f"/data/{item['id']}/check", {})):
            assert "'numbers.csv'" in api.post(path, {**chosen, **more, **wrong}, status=400)["detail"]
    api.post("/jobs/draft", {"data": item["source"], "columns": {"nothing": "a"}}, status=400)


def test_columns_are_others_than_their_names_say(api: Api) -> None:
    item = send(api, TABLE.replace("text,label", "label,text").encode(), "swapped.csv")
    chosen = {"kind": "texts", "columns": {"text": "label", "label": "text"}}
    drafted = api.post("/jobs/draft", {"data": item["source"], **chosen})
    assert drafted["job"]["data"] == {"source": item["source"], "text": "label", "label": "text"}
    unlabelled = api.post(f"/data/{item['id']}/check", {"columns": {"text": "label", "label": ""}}, status=201)
    assert unlabelled["request"]["data"] == {"source": item["source"], "text": "label", "label": ""}
    refused = api.post("/jobs/draft", {"data": "sample:digits", "columns": {"text": "a"}}, status=400)
    assert "'digits'" in refused["detail"]


def test_pages_follow_each_other(api: Api) -> None:
    for each in range(3):
        send(api, TABLE.replace("odd", f"odd{each}").encode(), f"{each}.csv")
    whole = [each["id"] for each in api.get("/data?limit=200")["items"]]
    seen: list[str] = []
    after = ""
    while True:
        page = api.get(f"/data?limit=2&after={quote(after, safe='')}")
        seen += [each["id"] for each in page["items"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert seen == whole
    api.get("/data?after=nothing", status=400)


def test_what_a_run_uses_stays_until_it_has_ended(api: Api) -> None:
    item = send(api, TABLE.encode(), "a.csv")
    job = {"name": "a", "family": "recurrent_text", "data": {"source": f"uploaded:{item['id'][:10]}"}}
    run = api.post("/runs", {"kind": "train", "request": {"job": job}}, status=201)
    assert run["id"] in api.delete(f"/data/{item['id']}", status=409)["detail"]
    api.post(f"/runs/{run['id']}/cancel")
    api.delete(f"/data/{item['id']}")
    api.get(f"/data/{item['id']}", status=404)
    api.delete(f"/data/{item['id']}", status=404)
    api.delete("/data/sample:digits", status=400)


def test_data_that_models_learned_from_go_only_by_force(api: Api, tiny_bundle: Bundle, tmp_path: Path) -> None:
    item, other = send(api, TABLE.encode(), "a.csv"), send(api, NUMBERS, "b.csv")
    assert api.get(f"/data/{item['id']}")["models"] == []
    manifest = tiny_bundle.manifest
    by_lineage: dict[str, Any] = {"lineage": manifest.lineage.model_copy(update={"data": item["source"]})}
    by_job: dict[str, Any] = {"job": {"data": {"source": "csv:a.csv", "unlabeled": f"uploaded:{item['id'][:12]}"}}}
    for number, update in enumerate((by_lineage, by_job, {})):
        shutil.copytree(tiny_bundle.folder, tmp_path / str(number))
        (tmp_path / str(number) / "manifest.json").unlink()
        api.control.registry.publish(write_bundle(tmp_path / str(number), manifest.model_copy(update=update)))
    learned = [f"{manifest.name}@{number}" for number in (1, 2)]
    assert api.get(f"/data/{item['id']}")["models"] == learned
    problem = api.delete(f"/data/{item['id']}", status=409)
    assert all(reference in problem["detail"] for reference in learned)
    assert "force=true" in problem["mend"]
    for kind in ("evaluate", "optimize"):  # they read the data that the job of their model names
        run = api.post("/runs", {"kind": kind, "request": {"model": learned[0]}}, status=201)
        assert run["id"] in api.delete(f"/data/{item['id']}?force=true", status=409)["detail"]
        api.post(f"/runs/{run['id']}/cancel")
    asked = {"model": learned[0], "data": "sample:digits"}
    api.post("/runs", {"kind": "evaluate", "request": asked}, status=201)
    api.delete(f"/data/{other['id']}")
    api.delete(f"/data/{item['id']}?force=true")
    api.get(f"/data/{item['id']}", status=404)


def test_a_check_is_a_run_with_a_report(api: Api) -> None:
    item = send(api, TABLE.encode(), "a.csv")
    run = api.post(f"/data/{item['id']}/check", status=201)
    assert (run["kind"], run["about"]) == ("check", item["name"])
    api.post("/data/sample%3Adigits/check", status=201)
    assert [each["id"] for each in api.get(f"/runs?kind=check&about={item['source']}")["items"]] == [run["id"]]
    assert api.get("/runs?about=nothing")["items"] == []
    api.post(f"/runs/{api.get('/runs')['items'][0]['id']}/cancel")
    Worker(api.control.registry).work(until_empty=True)
    done = api.get(f"/runs/{run['id']}")
    assert done["state"] == "succeeded", done
    assert done["result"]["class_counts"] == {"even": 30, "odd": 30}


def test_a_viewer_may_look_and_not_send(api: Api) -> None:
    item = send(api, TABLE.encode(), "a.csv")
    api.as_role("viewer")
    api.get("/data")
    api.get(f"/data/{item['id']}")
    api.post("/jobs/draft", {"data": item["source"]})
    api.post("/uploads", {"name": "a.csv", "size_bytes": 10}, status=403)
    api.post(f"/data/{item['id']}/check", status=403)
    api.delete(f"/data/{item['id']}", status=403)


@pytest.mark.parametrize("source", ["folder:/etc", "csv:/etc/passwd", "uploaded:../..", "x"])
def test_files_of_the_machine_are_not_drafted(source: str, api: Api) -> None:
    assert api.client.post("/api/v1/jobs/draft", json={"data": source}).status_code in (400, 404)


def test_the_description_is_valid(api: Api) -> None:
    document = api.get("/openapi.json")
    validate(document)
    put_part = document["paths"]["/api/v1/uploads/{upload}"]["put"]
    assert list(put_part["requestBody"]["content"]) == ["application/octet-stream"]


def test_lines_with_keys_of_their_own_are_no_table(api: Api) -> None:
    content = b"".join(b'{"key%d": 1}\n' % number for number in range(3000))
    begun = api.post("/uploads", {"name": "a.jsonl", "size_bytes": len(content)}, status=201)
    put(api, begun["id"], 0, content)
    assert "the key number" in api.post(f"/uploads/{begun['id']}/complete", status=400)["detail"]


def test_an_upload_that_is_being_worked_on_keeps_no_thread_waiting(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "_PATIENCE_S", 0.05)
    begun = api.post("/uploads", {"name": "a.csv", "size_bytes": 4}, status=201)
    put(api, begun["id"], 0, b"a,b\n")
    (part,) = api.control.home.glob(f"data/uploads/{begun['id']}/part")
    with part.open("rb") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        assert "being worked on" in api.post(f"/uploads/{begun['id']}/complete", status=503)["detail"]
    api.post(f"/uploads/{begun['id']}/complete", status=400)


def test_few_uploads_are_taken_in_at_a_time(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_taking_in", threading.BoundedSemaphore(1))
    begun = api.post("/uploads", {"name": "a.csv", "size_bytes": 4}, status=201)
    with uploads._taking_in:
        assert "are being taken in" in api.post(f"/uploads/{begun['id']}/complete", status=503)["detail"]
    assert api.post(f"/uploads/{begun['id']}/complete", status=409)["offset"] == 0
