"""The console's files as the service sends them: read once, compressed once, under a version made of their contents."""

from __future__ import annotations

import functools
import gzip
import hashlib
import mimetypes
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from glassworks.errors import NotFound
from glassworks.serving.endpoints import Context, Protocol, endpoint
from glassworks.serving.transports.http.exchange import Answer, Exchange

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; media-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
_TYPES = {".js": "text/javascript", ".json": "application/json", ".svg": "image/svg+xml"}
_IMPORT = re.compile(r"""^(?:import|export)\b[^"]*?"(\.[^"]+)";""", re.MULTILINE)
_HIDDEN = (".d.ts", "versions.json")


@dataclass(frozen=True, slots=True)
class Asset:
    """A file, and its compressed copy."""

    content: bytes
    compressed: bytes
    content_type: str
    etag: str

    @classmethod
    def of(cls, name: str, content: bytes) -> Asset:
        """With the type that its name says."""
        suffix = "." + name.rpartition(".")[2]
        kind = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        text = kind.startswith("text/") or kind in _TYPES.values()
        content_type = f"{kind}; charset=utf-8" if text else kind
        return cls(content, gzip.compress(content, 9, mtime=0), content_type, f'"{_digest(content)}"')


@dataclass(frozen=True, slots=True)
class Console:
    """All files by their paths, the page they belong to, and a version that changes with any of them."""

    version: str
    assets: Mapping[str, Asset]
    index: Asset


class ConsolePages(Protocol):
    """The console at `/`, and its files under `/console/{version}`, which a browser keeps for good."""

    def __init__(self, context: Context) -> None:
        """It needs nothing of the service: its pages ask the API themselves."""

    @endpoint("GET", "/", "console", "The console.", gives="text/html", is_open=True, documented=False)
    def index(self, exchange: Exchange) -> Answer:
        """GET /"""
        headers = [(b"content-security-policy", POLICY.encode()), (b"referrer-policy", b"no-referrer")]
        return _answer(console().index, exchange, b"no-cache", headers)

    @endpoint(
        "GET", "/console/{version}/{path:path}", "consoleFile", "A file of the console.", is_open=True, documented=False
    )
    def file(self, exchange: Exchange) -> Answer:
        """GET /console/{version}/{path}; of another version, as after an update, what is here now. Raises NotFound."""
        path, version = exchange.parameters["path"], exchange.parameters["version"]
        asset = console().assets.get(path)
        if asset is None:
            raise NotFound(f"the console has no file '{path}'", "load the page again")
        lasting = version == console().version
        return _answer(asset, exchange, b"public, max-age=31536000, immutable" if lasting else b"no-cache", [])


@functools.cache
def console() -> Console:
    """The files in the package."""
    root = files("glassworks.console").joinpath("static")
    found = {name: content for name, content in sorted(_read(root, "").items()) if not name.endswith(_HIDDEN)}
    version = _digest(b"".join(name.encode() + b"\0" + content for name, content in found.items()))
    page = found.pop("index.html").decode()
    preloads = "\n    ".join(
        f'<link rel="modulepreload" href="/console/{version}/{name}" />' for name in sorted(_imported(found, "main.js"))
    )
    page = page.replace("$VERSION", version).replace("$PRELOADS", preloads)
    assets = {name: Asset.of(name, content) for name, content in found.items()}
    return Console(version, assets, Asset.of("index.html", page.encode()))


def _read(folder: Traversable, prefix: str) -> dict[str, bytes]:
    read: dict[str, bytes] = {}
    for each in folder.iterdir():
        read |= _read(each, f"{prefix}{each.name}/") if each.is_dir() else {f"{prefix}{each.name}": each.read_bytes()}
    return read


def _imported(found: Mapping[str, bytes], name: str) -> set[str]:
    """A module and all that it imports, so that a browser need not find out one after the other."""
    names, waiting = {name}, [name]
    while waiting:
        folder = posixpath.dirname(name := waiting.pop())
        paths = {posixpath.normpath(posixpath.join(folder, path)) for path in _IMPORT.findall(found[name].decode())}
        waiting += paths - names
        names |= paths
    return names


def _answer(asset: Asset, exchange: Exchange, caching: bytes, headers: list[tuple[bytes, bytes]]) -> Answer:
    etag = asset.etag.encode()
    headers += [(b"etag", etag), (b"cache-control", caching), (b"vary", b"accept-encoding")]
    if etag in exchange.headers.get(b"if-none-match", b""):
        return Answer(b"", 304, asset.content_type.encode(), headers)
    if b"gzip" not in exchange.headers.get(b"accept-encoding", b""):
        return Answer(asset.content, content_type=asset.content_type.encode(), headers=headers)
    headers.append((b"content-encoding", b"gzip"))
    return Answer(asset.compressed, content_type=asset.content_type.encode(), headers=headers)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
