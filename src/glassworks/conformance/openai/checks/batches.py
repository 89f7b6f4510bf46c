"""Files and batches: what was stored comes back byte for byte; each line of a batch has its answer."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from typing import Any

from glassworks.conformance.openai.client import Client, lacks, refused, same
from glassworks.conformance.target import Failed, NotOffered, Reply

_CHAT = "/v1/chat/completions"
_ENDED = ("completed", "failed", "expired", "cancelled")
_POLL_S = 0.2
_WITHIN = 5
"""How many times the time of one request a small batch may take."""


def o13_file(client: Client) -> None:
    """A file that is uploaded is listed, retrieved, and read back byte for byte; deleted, it is 404."""
    content = '{"a": "你好"}\n'.encode()
    stored = _upload(client, content)
    same((stored["object"], stored["bytes"], stored["purpose"]), ("file", len(content), "batch"), "the file")
    same(stored["filename"], "lines.jsonl", "filename")
    path = f"/files/{stored['id']}"
    same(client.fetch(path).expect(200).json["id"], stored["id"], "the id")
    listed = client.fetch("/files").expect(200).json
    same((listed["object"], stored["id"] in [each["id"] for each in listed["data"]]), ("list", True), "the list")
    same(client.fetch(f"{path}/content").expect(200).body, content, "the content")
    same(client.fetch(path, "DELETE").expect(200).json.get("deleted"), True, "deleted")
    for gone in (path, f"{path}/content"):
        refused(client.fetch(gone), 404)


def o13_wrong_files(client: Client) -> None:
    """A file that is not there is 404; one without a purpose, with an unknown one, or no form at all, is 400."""
    client_file = _upload(client, b"{}\n")["id"]
    client.fetch(f"/files/{client_file}", "DELETE").expect(200)
    for path in ("/files/file-none", "/files/file-none/content"):
        refused(client.fetch(path), 404)
    for purpose in (None, "poetry"):
        refused(_send(client, b"{}\n", purpose))
    refused(client.ask("/files", {"purpose": "batch"}))


def o13_batch(client: Client) -> None:
    """Each line of a batch has its answer by its custom_id, the one that it has alone, and a line that is wrong an
    error; request_counts count them."""
    batch = _ended(client, _batch(client, _lines(client)))
    same(batch["status"], "completed", "status")
    same(batch["request_counts"], {"total": 3, "completed": 2, "failed": 1}, "request_counts")
    good = _read(client, batch["output_file_id"])
    for name in ("one", "two"):
        same(good[name]["response"]["status_code"], 200, f"status_code of {name}")
        text = good[name]["response"]["body"]["choices"][0]["message"]["content"]
        same(text, client.greedy.text, f"the answer of {name}")
    wrong = {**good, **_read(client, batch["error_file_id"])}["wrong"]
    if not wrong.get("error") and wrong["response"]["status_code"] < 400:
        raise Failed(f"the line that is wrong has {json.dumps(wrong)[:160]}")


def o13_batch_object(client: Client) -> None:
    """A batch has id, object, endpoint, input_file_id, completion_window and created_at, and is listed."""
    batch = _batch(client, _lines(client)[:1])
    same((batch["object"], batch["endpoint"], batch["completion_window"]), ("batch", _CHAT, "24h"), "the batch")
    if type(batch["created_at"]) is not int or not batch["input_file_id"]:
        raise Failed(f"the batch is {json.dumps(batch)[:160]}")
    same(batch["id"] in [each["id"] for each in client.fetch("/batches").expect(200).json["data"]], True, "listed")
    _ended(client, batch)


def o13_batch_of_broken_lines(client: Client) -> None:
    """A file with a line that is no JSON, or with an id twice, fails with an error that names the line, or is refused;
    it is never done in part."""
    good = _lines(client)[:1]
    for lines, line in (([*good, b"{"], 2), (good * 2, 2)):
        stored = _upload(client, b"\n".join(lines))
        reply = _create(client, stored["id"])
        if reply.status == 200:
            batch = _ended(client, reply.json)
            same(batch["status"], "failed", "status")
            same(batch["errors"]["data"][0].get("line"), line, "the line that is named")
        else:
            refused(reply)


def o13_cancelled_batch(client: Client) -> None:
    """A batch that is cancelled comes to an end, as cancelled unless it was done before."""
    lines = [_line(client, f"line {number}") for number in range(50)]
    batch = _batch(client, lines)
    reply = client.ask(f"/batches/{batch['id']}/cancel", {})
    found = reply if reply.status == 200 else client.fetch(f"/batches/{batch['id']}").expect(200)
    if found.json["status"] not in ("cancelling", "cancelled", "completed"):
        raise Failed(f"status {reply.status}, and the batch is {found.json['status']}")
    same(_ended(client, batch)["status"] in ("cancelled", "completed"), True, "whether it ended as cancelled")


def o13_wrong_batches(client: Client) -> None:
    """A batch that is not there is 404; one of no such file, or for an endpoint that is none, is refused."""
    stored = _upload(client, b"\n".join(_lines(client)[:1]))["id"]
    _offered(client, client.fetch("/batches"), "/batches")
    refused(client.fetch("/batches/batch-none"), 404)
    refused(_create(client, "file-none"), 400, 404)
    refused(_create(client, stored, endpoint="/v1/poems"))


def _lines(client: Client) -> list[bytes]:
    return [_line(client, "one"), _line(client, "two"), _line(client, "wrong", messages=[{"role": "wizard"}])]


def _line(client: Client, name: str, **more: Any) -> bytes:
    asked = client.body("/chat/completions", **{"messages": [{"role": "user", "content": client.prompt}], **more})
    return json.dumps({"custom_id": name, "method": "POST", "url": _CHAT, "body": asked}).encode()


def _offered(client: Client, reply: Reply, what: str) -> Reply:
    if reason := lacks(reply, what, "not found", "no route", "support", "file", "batch"):
        raise NotOffered(reason)
    return reply.expect(200)


def _upload(client: Client, content: bytes) -> Any:
    _offered(client, client.fetch("/files"), "/files")
    return _send(client, content, "batch").expect(200).json


def _send(client: Client, content: bytes, purpose: str | None) -> Reply:
    mark = secrets.token_hex(8)
    parts = [b'form-data; name="file"; filename="lines.jsonl"\r\nContent-Type: application/jsonl\r\n\r\n' + content]
    parts += [f'form-data; name="purpose"\r\n\r\n{purpose}'.encode()] if purpose else []
    body = b"".join(f"--{mark}\r\nContent-Disposition: ".encode() + part + b"\r\n" for part in parts)
    headers = {"Content-Type": f"multipart/form-data; boundary={mark}"}
    return client.send("POST", f"{client.prefix}/files", body + f"--{mark}--\r\n".encode(), headers)


def _create(client: Client, stored: str, endpoint: str = _CHAT) -> Reply:
    asked = {"input_file_id": stored, "endpoint": endpoint, "completion_window": "24h"}
    return client.ask("/batches", asked)


def _batch(client: Client, lines: Sequence[bytes]) -> Any:
    stored = _upload(client, b"\n".join(lines) + b"\n")
    _offered(client, client.fetch("/batches"), "/batches")
    return _create(client, stored["id"]).expect(200).json


def _ended(client: Client, batch: Any) -> Any:
    """The batch when it has come to an end. Raises Failed."""
    end = time.monotonic() + _WITHIN * client.seconds
    while batch["status"] not in _ENDED:
        if time.monotonic() > end:
            raise Failed(f"a batch is still {batch['status']} after {_WITHIN * client.seconds:.0f} s")
        time.sleep(_POLL_S)
        batch = client.fetch(f"/batches/{batch['id']}").expect(200).json
    return batch


def _read(client: Client, stored: str | None) -> dict[str, Any]:
    if stored is None:
        return {}
    content = client.fetch(f"/files/{stored}/content").expect(200).body
    return {found["custom_id"]: found for found in map(json.loads, content.splitlines())}
