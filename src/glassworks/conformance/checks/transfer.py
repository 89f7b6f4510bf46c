"""How bodies travel: compressed, in chunks."""

from __future__ import annotations

import gzip
import json
import zlib

from glassworks.conformance.target import Failed, Target


def _body(target: Target) -> bytes:
    return json.dumps(target.request()).encode()


def c10_gzip(target: Target) -> None:
    """A request in gzip is read."""
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    target.send("POST", f"{target.path}/infer", gzip.compress(_body(target)), headers).expect(200)


def c10_deflate(target: Target) -> None:
    """A request in deflate (zlib) is read."""
    headers = {"Content-Encoding": "deflate", "Content-Type": "application/json"}
    target.send("POST", f"{target.path}/infer", zlib.compress(_body(target)), headers).expect(200)


def c10_no_gzip(target: Target) -> None:
    """A body that is not the gzip it says it is is 400."""
    target.send("POST", f"{target.path}/infer", _body(target), {"Content-Encoding": "gzip"}).refused()


def c10_gzip_that_is_cut(target: Target) -> None:
    """A gzip stream that is cut off is 400."""
    packed = gzip.compress(_body(target))[:-12]
    target.send("POST", f"{target.path}/infer", packed, {"Content-Encoding": "gzip"}).refused()


def c10_unknown_encoding(target: Target) -> None:
    """An unknown content encoding is 400 or 415."""
    target.send("POST", f"{target.path}/infer", _body(target), {"Content-Encoding": "rot13"}).refused(400, 415)


def c10_accepted_encoding(target: Target) -> None:
    """Accept-Encoding: gzip gives gzip, or what was not compressed."""
    headers = {"Accept-Encoding": "gzip", "Content-Type": "application/json"}
    reply = target.send("POST", f"{target.path}/infer", _body(target), headers).expect(200)
    content = reply.body
    if reply.headers.get("content-encoding") == "gzip":
        content = gzip.decompress(content)
    if "outputs" not in json.loads(content):
        raise Failed("no outputs")


def c10_chunks(target: Target) -> None:
    """A chunked body is read."""
    body = _body(target)
    third = len(body) // 3
    parts = iter([body[:third], body[third : 2 * third], body[2 * third :]])
    target.send("POST", f"{target.path}/infer", parts, {"Content-Type": "application/json"}).expect(200)
