"""Models and their versions: cards, metrics, lineage, comparison, aliases."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from glassworks.contracts import ClassMeasurement
from glassworks.control import deploying
from glassworks.control.access import Controlled, Operator, Viewer
from glassworks.control.comparing import Comparison, compared
from glassworks.control.describing import ModelSummary, VersionSummary, etag_of, served, summaries, version_of
from glassworks.control.gates import require_passed
from glassworks.control.lineage import Graph, graph_of
from glassworks.control.paging import After, IfMatch, Limit, Page, require_match, tag, unchanged
from glassworks.control.requests import SampleRequest, samples_of, shown
from glassworks.control.state import Control
from glassworks.errors import Conflict, NotFound
from glassworks.registry import Version
from glassworks.registry.deployments import What
from glassworks.registry.records import CHAMPION, check_alias
from glassworks.serving.access.gate import Caller

router = APIRouter(prefix="/models", tags=["models"])
_LABELS = 1000
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "It is as the client knows it."}}
Model = Annotated[str, Path(max_length=63, examples=["digits"])]
Which = Annotated[str, Path(max_length=63, description="A number, or an alias.")]


class VersionDetail(VersionSummary):
    """A version with all that its bundle says."""

    card: str
    job: dict[str, Any]
    report: dict[str, Any] | None
    """The search for what to serve: every candidate with its measurements, and why one was chosen."""
    fidelity: dict[str, float]
    explainers: list[str]
    signature: dict[str, Any]
    preprocessing: dict[str, Any]
    label_names: list[str]
    classes: list[ClassMeasurement]
    """How each class fares on the test split."""
    libraries: dict[str, str]
    license: str
    lineage: Graph
    run: str | None
    samples: list[SampleRequest]


class AliasTarget(BaseModel):
    """A version by its number."""

    version: int = Field(ge=1, le=999_999_999)
    force: bool = Field(default=False, description="Although it fell on a gate; this is kept.")


class AliasState(BaseModel):
    """An alias, and the version that it names."""

    model: str
    alias: str
    version: int


@router.get("")
def list_models(
    control: Controlled,
    caller: Viewer,
    limit: Limit = 50,
    after: After = "",
    query: Annotated[str, Query(max_length=100, description="Only those whose name has this in it.")] = "",
) -> Page[ModelSummary]:
    """All models of the registry, by their names."""
    names = [name for name in control.registry.models() if name > after and query.lower() in name]
    more = names[limit - 1] if len(names) > limit else None
    return Page(items=summaries(control, names[:limit]), next=more)


@router.get("/{name}", responses=NOT_MODIFIED, response_model=ModelSummary)
def get_model(control: Controlled, caller: Viewer, name: Model, request: Request, response: Response) -> Any:
    """One model. Its ETag changes with its aliases and versions."""
    control.registry.find(name)
    (found,) = summaries(control, [name])
    if unchanged(request, response, etag_of(name, found.aliases, found.newest)):
        return Response(status_code=304, headers=dict(response.headers))
    return found


@router.get("/{name}/versions")
def list_versions(
    control: Controlled,
    caller: Viewer,
    name: Model,
    limit: Limit = 50,
    after: Annotated[int | None, Query(ge=1, lt=2**31, description="What `next` of the page before said.")] = None,
) -> Page[VersionSummary]:
    """The versions of a model, the newest first."""
    versions = [each for each in reversed(control.registry.versions(name)) if after is None or each.version < after]
    in_service = served(control)
    more = str(versions[limit - 1].version) if len(versions) > limit else None
    return Page(items=[version_of(control, each, in_service) for each in versions[:limit]], next=more)


@router.get("/{name}/versions/{version}", responses=NOT_MODIFIED, response_model=VersionDetail)
def get_version(
    control: Controlled, caller: Viewer, name: Model, version: Which, request: Request, response: Response
) -> Any:
    """One version, with its card, the report of its search, its lineage and sample requests."""
    found = control.registry.find(f"{name}@{version}")
    summary = version_of(control, found, served(control))
    run = control.runs.made(found.reference)
    if unchanged(request, response, tag(summary.model_dump(), run)):
        return Response(status_code=304, headers=dict(response.headers))
    return _detail(control, found, summary, run)


@router.get("/{name}/compare")
def compare_versions(
    control: Controlled,
    caller: Viewer,
    name: Model,
    a: Annotated[str, Query(max_length=63, description="A number, or an alias.")],
    b: Annotated[str, Query(max_length=63, description="Another one.")],
) -> Comparison:
    """Two versions side by side. Where both are in service they answer the same sample requests now."""
    return compared(control, control.registry.find(f"{name}@{a}"), control.registry.find(f"{name}@{b}"))


@router.get("/{name}/aliases/{alias}", responses=NOT_MODIFIED, response_model=AliasState)
def get_alias(
    control: Controlled, caller: Viewer, name: Model, alias: Which, request: Request, response: Response
) -> Any:
    """The version that an alias names; its ETag is what a change of it needs."""
    version = control.registry.find(f"{name}@{check_alias(alias)}").version
    if unchanged(request, response, _alias_etag(name, alias, version)):
        return Response(status_code=304, headers=dict(response.headers))
    return AliasState(model=name, alias=alias, version=version)


@router.put("/{name}/aliases/{alias}")
def set_alias(
    control: Controlled,
    caller: Operator,
    name: Model,
    alias: Which,
    asked: AliasTarget,
    response: Response,
    if_match: IfMatch = None,
) -> AliasState:
    """Let an alias name another version, at once where it is in service, unless it fell on a gate. `If-Match` has the
    ETag of the alias, or that of the model for a new one."""
    _matched(control, name, alias, if_match)
    found = control.registry.find(f"{name}@{asked.version}")
    forced, version = require_passed(control, found, alias, caller, force=asked.force), found.version
    if alias == CHAMPION:
        _crown(control, name, version, caller, "forced" if forced else "changed")
    else:
        control.registry.set_alias(name, version, alias)
        _follow(control)
    response.headers["etag"] = _alias_etag(name, alias, version)
    return AliasState(model=name, alias=alias, version=version)


@router.delete("/{name}/aliases/{alias}", status_code=204)
def remove_alias(
    control: Controlled, caller: Operator, name: Model, alias: Which, if_match: IfMatch = None
) -> Response:
    """Let an alias name nothing."""
    if _matched(control, name, alias, if_match) is None:
        raise NotFound(f"the model '{name}' has no alias '{alias}'", "there is nothing to remove")
    if alias == CHAMPION and name in served(control):
        raise Conflict(
            f"'{name}' is in service, and its champion answers", "let another version be the champion, or unload it"
        )
    control.registry.remove_alias(name, alias)
    _follow(control)
    return Response(status_code=204)


def _crown(control: Control, name: str, version: int, caller: Caller, what: What) -> None:
    """A champion that takes over all requests of the one before, or the share that is fixed for its version."""
    found = deploying.observe(control, name)
    if not found.served:
        control.registry.set_alias(name, version, CHAMPION)
        return
    split = found.split
    whole = split.shares is not None and len(split.shares) == 1
    shares = {str(version): 100.0} if whole else split.shares
    deploying.change(control, found, deploying.Split(version, shares, split.shadow), caller.name, what)


def _matched(control: Control, name: str, alias: str, given: str | None) -> int | None:
    """The version that an alias names now. Raises Unconditional and Changed."""
    versions = control.registry.versions(name)
    aliases = {each: version.version for version in versions for each in version.aliases}
    now = aliases.get(check_alias(alias))
    model = etag_of(name, aliases, versions[-1].version)
    matching = model if given is not None and given.strip() == model else _alias_etag(name, alias, now)
    require_match(given, matching, f"the alias '{alias}' of '{name}'")
    return now


def _follow(control: Control) -> None:
    if control.serving.repository is not None:
        control.live.ask(control.serving.repository.follow_once)


def _alias_etag(name: str, alias: str, version: int | None) -> str:
    return tag("alias", name, alias, version)


def _detail(control: Control, version: Version, summary: VersionSummary, run: str | None) -> VersionDetail:
    manifest = control.registry.manifest(version)
    report = _text(control, version, "optimization.json")
    return VersionDetail(
        **summary.model_dump(),
        card=_text(control, version, "card.md"),
        job=manifest.job,
        report=json.loads(report) if report else None,
        fidelity=manifest.fidelity,
        explainers=list(manifest.explainers),
        signature=manifest.signature.model_dump(mode="json"),
        preprocessing=manifest.preprocessing,
        label_names=list(manifest.labels[:_LABELS]),
        classes=list(manifest.classes[:_LABELS]),
        libraries=manifest.libraries,
        license=manifest.license,
        lineage=graph_of(control, version, run),
        run=run,
        samples=[shown(each, manifest.task, manifest.labels) for each in samples_of(control, version)],
    )


def _text(control: Control, version: Version, name: str) -> str:
    """A text of the bundle; empty where it has none."""
    try:
        return control.registry.file(version, name).decode("utf-8", "replace")
    except NotFound:
        return ""
