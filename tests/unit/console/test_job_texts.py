"""Every key of every job, and every kind of model, has its name in both languages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glassworks.catalog import found
from glassworks.contracts import Family
from glassworks.job_schema import job_schema

CATALOG = Path(__file__).parents[3] / "src" / "glassworks" / "console" / "static" / "pages" / "train" / "en.json"
TEXTS = json.loads(CATALOG.read_text(encoding="utf-8"))


def keys(schema: dict[str, Any], part: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Paths of the keys that the form shows."""
    part = {**schema["$defs"][part["$ref"].rpartition("/")[2]], **part} if "$ref" in part else part
    for name, inner in part.get("properties", {}).items():
        yield f"{prefix}{name}"
        for choice in (inner, *inner.get("oneOf", ())):
            if "$ref" in choice or "properties" in choice:
                yield from keys(schema, choice, f"{prefix}{name}.")


@pytest.mark.parametrize("family", sorted(found(Family)))
def test_a_family_and_its_keys_are_named(family: str) -> None:
    schema = job_schema(family)
    named = [f"train.field.{key}" for key in keys(schema, schema) if key != "family"]
    assert [key for key in (f"train.family.{family}", *named) if key not in TEXTS] == []
