"""Batches that programs sent to OpenAI's protocol stand in the list of runs, with how far they are."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
from tests.integration.console.browsing import browser, visit
from tests.integration.serving.running import serving


def test_a_batch_is_seen_with_its_state(tmp_path: Path) -> None:
    line = {"custom_id": "a", "method": "POST", "url": "/v1/embeddings", "body": {"model": "none", "input": "x"}}
    with serving(tmp_path, "--no-grpc", "--workers", "0") as server, browser() as chromium:
        with visit(chromium, server.address, "/#/runs") as page:
            page.wait_for_selector(".empty")
            assert page.get_by_text("Batches of requests").count() == 0
        with httpx.Client(base_url=f"http://{server.address}") as http:
            sent = {"file": ("a.jsonl", json.dumps(line).encode())}
            file = http.post("/v1/files", data={"purpose": "batch"}, files=sent).json()["id"]
            asked = {"input_file_id": file, "endpoint": "/v1/embeddings", "completion_window": "24h"}
            batch = http.post("/v1/batches", json=asked).json()["id"]
        with visit(chromium, server.address, "/#/runs", locale="zh-CN") as page:
            page.wait_for_selector("h2:has-text('批量请求')")
            page.wait_for_selector(f"code:has-text('{batch}')")
            page.wait_for_selector("td:has-text('已完成')")
            assert "1 / 1 1 个失败" in page.inner_text("main")
