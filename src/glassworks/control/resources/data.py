"""Data: the samples and what was uploaded; looked at, checked, taken away."""

from __future__ import annotations

import contextlib
import re
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel

from glassworks.catalog import first_paragraph, found, named
from glassworks.contracts import Sample
from glassworks.control.access import Controlled, Operator, Viewer
from glassworks.control.facts import made_of, uploads_named
from glassworks.control.paging import After, Limit, Page
from glassworks.control.resources.drafts import Understanding
from glassworks.control.state import Control
from glassworks.data.findings import listed
from glassworks.data.preview import ClassCount, Example, open_preview
from glassworks.data.roles import Column
from glassworks.data.uploads.records import Item
from glassworks.data.uploads.store import DataStore
from glassworks.drafts import data_keys, draft_job
from glassworks.errors import Conflict, GlassworksError, InputError
from glassworks.runs import Run
from glassworks.runs.records import OPEN
from glassworks.sentences import Sentence

router = APIRouter(prefix="/data", tags=["data"])
_KINDS: dict[str, Literal["pictures", "texts", "interactions"]] = {
    "pictures": "pictures",
    "texts": "texts",
    "interactions": "interactions",
}
_READ_AGAIN = ("evaluate", "optimize")
"""Kinds of runs that read the data which the job of their model names."""
_SAMPLE, _IMMUTABLE = "sample:", "private, max-age=31536000, immutable"
_PNG: dict[int | str, dict[str, object]] = {
    200: {"description": "A PNG of at most 256 x 256 pixels.", "content": {"image/png": {}}}
}


class DataItem(BaseModel):
    """Data as jobs name them, by `source`. `id` names them here; `kind` is null where a table can be read as texts and
    as interactions; `examples` is null where that takes counting."""

    source: str
    id: str
    name: str
    kind: Literal["pictures", "texts", "interactions"] | None
    origin: Literal["sample", "uploaded"]
    examples: int | None = None
    size_bytes: int | None = None
    created_at: str | None = None
    about: str = ""


class Suggestion(BaseModel):
    """A first job for the data."""

    family: str
    toml: str
    reasons: list[Sentence]


class Hindrance(BaseModel):
    """Why there is no first job for the data."""

    problem: str
    mend: str


class DataDetails(DataItem):
    """With a look into the data; `suggested` is null where nothing is clear, and `problems` says why. `parts` are
    columns that are one text together. `models` are the registered versions that were made of the data."""

    classes: list[ClassCount]
    columns: list[Column]
    roles: dict[str, str]
    parts: list[str]
    problems: list[Hindrance]
    suggested: Suggestion | None
    models: list[str]


class ShownExample(BaseModel):
    """An example by its number: a text, a row of a table, or the address of a picture."""

    index: int
    label: str | None = None
    text: str | None = None
    row: dict[str, str] | None = None
    picture: str | None = None


@router.get("")
def list_data(control: Controlled, caller: Viewer, limit: Limit = 50, after: After = "") -> Page[DataItem]:
    """What was uploaded, the newest first, then the samples."""
    everything = [*map(item_of, DataStore(control.home).items()), *map(_sample, found(Sample))]
    begin = next((number for number, each in enumerate(everything, 1) if each.id == after), 0)
    if after and not begin:
        raise InputError("the page before is not known", "begin with the first page")
    shown = everything[begin : begin + limit]
    return Page(items=shown, next=shown[-1].id if len(everything) > begin + limit else None)


@router.get("/{item}")
def get_data(control: Controlled, caller: Viewer, item: str) -> DataDetails:
    """Classes, columns, and a first job; what is not clear is among the problems."""
    about = _found(control, item)
    look = open_preview(about.source)
    layout, problems, suggested = look.layout(), [], None
    try:
        draft = draft_job(about.source, registry=control.registry)
        suggested = Suggestion(family=draft.family, toml=draft.toml, reasons=list(draft.reasons))
    except GlassworksError as error:
        problems.append(Hindrance(problem=error.problem, mend=error.mend))
    return DataDetails(
        **{**about.model_dump(), "examples": look.examples()},
        classes=list(look.classes()),
        columns=list(layout.columns),
        roles=dict(layout.roles),
        parts=list(layout.parts),
        problems=problems,
        suggested=suggested,
        models=[] if about.origin == "sample" else made_of(control, about.id),
    )


