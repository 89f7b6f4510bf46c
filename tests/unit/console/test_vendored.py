"""The console's libraries are what npm has, with their licenses, and need neither a build nor a network."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile

import pytest
from tests.vendoring import PACKAGES, VENDOR, VERSIONS, Package, record, vendored

RECORDED = json.loads(VERSIONS.read_text(encoding="utf-8"))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_files_are_as_recorded(package: Package) -> None:
    recorded = RECORDED[package.name]
    assert recorded["version"] == package.version
    assert any(name.endswith(".LICENSE.txt") for name in recorded["files"])
    for name, sha256 in recorded["files"].items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == sha256, name


def test_nothing_else_is_there() -> None:
    known = {name for recorded in RECORDED.values() for name in recorded["files"]} | {VERSIONS.name}
    assert {path.name for path in VENDOR.iterdir() if not path.name.endswith(".d.ts")} == known


def test_imports_are_relative_files() -> None:
    for path in VENDOR.glob("*.js"):
        for name in re.findall(r"\bfrom\s*\"([^\"]+)\"", path.read_text(encoding="utf-8")):
            assert name.startswith("./")
            assert (VENDOR / name).is_file()


def test_a_package_is_rewritten() -> None:
    files = {
        "package/a.mjs": b'import{h}from"preact";export{h};\n//# sourceMappingURL=a.map',
        "package/b.js": b"var B=1;",
        "package/LICENSE": b"MIT",
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    package = Package("@x/y", "1.0.0", {"a.mjs": "a.js", "b.js": "b.js"}, export="B")
    found = dict(vendored(package, packed.getvalue()))
    assert found["a.js"].startswith(b'import{h}from"./preact.js";export{h};\n')
    assert found["b.js"] == b"var B=1;\nexport default B;\n"
    assert found["x-y.LICENSE.txt"] == b"MIT"
    assert record(package, packed.getvalue(), found)["files"]["x-y.LICENSE.txt"] == hashlib.sha256(b"MIT").hexdigest()
