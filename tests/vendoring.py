"""The console's libraries, taken from npm: `python -m tests.vendoring [PACKAGE=VERSION ...]` takes them anew.

Each is one ES module whose imports are relative paths, so that browsers need neither a build step nor an import map.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VENDOR = Path(__file__).parents[1] / "src" / "glassworks" / "console" / "static" / "vendor"
VERSIONS = VENDOR / "versions.json"
IMPORTS = {
    '"preact"': '"./preact.js"',
    '"preact/hooks"': '"./hooks.js"',
    '"@preact/signals-core"': '"./signals-core.js"',
}


@dataclass(frozen=True)
class Package:
    """A package of npm, and which of its files become which of ours."""

    name: str
    version: str
    files: Mapping[str, str]
    export: str = ""
    """What the script leaves as a global, where it is no module."""


PACKAGES = (
    Package("preact", "11.2.0", {"dist/preact.mjs": "preact.js", "hooks/dist/hooks.mjs": "hooks.js"}),
    Package("htm", "3.1.1", {"dist/htm.mjs": "htm.js"}),
    Package("@preact/signals-core", "1.14.5", {"dist/signals-core.mjs": "signals-core.js"}),
    Package("@preact/signals", "2.11.4", {"dist/signals.mjs": "signals.js"}),
    Package(
        "uplot", "1.6.32", {"dist/uPlot.iife.min.js": "uplot.js", "dist/uPlot.min.css": "uplot.css"}, export="uPlot"
    ),
)


def vendored(package: Package, tarball: bytes) -> Iterator[tuple[str, bytes]]:
    """Our files of a package, and its license."""
    with tarfile.open(fileobj=io.BytesIO(tarball)) as archive:
        for source, name in {**package.files, "LICENSE": f"{_stem(package)}.LICENSE.txt"}.items():
            member = archive.extractfile(f"package/{source}")
            if member is None:
                raise LookupError(f"{package.name} {package.version} holds no {source}")
            text = member.read().decode("utf-8")
            yield name, (_module(text, package) if name.endswith(".js") else text).encode()


def record(package: Package, tarball: bytes, files: Mapping[str, bytes]) -> dict[str, Any]:
    """What versions.json says of a package."""
    return {
        "version": package.version,
        "tarball_sha256": hashlib.sha256(tarball).hexdigest(),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
    }


def _module(text: str, package: Package) -> str:
    """The text with relative imports, a default export where it had a global, and without a link to its source map."""
    for bare, path in IMPORTS.items():
        text = text.replace(f"from{bare}", f"from{path}")
    text = text.partition("//# sourceMappingURL=")[0].rstrip() + "\n"
    return f"{text}export default {package.export};\n" if package.export else text


def _stem(package: Package) -> str:
    return package.name.removeprefix("@").replace("/", "-")


def _packed(package: Package) -> bytes:
    npm = shutil.which("npm")
    if npm is None:
        raise LookupError("npm is not here: install Node.js")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([npm, "pack", "--silent", f"{package.name}@{package.version}"], cwd=folder, check=True)
        return next(Path(folder).iterdir()).read_bytes()


def main(versions: list[str]) -> None:
    """Take every package anew, in the versions named here or on the command line."""
    wanted = dict(each.rpartition("=")[::2] for each in versions)
    recorded = {}
    for each in PACKAGES:
        package = Package(each.name, wanted.get(each.name, each.version), each.files, each.export)
        tarball = _packed(package)
        files = dict(vendored(package, tarball))
        for name, content in files.items():
            (VENDOR / name).write_bytes(content)
        recorded[package.name] = record(package, tarball, files)
    VERSIONS.write_text(json.dumps(recorded, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