@router.get("/{item}/examples")
def list_examples(
    control: Controlled,
    caller: Viewer,
    item: str,
    of: Annotated[str, Query(alias="class", max_length=300, description="Only of this class.")] = "",
    limit: Limit = 50,
    after: After = "",
) -> Page[ShownExample]:
    """Examples in their order."""
    about = _found(control, item)
    if not re.fullmatch("[0-9]{0,15}", after, re.ASCII):
        raise InputError("the page before is not known", "begin with the first page")
    page = open_preview(about.source).page(int(after or -1), limit, of)
    return Page(
        items=[_shown(about, example) for example in page.items], next=None if page.next is None else str(page.next)
    )


@router.get("/{item}/pictures/{index}", responses=_PNG, response_class=Response)
def get_picture(
    control: Controlled, caller: Viewer, item: str, index: Annotated[int, Path(ge=0, lt=2**31)]
) -> Response:
    """A picture, small. It never changes."""
    content = open_preview(_found(control, item).source).thumbnail(index)
    headers = {"cache-control": _IMMUTABLE, "x-content-type-options": "nosniff"}
    return Response(content, media_type="image/png", headers=headers)


@router.post("/{item}/check", status_code=201)
def check_data(control: Controlled, caller: Operator, item: str, how: Understanding | None = None) -> Run:
    """Queue a run whose result says what is wrong: copies, contradictions, labels that look wrong, leaks."""
    how = how or Understanding()
    kind, data = data_keys(_found(control, item).source, kind=how.kind, columns=how.named())
    return control.runs.submit("check", {"data": data, "kind": kind}, who=caller.name)


@router.delete("/{item}", status_code=204)
def delete_data(
    control: Controlled,
    caller: Operator,
    item: str,
    force: Annotated[bool, Query(description="Even where registered models were made of it.")] = False,
) -> Response:
    """Take away what was uploaded, unless a run that has not ended uses it. Models that were made of it stay."""
    if item.startswith(_SAMPLE):
        raise InputError(f"'{item[:80]}' is a sample", "only what was uploaded can be taken away")
    store = DataStore(control.home)
    about = store.find(item)
    if run := _user(control, about):
        raise Conflict(f"run {run.id} of '{run.about}' uses it", "cancel that run first, or wait for its end")
    if not force and (models := made_of(control, about.id)):
        raise Conflict(
            f"these were made of '{about.name}' and could not be trained or measured on it again: {listed(models)}",
            "keep it; or take it away all the same with ?force=true: the models themselves stay",
        )
    store.delete(about)
    return Response(status_code=204)


def item_of(item: Item) -> DataItem:
    """What was uploaded as an answer."""
    return DataItem(
        source=item.source,
        id=item.id,
        name=item.name,
        kind=item.kind,
        origin="uploaded",
        examples=item.examples,
        size_bytes=item.size_bytes,
        created_at=item.created_at,
        about="; ".join(item.notes),
    )


def _sample(name: str) -> DataItem:
    sample = named(Sample, name)
    return DataItem(
        source=f"{_SAMPLE}{name}",
        id=f"{_SAMPLE}{name}",
        name=name,
        kind=_KINDS.get(next(iter(sample.kinds()), "")),
        origin="sample",
        about=first_paragraph(type(sample)),
    )


def _found(control: Control, item: str) -> DataItem:
    """Raises NotFound."""
    if item.startswith(_SAMPLE):
        return _sample(item.removeprefix(_SAMPLE))
    return item_of(DataStore(control.home).find(item))


def _shown(about: DataItem, example: Example) -> ShownExample:
    address = f"/api/v1/data/{quote(about.id, safe='')}/pictures/{example.index}" if example.picture else None
    return ShownExample(**example.model_dump(exclude={"picture"}), picture=address)


def _user(control: Control, item: Item) -> Run | None:
    """A run that has not ended and uses the item."""
    before = ""
    while runs := control.runs.list(OPEN, before=before):
        for run in runs:
            if any(item.id.startswith(each) for each in _named(control, run)):
                return run
        before = runs[-1].id
    return None


def _named(control: Control, run: Run) -> tuple[str, ...]:
    """What its request names, and where it reads the data of a model's job again, those."""
    named = uploads_named(run.request)
    if run.kind in _READ_AGAIN and not run.request.get("data"):
        with contextlib.suppress(GlassworksError):  # a model that is gone or damaged fails by itself
            named += control.facts.of(control.registry.find(str(run.request.get("model")))).uploaded
    return named
