"""The manifest: what a bundle says about itself, and the paths it may name."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pydantic_core
from pydantic import JsonValue, ValidationError

from glassworks.contracts import Artifact, ClassMeasurement, Lineage, Measurement, Signature
from glassworks.errors import BundleError, NewerFormat, Tampered, UnsafePath
from glassworks.record import Record

FORMAT_VERSION = 1
MANIFEST_FILE = "manifest.json"
MAX_MANIFEST_BYTES = 16 * 2**20

_DAMAGED = "package the model again, or fetch the bundle again from where it came"
_SEALED = re.compile(rb'(.*),\n "sha256": "([0-9a-f]{64})"\n\}\n', re.DOTALL)
# A colon is a drive letter or a second stream of a file on Windows; a bundle must mean the same everywhere.
_UNSAFE = re.compile(r"[\\:\x00-\x1f\x7f]")


class Manifest(Record):
    """What an auditor, a server and an exporter need to know about a bundle.

    `artifacts` hold the roles `predict`, and where they exist `reference` (the fp32 predict graph when
    `predict` is another), `gradient` and `cam`. `metrics` are of the served artifact on the test split, `classes` how
    each class fares there, `baseline` the metrics of the task's simple classifier, empty where there is none;
    `comparison` has the metrics of further simple answers by their names, such as the best one that ignores the input;
    `warnings` say which of these the model does not beat; `refitted` says that all this was measured before the
    model learned from everything, the test split too;
    `fidelity` is how far explanations of the float and the served model agree. `isa` are the instruction
    sets of the machine it was certified on. `files` maps each file of the bundle, except the manifest
    itself, to its SHA-256.
    """

    format_version: int = FORMAT_VERSION
    name: str
    task: str
    family: str
    signature: Signature
    labels: tuple[str, ...] = ()
    preprocessing: dict[str, JsonValue] = {}
    artifacts: tuple[Artifact, ...] = ()
    explainers: tuple[str, ...] = ()
    metrics: dict[str, Measurement] = {}
    classes: tuple[ClassMeasurement, ...] = ()
    refitted: bool = False
    baseline: dict[str, Measurement] = {}
    comparison: dict[str, dict[str, Measurement]] = {}
    warnings: tuple[str, ...] = ()
    fidelity: dict[str, float] = {}
    data_fingerprint: str = ""
    lineage: Lineage = Lineage()
    job: dict[str, JsonValue] = {}
    libraries: dict[str, str] = {}
    isa: tuple[str, ...] = ()
    license: str = "unspecified"
    files: dict[str, str] = {}


def to_json(manifest: Manifest) -> bytes:
    """The same manifest gives the same bytes; the last line is a seal, the SHA-256 of those before it.

    Raises BundleError for what JSON cannot hold.
    """
    try:
        body = json.dumps(
            manifest.model_dump(mode="json"), sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False
        ).encode()
        return body.removesuffix(b"\n}") + b',\n "sha256": "' + _sha256(body) + b'"\n}\n'
    except ValueError as error:
        raise BundleError(
            f"the manifest of '{manifest.name}' cannot be written as JSON: {error}",
            "give finite numbers and valid Unicode text",
        ) from error


def from_json(content: bytes, where: str) -> Manifest:
    """A manifest that names only safe paths. Raises NewerFormat, UnsafePath, Tampered and BundleError."""
    try:
        table = pydantic_core.from_json(content, allow_inf_nan=False)
    except ValueError as error:
        raise BundleError(f"the manifest of {where} is not valid JSON: {error}", _DAMAGED) from error
    _check_version(table, where)
    table.pop("sha256", None)
    try:
        manifest = Manifest.model_validate(table)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in fault["loc"])
        raise BundleError(f"the manifest of {where} is malformed at '{key}': {fault['msg']}", _DAMAGED) from error
    _check_paths(manifest, where)
    _check_seal(content, where)
    return manifest


def check_path(name: str, where: str) -> str:
    """`name` if it is a relative POSIX path that stays inside its folder. Raises UnsafePath."""
    parts = name.split("/")
    if _UNSAFE.search(name) or any(part in ("", ".", "..") for part in parts) or not _is_text(name):
        raise UnsafePath(
            f"{where} names the file {name[:200]!a}, which is not a plain relative path",
            "do not use this bundle unless you know who made it; names use letters, digits and '/'",
        )
    return name


def _is_text(name: str) -> bool:
    # A lone surrogate stands for a file name that is not UTF-8; JSON cannot hold it.
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _check_version(table: Any, where: str) -> None:
    version = table.get("format_version") if isinstance(table, Mapping) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise BundleError(f"the manifest of {where} gives no format version", _DAMAGED)
    if version > FORMAT_VERSION:
        raise NewerFormat(
            f"{where} has format version {version}, this Glassworks reads up to {FORMAT_VERSION}",
            "upgrade: pip install --upgrade glassworks",
        )


def _check_seal(content: bytes, where: str) -> None:
    sealed = _SEALED.fullmatch(content)
    if sealed is None or _sha256(sealed[1] + b"\n}") != sealed[2]:
        raise Tampered(f"{where}: the file '{MANIFEST_FILE}' differs from its recorded SHA-256", _DAMAGED)


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def _check_paths(manifest: Manifest, where: str) -> None:
    for name in manifest.files:
        check_path(name, where)
    roles = Counter(artifact.role for artifact in manifest.artifacts)
    twice = [role for role, count in roles.items() if count > 1]
    if twice:
        raise BundleError(f"{where} has two artifacts of the role '{twice[0]}'", _DAMAGED)
    for artifact in manifest.artifacts:
        for name in (artifact.file, *artifact.beside):
            if check_path(name, where) not in manifest.files:
                raise BundleError(f"{where} lists no file '{name}' for the role '{artifact.role}'", _DAMAGED)
