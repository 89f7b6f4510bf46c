"""The toy server's files and batches, in memory."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from tests.unit.conformance.toy_model import Refusal

_PURPOSES = ("batch", "fine-tune")
_ENDPOINT = "/v1/chat/completions"


class Files:
    """Files by their ids, and batches, each done when it is looked at."""

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        self._answer = answer
        self._files: dict[str, tuple[dict[str, Any], bytes]] = {}
        self._batches: dict[str, dict[str, Any]] = {}

    def routed(self, verb: str, path: str, body: bytes, form: str, faults: frozenset[str]) -> Any:
        """The answer, bytes or JSON. Raises Refusal."""
        kind, _, rest = path.removeprefix("/").partition("/")
        name, _, what = rest.partition("/")
        if kind == "files":
            return self._file(verb, name, what, body, form, faults)
        if not name:
            return self._created(json.loads(body), faults) if verb == "POST" else list(self._batches.values())
        if name not in self._batches:
            raise Refusal("no such batch", status=404)
        if what == "cancel":
            self._batches[name]["status"] = "cancelled" if "cannot be cancelled" not in faults else "in_progress"
        elif self._batches[name]["status"] == "validating":
            self._done(self._batches[name], faults)
        return self._batches[name]

    def _file(self, verb: str, name: str, what: str, body: bytes, form: str, faults: frozenset[str]) -> Any:
        if not name:
            return (
                self._uploaded(body, form, faults) if verb == "POST" else [found for found, _ in self._files.values()]
            )
        if name not in self._files:
            raise Refusal("no such file", status=404)
        if verb == "DELETE":
            if "keeps deleted files" not in faults:
                del self._files[name]
            return {"id": name, "object": "file", "deleted": True}
        found, content = self._files[name]
        if what == "content":
            return content.strip() if "strips files" in faults else content
        return found

    def _uploaded(self, body: bytes, form: str, faults: frozenset[str]) -> dict[str, Any]:
        boundary = re.search("boundary=(.+)", form)
        if boundary is None:
            raise Refusal("a file comes in a form")
        parts = dict(_part(part) for part in body.split(f"--{boundary[1]}".encode())[1:-1])
        purpose = parts.get("purpose", b"").decode()
        if purpose not in _PURPOSES and "any purpose" not in faults:
            raise Refusal("purpose is missing or unknown", param="purpose")
        return self._stored(parts["file"], purpose)

    def _stored(self, content: bytes, purpose: str) -> dict[str, Any]:
        found = {"id": f"file-{len(self._files)}-{len(content)}", "object": "file", "bytes": len(content)}
        found |= {"filename": "lines.jsonl", "purpose": purpose, "created_at": 1, "status": "processed"}
        self._files[str(found["id"])] = (found, content)
        return found

    def _created(self, asked: dict[str, Any], faults: frozenset[str]) -> dict[str, Any]:
        if asked["input_file_id"] not in self._files:
            raise Refusal("no such file", param="input_file_id")
        if asked["endpoint"] != _ENDPOINT and "any endpoint" not in faults:
            raise Refusal("the endpoint is unknown", param="endpoint")
        name = f"batch-{len(self._batches)}"
        batch = {"id": name, "object": "batch", "created_at": 1, "status": "validating", "error_file_id": None, **asked}
        batch |= {"completion_window": "1h"} if "another window" in faults else {}
        self._batches[name] = batch
        return batch

    def _done(self, batch: dict[str, Any], faults: frozenset[str]) -> None:
        lines, seen = list[Any](), set[str]()
        for number, line in enumerate(self._files[batch["input_file_id"]][1].splitlines(), 1):
            try:
                lines.append(json.loads(line))
            except ValueError:
                lines.append({"custom_id": ""})
            if lines[-1]["custom_id"] in {"", *seen} and "passes broken lines" not in faults:
                error = {"line": number, "message": "wrong", "code": "invalid"}
                batch |= {"status": "failed", "errors": {"object": "list", "data": [error]}}
                return
            seen.add(lines[-1]["custom_id"])
        good, wrong = list[Any](), list[Any]()
        for line in lines:
            try:
                answer, status = self._answer(line.get("body")), 200
                good.append({"custom_id": line["custom_id"], "response": {"status_code": status, "body": answer}})
            except Refusal as refusal:
                wrong.append({"custom_id": line["custom_id"], "response": None, "error": {"message": refusal.message}})
        counts = {"total": len(lines), "completed": len(good), "failed": len(wrong)}
        counts["completed"] += len(wrong) if "counts wrong lines as done" in faults else 0
        batch |= {"status": "completed", "request_counts": counts, "output_file_id": self._written(good)}
        batch["error_file_id"] = self._written(wrong)

    def _written(self, lines: list[Any]) -> str:
        return str(self._stored("\n".join(map(json.dumps, lines)).encode(), "batch_output")["id"])


def _part(content: bytes) -> tuple[str, bytes]:
    head, _, body = content.partition(b"\r\n\r\n")
    name = re.search(rb' name="(\w+)"', head)
    return (name[1].decode() if name else ""), body.removesuffix(b"\r\n")
