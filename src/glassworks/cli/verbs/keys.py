"""`glassworks keys create`, `list`, `revoke` and `usage`: who may use the server, and who has used it how much."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from glassworks.cli.key_tables import limits, show_keys, show_usage
from glassworks.cli.output import AsJson, stdout, write_json
from glassworks.errors import InputError, NotFound

if TYPE_CHECKING:
    from glassworks.serving.access.keys import Key, KeyStore, Role
    from glassworks.serving.access.ledger import Ledger

group = typer.Typer(
    help="Access keys of the server: create, list, revoke, and what they used.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Roles = Annotated[
    list[str] | None,
    typer.Option(help="What it may do: infer (without any), viewer, operator, admin. As a,b or repeated."),
]
_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


@group.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Whose key it is, such as shop-frontend.")],
    models: Annotated[str, typer.Option(help="The models it allows, as a,b; without it all.")] = "",
    rate: Annotated[float | None, typer.Option(help="Requests a second; twice as many may come at once.")] = None,
    requests_per_day: Annotated[int | None, typer.Option(help="Requests a day (UTC).")] = None,
    rows_per_day: Annotated[int | None, typer.Option(help="Rows of input a day (UTC).")] = None,
    tokens_per_day: Annotated[int | None, typer.Option(help="Tokens of prompts and answers a day (UTC).")] = None,
    concurrent_streams: Annotated[int | None, typer.Option(help="Answers of language models at a time.")] = None,
    max_context: Annotated[int | None, typer.Option(help="Tokens of a prompt and its answer.")] = None,
    expires: Annotated[str | None, typer.Option(help="When it ends, such as 12h or 30d; without it never.")] = None,
    role: Roles = None,
    admin: Annotated[bool, typer.Option("--admin", help="May load and unload models and manage keys too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Create a key and show its secret, this once."""
    key, secret = _store().create(
        name,
        models=[model.strip() for model in models.split(",")] if models else (),
        roles=_roles(role or ["infer"], admin),
        requests_per_s=rate,
        requests_per_day=requests_per_day,
        rows_per_day=rows_per_day,
        tokens_per_day=tokens_per_day,
        concurrent_streams=concurrent_streams,
        max_context=max_context,
        expires_in_s=None if expires is None else _seconds(expires),
    )
    _show_new(key, secret, as_json)


@group.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List all keys with their limits, the revoked ones too."""
    from glassworks.serving.access.clock import Clock

    keys = _store().list()
    if as_json:
        write_json({"keys": [key.model_dump(mode="json") for key in keys]})
        return
    if not keys:
        stdout().print("no keys yet; next: glassworks keys create NAME")
        return
    show_keys(keys, Clock().now(), stdout())


@group.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(metavar="NAME_OR_ID", help="As 'keys list' shows it.")], as_json: AsJson = False
) -> None:
    """Refuse a key from now on; servers that run see it within a second."""
    revoked = _store().revoke(key)
    if as_json:
        write_json({"key": revoked.model_dump(mode="json")})
        return
    stdout().print(f"key {revoked.name} ({revoked.id}) is revoked")


@group.command("usage")
def usage(
    day: Annotated[str | None, typer.Option(help="One day (UTC), as YYYY-MM-DD.")] = None,
    key: Annotated[str | None, typer.Option(help="One key, by name or id, or 'anonymous'.")] = None,
    model: Annotated[str | None, typer.Option(help="One model.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what was used, by day, key, model and verb."""
    from glassworks.serving.access.segments import Sums

    names = {each.id: each.name for each in _store().list()}
    ids = None if key is None else _ids(key, names)
    totals = [total for total in _ledger().totals(_day(day), model=model) if ids is None or total.key_id in ids]
    if as_json:
        rows = [{**total.model_dump(), "key": names.get(total.key_id, total.key_id)} for total in totals]
        sums = {name: sum(row[name] for row in rows) for name in Sums._fields}
        write_json({"usage": rows, "total": sums})
        return
    show_usage(totals, names, stdout())


def register(program: typer.Typer) -> None:
    """Add the group."""
    program.add_typer(group, name="keys")


def _show_new(key: Key, secret: str, as_json: bool) -> None:
    if as_json:
        write_json({"key": key.model_dump(mode="json"), "secret": secret})
        return
    console = stdout()
    console.print(f"key {key.name} ({key.id}): {limits(key)}")
    console.print(secret, soft_wrap=True)
    console.print("Keep it now: it is stored nowhere and cannot be shown again. Send it with each request as")
    console.print(f"  Authorization: Bearer {secret}", soft_wrap=True)


def _roles(given: list[str], admin: bool) -> tuple[Role, ...]:
    from glassworks.serving.access.keys import INCLUDED

    known: dict[str, Role] = {name: name for name in INCLUDED}
    names = [part.strip() for each in given for part in each.split(",")]
    for name in names:
        if name not in known:
            raise InputError(f"'{name[:40]}' is not a role", f"roles are {', '.join(known)}")
    return tuple(known[name] for name in (*names, *(("admin",) if admin else ())))


def _store() -> KeyStore:
    from glassworks.registry import Registry
    from glassworks.serving.access.clock import Clock
    from glassworks.serving.access.keys import KeyStore

    return KeyStore(Registry.open().home, Clock())


def _ledger() -> Ledger:
    from glassworks.registry import Registry
    from glassworks.serving.access.clock import Clock
    from glassworks.serving.access.ledger import Ledger

    return Ledger(Registry.open().home, Clock())


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smhdw])", text.strip(), re.ASCII)
    if match is None:
        raise InputError(f"'{text[:40]}' is not a time after which a key ends", "give one such as 90m, 12h, 30d or 8w")
    return float(match[1]) * _UNITS_S[match[2]]


def _day(text: str | None) -> str | None:
    from datetime import date

    if text is None:
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise InputError(f"'{text[:40]}' is not a day", "give one as YYYY-MM-DD, such as 2026-01-31") from None


def _ids(key: str, names: dict[str, str]) -> set[str]:
    from glassworks.serving.access.keys import ANONYMOUS, shown

    ids = {identity for identity, name in names.items() if key in (identity, name)}
    if not ids and key != ANONYMOUS:
        raise NotFound(
            f"there is no key '{shown(key)}'", f"keys: {', '.join([*sorted(set(names.values())), ANONYMOUS])}"
        )
    return ids or {ANONYMOUS}
