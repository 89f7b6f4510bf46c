"""Lists that clients read page by page, and the queries that ask for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from glassworks.errors import NotFound
from glassworks.serving.batches.batches import Batches
from glassworks.serving.endpoints import Context
from glassworks.serving.failures import WrongParameter
from glassworks.serving.transports.http.exchange import Answer, Exchange, json_answer


def query(exchange: Exchange, *known: str, mapping: str = "-") -> Mapping[str, str]:
    """What stands behind the path, of a `mapping` such as `metadata[KEY]` too. Raises WrongParameter for what is not
    known."""
    text = exchange.target.partition(b"?")[2].decode("latin-1")
    found = dict(parse_qsl(text, keep_blank_values=True))
    for name in found:
        if name not in known and not (name.startswith(f"{mapping}[") and name.endswith("]")):
            mend = f"leave it out; known are: {', '.join(known)}"
            raise WrongParameter(
                f"the parameter '{name[:100]}' is not supported", mend, name[:100], "unsupported_parameter"
            )
    return found


def limit_of(asked: Mapping[str, str], default: int, most: int) -> int:
    """How many are wanted at most. Raises WrongParameter."""
    text = asked.get("limit", str(default))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= most):
        raise WrongParameter(f"limit is {text[:40]!r}", f"give a whole number from 1 to {most:,}", "limit")
    return int(text)


def one_of(asked: Mapping[str, str], name: str, default: str, *known: str) -> str:
    """What is wanted of several. Raises WrongParameter."""
    value = asked.get(name, default)
    if value not in (default, *known):
        raise WrongParameter(f"{name} is {value[:40]!r}", f"give one of: {', '.join(dict.fromkeys(known))}", name)
    return value


def page(items: Sequence[Mapping[str, Any]], more: bool) -> Answer:
    """A part of a list; the next one is asked for with `after` and the last id."""
    first, last = (items[0]["id"], items[-1]["id"]) if items else (None, None)
    return json_answer({"object": "list", "data": items, "first_id": first, "last_id": last, "has_more": more})


def kept(context: Context) -> Batches:
    """Where files and batches are. Raises NotFound."""
    if context.batches is None:
        raise NotFound("this service keeps no files", "start it with 'glassworks serve'")
    return context.batches
