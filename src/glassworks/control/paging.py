"""Long lists, a page at a time."""

from __future__ import annotations

import hashlib
from typing import Annotated, Generic, TypeVar

from fastapi import Header, Query, Request, Response
from pydantic import BaseModel

from glassworks.errors import Changed, Unconditional

T = TypeVar("T")
Limit = Annotated[int, Query(ge=1, le=200, description="Items of a page.")]
After = Annotated[str, Query(max_length=200, description="What `next` of the page before said.")]
IfMatch = Annotated[str | None, Header(max_length=200, description="The ETag of what is to be changed.")]


class Page(BaseModel, Generic[T]):
    """Some of a list; `next` is for the parameter `after` of the next page, and null at the end."""

    items: list[T]
    next: str | None = None


def tag(*parts: object) -> str:
    """An ETag of what identifies a state."""
    return '"' + hashlib.sha256(repr(parts).encode()).hexdigest()[:20] + '"'


def unchanged(request: Request, response: Response, etag: str) -> bool:
    """Give the answer its ETag; whether the client has that already, so that 304 is enough."""
    response.headers["etag"] = etag
    response.headers["cache-control"] = "no-cache"
    given = request.headers.get("if-none-match", "")
    return etag in [each.strip().removeprefix("W/") for each in given.split(",")]


def require_match(given: str | None, etag: str, what: str, who: str = "") -> None:
    """Raises Unconditional without `If-Match`, and Changed where it names another state."""
    if given is None:
        raise Unconditional(
            f"a change of {what} needs the header If-Match", "read it first, and send the ETag of that answer"
        )
    if given.strip() not in ("*", etag):
        by = f" by {who}" if who else ""
        raise Changed(f"{what} was changed{by} since you read it", "read it again, and decide anew")
