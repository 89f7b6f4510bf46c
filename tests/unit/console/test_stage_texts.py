"""Every stage that work begins has its name in both languages."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import glassworks

SOURCE = Path(glassworks.__file__).parent
STARTED = re.compile(r'progress\.start\("([a-z]+)(?:: ([a-z]+))?"|Stage\(.*name="([a-z]+)"')


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_every_stage_is_named(language: str) -> None:
    catalog = json.loads((SOURCE / "console" / "static" / "i18n" / f"{language}.json").read_text(encoding="utf-8"))
    found = [match for path in SOURCE.rglob("*.py") for match in STARTED.findall(path.read_text(encoding="utf-8"))]
    keys = {".".join(filter(None, ("stage", *each))) for each in found}
    assert {"stage.train", "stage.optimize.speed", "stage.tune"} <= keys
    assert keys - set(catalog) == set()
