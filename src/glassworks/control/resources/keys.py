"""Access keys: made (the secret is shown once), listed, revoked."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from glassworks.control.access import Admin, Controlled
from glassworks.control.paging import After, Limit, Page
from glassworks.control.state import Control
from glassworks.errors import Conflict, InputError
from glassworks.serving.access.clock import Clock
from glassworks.serving.access.keys import Key, KeyStore, Role

router = APIRouter(prefix="/keys", tags=["keys"])
_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_COUNT = Field(default=None, strict=True, gt=0, lt=2**63)
State = Literal["valid", "expired", "revoked"]


class ShownKey(Key):
    """A key without its secret; `state` says whether it can be used."""

    state: State


class NewKey(BaseModel):
    """A key to be made. Without a limit it may do anything of its kind; without `models` it is for all."""

    name: str = Field(max_length=63, examples=["shop-frontend"])
    models: list[Annotated[str, Field(max_length=63)]] = Field(default=[], max_length=100)
    roles: list[Role] = Field(default=["infer"], min_length=1, max_length=4)
    expires_in: float | str | None = Field(default=None, examples=["30d"], description="Seconds, or 12h, 30d, 8w.")
    requests_per_s: float | None = Field(default=None, gt=0, le=1e9, allow_inf_nan=False)
    requests_per_day: int | None = _COUNT
    rows_per_day: int | None = _COUNT
    tokens_per_day: int | None = _COUNT
    concurrent_streams: int | None = _COUNT
    max_context: int | None = _COUNT


class MadeKey(BaseModel):
    """A new key. The secret is kept nowhere, and cannot be had again."""

    key: ShownKey
    secret: str


@router.get("")
def list_keys(
    control: Controlled,
    caller: Admin,
    limit: Limit = 50,
    after: After = "",
    state: Annotated[State | None, Query(description="Only these.")] = None,
) -> Page[ShownKey]:
    """All keys, the newest first; those that were revoked too."""
    keys = [shown(key) for key in reversed(_store(control).list())]
    ids = [key.id for key in keys]
    if after and after not in ids:
        raise InputError(f"'{after[:20]}' is no key of the page before", "begin again without 'after'")
    found = [key for key in keys[ids.index(after) + 1 if after else 0 :] if state in (None, key.state)]
    return Page(items=found[:limit], next=found[limit - 1].id if len(found) > limit else None)


@router.post("", status_code=201)
def create_key(control: Controlled, caller: Admin, asked: NewKey, response: Response) -> MadeKey:
    """Make a key. Its secret is in this answer, and nowhere else."""
    limits: dict[str, Any] = asked.model_dump(exclude={"name", "models", "roles", "expires_in"})
    seconds = None if asked.expires_in is None else _seconds(asked.expires_in)
    key, secret = _store(control).create(
        asked.name, models=asked.models, roles=asked.roles, expires_in_s=seconds, **limits
    )
    response.headers["cache-control"] = "no-store"
    return MadeKey(key=shown(key), secret=secret)


@router.delete("/{key}")
def revoke_key(
    control: Controlled, caller: Admin, key: Annotated[str, Path(max_length=63, description="Its id, or its name.")]
) -> ShownKey:
    """Refuse a key within a second; whoever is signed in with it is signed out."""
    store = _store(control)
    if control.serving.sessions is not None and _is_last_admin(store, key):
        raise Conflict(
            f"'{key}' is the only key with the role 'admin'", "create another one with that role, then revoke this one"
        )
    return shown(store.revoke(key))


def shown(key: Key) -> ShownKey:
    """A key with its state."""
    expired = key.expires_at is not None and key.expires_at <= datetime.now(UTC)
    state: State = "revoked" if key.revoked_at else "expired" if expired else "valid"
    return ShownKey(**key.model_dump(), state=state)


def _is_last_admin(store: KeyStore, id_or_name: str) -> bool:
    admins = [key for key in store.list() if shown(key).state == "valid" and "admin" in key.roles]
    return len(admins) == 1 and id_or_name in (admins[0].id, admins[0].name)


def _seconds(given: float | str) -> float:
    if not isinstance(given, str):
        return given
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smhdw])", given.strip(), re.ASCII)
    if match is None:
        raise InputError(f"'{given[:40]}' is not a time after which a key ends", "give one such as 90m, 12h, 30d or 8w")
    return float(match[1]) * _UNITS_S[match[2]]


def _store(control: Control) -> KeyStore:
    return KeyStore(control.home, Clock())
