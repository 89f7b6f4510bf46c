"""Usage: what was asked for by whom, by day, key, model, version and verb."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from glassworks.control.access import Controlled, Viewer
from glassworks.control.using import BY, added_up, as_csv
from glassworks.errors import InputError
from glassworks.serving.access.clock import Clock
from glassworks.serving.access.keys import KeyStore
from glassworks.serving.access.ledger import Ledger

router = APIRouter(prefix="/usage", tags=["usage"])
_DAY = r"^([0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]))?$"
_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}


class Used(BaseModel):
    """What was used by one group; what it is not grouped by is null. Days are in UTC."""

    day: str | None = None
    key_id: str | None = None
    name: str | None = None
    model: str | None = None
    version: str | None = None
    verb: str | None = None
    requests: int
    errors: int
    rows: int
    tokens: int
    compute_us: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int


class Usage(BaseModel):
    """All groups. `counted` is false where nothing is: usage is counted where callers need keys."""

    items: list[Used]
    counted: bool


@router.get("", responses=_CSV, response_model=Usage)
def get_usage(
    control: Controlled,
    caller: Viewer,
    first: Annotated[str, Query(alias="from", pattern=_DAY, description="The first day (UTC).")] = "",
    last: Annotated[str, Query(alias="to", pattern=_DAY, description="The last day (UTC).")] = "",
    by: Annotated[str, Query(max_length=60, description="Groups, as day,key,model.")] = "day,key,model,version,verb",
    form: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
) -> Any:
    """What all keys have used for the role `admin`, else what your own key has."""
    groups = _groups(by)
    _check_days(first, last)
    own = None if "admin" in caller.roles else caller.key_id
    totals = Ledger(control.home, Clock()).totals(key=own)
    wanted = [each for each in totals if first <= each.day <= (last or each.day)]
    names = {key.id: key.name for key in KeyStore(control.home, Clock()).list()}
    rows = added_up(wanted, names, groups)
    if form == "csv":
        headers = {"content-disposition": 'attachment; filename="usage.csv"', "cache-control": "no-store"}
        return Response(as_csv(rows, groups), media_type="text/csv; charset=utf-8", headers=headers)
    counted = control.serving.dispatcher.admission.written
    return Usage(items=[Used.model_validate(row) for row in rows], counted=counted)


def _check_days(*days: str) -> None:
    for day in filter(None, days):
        try:
            date.fromisoformat(day)
        except ValueError:
            raise InputError(f"{day} is no day", "give one as YYYY-MM-DD, such as 2026-01-31") from None


def _groups(by: str) -> list[str]:
    groups = [part.strip() for part in by.split(",") if part.strip()]
    for group in groups:
        if group not in BY:
            raise InputError(f"usage is not counted by '{group[:40]}'", f"give some of: {', '.join(BY)}")
    return list(dict.fromkeys(groups))
