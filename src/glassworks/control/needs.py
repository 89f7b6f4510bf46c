"""What needs somebody: each with its mend, and where the console shows it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel

from glassworks.control.state import Control
from glassworks.errors import GlassworksError
from glassworks.runs import Run
from glassworks.runs.presence import anybody
from glassworks.sentences import sentence
from glassworks.serving.access.clock import Clock
from glassworks.serving.access.keys import KeyStore
from glassworks.serving.supervision import Trouble

_DAY_S = 86_400.0
_SOON = timedelta(days=7)
_FULL_BYTES = 2 * 2**30
_MANY_ERRORS, _ENOUGH_REQUESTS = 0.05, 20
_MUCH_DIFFERENCE, _ENOUGH_ROWS = 0.05, 100
_RUNS = 200
_WATCHER = "registry watcher"
"""What keeps versions from being opened is said one by one."""


class Need(BaseModel):
    """Something that somebody should look at; `link` is where the console shows it. `values` are those of the
    sentences, which have the codes `need.CODE` and `need.CODE.mend`."""

    code: str
    subject: str
    problem: str
    mend: str
    link: str
    values: dict[str, int | float | str]


def needs(control: Control, *, admin: bool) -> Iterator[Need]:
    """All of them; those of keys only for who may see keys."""
    troubles, unopened = _live(control)
    yield from _troubles({part: each for part, each in troubles.items() if part != _WATCHER or not unopened})
    yield from _unopened(unopened)
    yield from _runs(control)
    yield from _disk(control)
    yield from _rates(control)
    yield from _openness(control)
    if admin:
        yield from _keys(control)


def _need(code: str, subject: str, link: str, **values: int | float | str) -> Need:
    """What is said of a subject, which is among the values."""
    problem, mend = (sentence(f"need.{each}", subject=subject, **values) for each in (code, f"{code}.mend"))
    return Need(code=code, subject=subject, problem=problem.text, mend=mend.text, link=link, values=problem.values)


def _live(control: Control) -> tuple[Mapping[str, Trouble], Mapping[str, GlassworksError]]:
    models, repository = control.serving.dispatcher.models, control.serving.repository

    async def look() -> tuple[Mapping[str, Trouble], Mapping[str, GlassworksError]]:
        return models.supervisor.troubles, repository.problems if repository is not None else {}

    return control.live.ask(look)


def _troubles(troubles: Mapping[str, Trouble]) -> Iterator[Need]:
    for part, trouble in troubles.items():
        if trouble.lasting:
            yield _need("trouble", part, "#/serve", problem=trouble.lasting)
        elif trouble.lost:
            yield _need("lost", part, "#/keys" if part == "usage ledger" else "#/serve", n=trouble.lost)


def _unopened(problems: Mapping[str, GlassworksError]) -> Iterator[Need]:
    for reference, error in problems.items():
        link = f"#/models/{reference.partition('@')[0]}"
        yield _need("version-not-opened", reference, link, problem=error.problem, advice=error.mend)


def _runs(control: Control) -> Iterator[Need]:
    recent = control.runs.list(limit=_RUNS)
    for run in recent:
        if run.state == "failed" and (run.ended_at or 0.0) > time.time() - _DAY_S and not _made_good(run, recent):
            error = run.error
            problem, advice = (error.problem, error.mend) if error else ("it failed", "look at its log")
            values = {"kind": run.kind, "about": run.about, "problem": problem, "advice": advice}
            yield _need("run-failed", f"{run.kind} {run.about}", f"#/runs/{run.id}", **values)
    waiting = [run for run in recent if run.state in ("queued", "interrupted")]
    if waiting and not workers(control):
        subject = f"{len(waiting)} waiting run{'s' * (len(waiting) > 1)}"
        yield _need("no-worker", subject, f"#/runs/{waiting[-1].id}", n=len(waiting))


def workers(control: Control) -> bool:
    """Whether a worker of this machine takes runs."""
    return anybody(control.home)


def _made_good(failed: Run, recent: tuple[Run, ...]) -> bool:
    """Whether the same was done again since, or is under way."""
    again = ("succeeded", "running", "queued", "interrupted")
    same = (run for run in recent if (run.kind, run.about) == (failed.kind, failed.about))
    if failed.kind == "check":  # other data may have that name
        same = (run for run in recent if run.request == failed.request)
    return any(run.created_at > failed.created_at and run.state in again for run in same)


def _disk(control: Control) -> Iterator[Need]:
    free = free_bytes(control)
    if free < _FULL_BYTES:
        yield _need("disk-full", "the disk of GLASSWORKS_HOME", "#/", mib=free // 2**20, folder=str(control.home))


def free_bytes(control: Control) -> int:
    """What is free where everything is kept."""
    return shutil.disk_usage(control.home if control.home.exists() else control.home.parent).free


def _rates(control: Control) -> Iterator[Need]:
    for version, requests, errors in control.sampler.lately():
        subject, link = f"{version.model}@{version.version}", f"#/serve/{version.model}"
        asked = requests + errors
        if asked >= _ENOUGH_REQUESTS and errors > _MANY_ERRORS * asked:
            kind = max(version.kinds, key=lambda each: each[1], default=("errors", 0))[0]
            yield _need("many-errors", subject, link, errors=errors, n=asked, kind=kind)
        compared, differed = version.shadow_compared, version.shadow_differed
        if compared >= _ENOUGH_ROWS and differed > _MUCH_DIFFERENCE * compared:
            yield _need("shadow-differs", subject, link, differed=differed, n=compared)


def _openness(control: Control) -> Iterator[Need]:
    from glassworks.serving.launch import is_loopback

    config = control.serving.config
    if control.serving.sessions is None and not is_loopback(config.host):
        yield _need("open-to-all", f"the address {config.host}", "#/keys", host=config.host)


def _keys(control: Control) -> Iterator[Need]:
    now = datetime.now(UTC)
    for key in KeyStore(control.home, Clock()).list():
        if key.revoked_at is None and key.expires_at is not None and now < key.expires_at < now + _SOON:
            ends = f"{key.expires_at:%Y-%m-%d %H:%M}"
            yield _need("key-expires", f"the key '{key.name}'", "#/keys", name=key.name, when=ends)
