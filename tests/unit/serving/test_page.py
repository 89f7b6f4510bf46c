"""The API page, which holds what models say of themselves: anything at all."""

from __future__ import annotations

import json
import re

from tests.unit.serving.test_app import send
from tests.unit.serving.wire import service

from glassworks.packaging.bundle import Bundle
from glassworks.serving.core.models import Models


def test_the_page_holds_no_code_but_its_own(tiny_bundle: Bundle) -> None:
    labels = ("</script><script>alert(1)</script>", "$DATA", *tiny_bundle.manifest.labels[2:])
    manifest = tiny_bundle.manifest.model_copy(update={"labels": labels, "warnings": labels[:1]})
    hostile = Models()
    hostile.load(Bundle(folder=tiny_bundle.folder, manifest=manifest, sha256=tiny_bundle.sha256), "m", "1")
    reply = send(service(hostile), "GET", "/docs")
    hostile.close()
    text = reply.body.decode()
    assert text.count("</script>") == 2
    data = json.loads(re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[0])
    assert data["models"][0]["labels"] == list(labels)
    assert data["models"][0]["warnings"] == [labels[0]]
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in re.sub(r"location\.origin", "", text)
