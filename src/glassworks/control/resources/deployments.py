"""Deployments: which versions of a model answer, in what shares, and who changed that."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from glassworks.control import deploying
from glassworks.control.access import Controlled, Operator, Viewer
from glassworks.control.alike import require_alike
from glassworks.control.counting import Counted, percentile_ms
from glassworks.control.deploying import Observed
from glassworks.control.gates import require_passed
from glassworks.control.paging import After, IfMatch, Limit, Page
from glassworks.control.state import Control
from glassworks.errors import NotFound
from glassworks.registry.deployments import Revision, What
from glassworks.registry.records import CHAMPION

router = APIRouter(prefix="/deployments", tags=["deployments"])
_SHOWN = 20
Number = Annotated[int, Field(strict=True, ge=1, le=999_999_999)]
Named = Annotated[str, Field(max_length=63)]


class Served(BaseModel):
    """A version in service, with what it has answered since it was loaded."""

    version: str
    requests: int
    errors: int
    p50_ms: float | None
    p99_ms: float | None
    shadow_compared: int
    shadow_differed: int


class Deployment(BaseModel):
    """How a model is answered now. `shares` are in percent by version, empty for a model that is not in service;
    `changed_elsewhere` says that this is not what the last revision says."""

    model: str
    revision: int
    champion: int | None
    aliases: dict[str, int]
    shares: dict[str, float]
    shadow: int | None
    served: list[Served]
    changed_elsewhere: bool
    history: list[Revision]


class Wanted(BaseModel):
    """How a model is to be answered: versions, or aliases for those that they name now. Without `champion` it stays,
    without `shares` all requests go to it, without `shadow` there is none."""

    champion: Number | Named | None = None
    shares: dict[Named, Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]] = Field(
        default_factory=dict, max_length=20
    )
    shadow: Number | Named | None = None
    force: bool = Field(default=False, description="Although inputs or labels differ, or the champion fell on a gate.")


class Reference(BaseModel):
    """What to load: a name, `name@3` or `name@candidate`."""

    reference: str = Field(max_length=130)


class Back(BaseModel):
    """The revision to go back to; without it the last one in which other versions answered."""

    revision: Number | None = None


@router.get("")
def list_deployments(control: Controlled, caller: Viewer, limit: Limit = 50, after: After = "") -> Page[Deployment]:
    """Models that are in service or were changed here, by their names."""
    models = control.serving.dispatcher.models

    async def served() -> set[str]:
        return set(models.names())

    known = set(control.registry.models())
    names = sorted(control.live.ask(served) | (set(control.deployments.models()) & known))
    found = [name for name in names if name > after]
    items = [_deployment(control, deploying.observe(control, name)) for name in found[:limit]]
    return Page(items=items, next=found[limit - 1] if len(found) > limit else None)


@router.post("", status_code=201)
def load_model(control: Controlled, caller: Operator, asked: Reference, response: Response) -> Deployment:
    """Bring a model into service. Raises what keeps it from being opened."""
    return _answered(control, deploying.load(control, asked.reference, caller.name), response)


@router.get("/{name}")
def get_deployment(control: Controlled, caller: Viewer, name: str, response: Response) -> Deployment:
    """How a model is answered; its ETag is what a change needs. Counts change without it."""
    return _answered(control, deploying.observe(control, name), response)


@router.put("/{name}")
def change_deployment(
    control: Controlled, caller: Operator, name: str, asked: Wanted, response: Response, if_match: IfMatch = None
) -> Deployment:
    """Let other versions answer, at once: they are opened first, and where one cannot be, nothing changes."""
    found = deploying.observe(control, name)
    deploying.require_current(if_match, found)
    wanted = deploying.checked(control, found, asked.champion, asked.shares, asked.shadow)
    if not asked.force and wanted != found.split:
        require_alike(control, name, wanted)
    forced = False
    if wanted.champion is not None and wanted.champion != found.split.champion:
        crowned = control.registry.find(f"{name}@{wanted.champion}")
        forced = require_passed(control, crowned, CHAMPION, caller, force=asked.force)
    what: What = "forced" if forced else "changed"
    return _answered(control, deploying.change(control, found, wanted, caller.name, what), response)


@router.post("/{name}/rollback")
def roll_back(
    control: Controlled,
    caller: Operator,
    name: str,
    response: Response,
    if_match: IfMatch = None,
    asked: Back | None = None,
) -> Deployment:
    """Restore champion, shares and shadow of before; again, and it goes further back."""
    found = deploying.observe(control, name)
    deploying.require_current(if_match, found)
    wanted = asked.revision if asked is not None else None
    return _answered(control, deploying.roll_back(control, found, wanted, caller.name), response)


@router.delete("/{name}")
def unload_model(control: Controlled, caller: Operator, name: str, response: Response) -> Deployment:
    """Take a model out of service; what it is answering ends first. It stays out over a restart, unless named there."""
    found = deploying.observe(control, name)
    if not found.served:
        raise NotFound(f"'{name}' is not in service", "there is nothing to unload")
    serving = deploying.repository(control)
    control.live.ask(lambda: serving.unload(name))
    deploying.note(control, found, caller.name, "unloaded")
    return _deployment(control, deploying.observe(control, name))


@router.get("/{name}/history")
def list_revisions(
    control: Controlled,
    caller: Viewer,
    name: str,
    limit: Limit = 50,
    after: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
) -> Page[Revision]:
    """All changes, the newest first."""
    found = control.deployments.history(name, after, limit + 1)
    return Page(items=list(found[:limit]), next=str(found[limit - 1].revision) if len(found) > limit else None)


def _answered(control: Control, found: Observed, response: Response) -> Deployment:
    response.headers["etag"] = found.etag
    response.headers["cache-control"] = "no-cache"
    return _deployment(control, found)


def _deployment(control: Control, found: Observed) -> Deployment:
    return Deployment(
        model=found.name,
        revision=found.number,
        champion=found.split.champion,
        aliases=dict(found.aliases),
        shares=dict(found.split.shares or {}),
        shadow=found.split.shadow,
        served=[_served(each) for each in found.served],
        changed_elsewhere=found.last is not None and found.differs,
        history=list(control.deployments.history(found.name, limit=_SHOWN)),
    )


def _served(counted: Counted) -> Served:
    return Served(
        version=counted.version,
        requests=counted.requests,
        errors=counted.errors,
        p50_ms=percentile_ms(counted.latency_bounds, counted.latency, 0.5),
        p99_ms=percentile_ms(counted.latency_bounds, counted.latency, 0.99),
        shadow_compared=counted.shadow_compared,
        shadow_differed=counted.shadow_differed,
    )
