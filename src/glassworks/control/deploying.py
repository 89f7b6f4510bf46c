"""Changes of which versions of a model answer: opened first, kept with who made them, effective at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from glassworks.control.counting import Counted, counted
from glassworks.control.paging import require_match, tag
from glassworks.control.state import Control
from glassworks.errors import Changed, Conflict, InputError, NotFound, RegistryError, Unsupported
from glassworks.registry.deployments import Revision, What
from glassworks.registry.records import CHAMPION, split_reference
from glassworks.serving.core.repository import Repository
from glassworks.serving.core.traffic import Traffic, checked_traffic
from glassworks.serving.deploying import traffic_of

_WHOLE = 100.0


@dataclass(frozen=True)
class Split:
    """Which versions answer: shares in percent by version, and the shadow that gets a copy of every request."""

    champion: int | None = None
    shares: Mapping[str, float] | None = None
    shadow: int | None = None

    @classmethod
    def of(cls, revision: Revision) -> Split:
        """That of a revision."""
        return cls(revision.champion, revision.shares, revision.shadow)

    @property
    def traffic(self) -> Traffic | None:
        """As the service needs it."""
        return traffic_of(self.champion, dict(self.shares or {}), self.shadow)


@dataclass(frozen=True)
class Observed:
    """What the registry and the running service say of a model now, and the last revision that was kept."""

    name: str
    aliases: Mapping[str, int]
    split: Split
    served: Sequence[Counted]
    last: Revision | None

    @property
    def number(self) -> int:
        """Of the last revision; 0 without one."""
        return self.last.revision if self.last else 0

    @property
    def differs(self) -> bool:
        """Whether it was changed in another way since, such as with the command line."""
        return self.last is None or (bool(self.served) and Split.of(self.last) != self.split)

    @property
    def etag(self) -> str:
        """Begins with the number of the revision."""
        split = self.split
        shares = sorted((split.shares or {}).items())
        state = tag(self.name, sorted(self.aliases.items()), shares, split.shadow, self.number).strip('"')
        return f'"{self.number}-{state}"'


def observe(control: Control, name: str) -> Observed:
    """What is with a model. Raises InputError and NotFound for one that neither the registry has nor the service."""
    split, served = _live(control, name)
    try:
        versions = control.registry.versions(name)
    except InputError:
        if not served:
            raise
        versions = ()
    aliases = {alias: each.version for each in versions for alias in each.aliases}
    live = Split(aliases.get(CHAMPION), split.shares, split.shadow)
    return Observed(name, aliases, live, served, control.deployments.latest(name))


def require_current(given: str | None, found: Observed) -> None:
    """Raises Unconditional without `If-Match`, and Changed, which says who was quicker."""
    require_match(given, found.etag, f"the deployment of '{found.name}'", _who_since(given or "", found))


def change(
    control: Control, found: Observed, wanted: Split, who: str, what: What = "changed", restores: int | None = None
) -> Observed:
    """Let other versions answer from now on: all or nothing.

    Raises what keeps a version from being opened, Changed where somebody was quicker, and Conflict.
    """
    name, serving = found.name, control.serving.repository
    if serving is None or (found.served and not serving.follows(name)):
        raise Unsupported(
            f"'{name}' is served from a path, not from the registry", "serve it by its name: glassworks serve NAME"
        )
    if wanted == found.split and found.served:
        return found
    revisions = _revisions(found, wanted, who, what, restores)
    traffic = wanted.traffic
    versions = {*(traffic.versions if traffic else ()), *([str(wanted.champion)] if wanted.champion else ())}

    def commit() -> None:
        if not control.deployments.append(revisions):
            raise Changed(*_quicker(control.deployments.latest(name), name))
        try:
            point(control, name, found.split.champion, wanted.champion)
        except BaseException:
            control.deployments.withdraw(revisions)
            raise

    control.live.ask(lambda: serving.deploy(name, traffic, versions, commit))
    return observe(control, name)


def repository(control: Control) -> Repository:
    """What brings models into service. Raises Unsupported without it."""
    if control.serving.repository is None:
        raise Unsupported("this service has no repository", "start it with 'glassworks serve'")
    return control.serving.repository


def load(control: Control, reference: str, who: str) -> Observed:
    """Bring a model into service. Raises what keeps it from being opened."""
    name, _ = split_reference(reference)
    serving = repository(control)
    control.registry.find(reference)
    before = observe(control, name)
    control.live.ask(lambda: serving.load(reference))
    found = observe(control, name)
    if {each.version for each in found.served} != {each.version for each in before.served}:
        note(control, found, who, "loaded")
    return observe(control, name)


def note(control: Control, found: Observed, who: str, what: What) -> None:
    """Keep that a model was loaded or unloaded."""
    number = found.number
    for _ in range(10):
        if control.deployments.append([_revision(found.name, number + 1, who, what, found.split)]):
            return
        latest = control.deployments.latest(found.name)
        number = latest.revision if latest else number + 1
    raise RegistryError(f"others keep changing '{found.name}' at the same time", "try again")


def before(control: Control, found: Observed, wanted: int | None) -> Revision:
    """The revision that a rollback restores: that of a number, else the last one in which other versions answered.
    Raises NotFound and Conflict."""
    history = control.deployments.history(found.name, limit=1000)
    if wanted is not None:
        for each in history:
            if each.revision == wanted:
                return each
        raise NotFound(f"the deployment of '{found.name}' has no revision {wanted}", "read its history")
    last = found.last
    end = found.number + 1 if last is None or found.differs else (last.restores or last.revision)
    for each in history:
        if each.revision < end and each.shares and Split.of(each) != found.split:
            return each
    raise Conflict(
        f"nothing is before revision {found.number} of the deployment of '{found.name}'",
        "there is nothing to go back to; change the split instead",
    )


def roll_back(control: Control, found: Observed, wanted: int | None, who: str) -> Observed:
    """Restore champion, shares and shadow of before. Raises Conflict for what cannot be had any more."""
    revision = before(control, found, wanted)
    split = Split.of(revision)
    try:
        for version in {*revision.shares, *(str(each) for each in (split.champion, split.shadow) if each)}:
            control.registry.find(f"{found.name}@{version}")
    except NotFound as error:
        raise Conflict(f"revision {revision.revision} cannot be restored: {error.problem}", error.mend) from None
    if split == found.split:
        raise Conflict(
            f"revision {revision.revision} is how '{found.name}' is answered now", "there is nothing to change"
        )
    return change(control, found, split, who, "rolled back", revision.revision)


def checked(
    control: Control, found: Observed, champion: int | str | None, shares: Mapping[str, float], shadow: int | str | None
) -> Split:
    """A split that is asked for, with versions in place of aliases. Raises InputError and NotFound."""

    def number(version: int | str) -> int:
        return control.registry.find(f"{found.name}@{version}").version

    first = found.split.champion if champion is None else number(champion)
    parts: dict[str, float] = {}
    for version, share in shares.items():
        key = str(number(version))
        if key in parts:
            raise InputError(f"version {key} has two shares", "give each version one")
        if not math.isfinite(share) or share < 0:
            raise InputError(f"the share of version {key} is {share:g}", "give percents from 0 to 100")
        parts[key] = share
    parts = {key: share for key, share in parts.items() if share}
    if not parts:
        if first is None or shares:
            raise InputError("no version has a share", "give a champion, or shares that add up to 100")
        parts = {str(first): _WHOLE}
    checked_traffic(Traffic(shares=parts))
    return Split(first, parts, None if shadow is None else number(shadow))


def point(control: Control, name: str, before: int | None, wanted: int | None) -> None:
    """Let the alias `champion` name another version, or none."""
    if wanted == before:
        return
    if wanted is None:
        control.registry.remove_alias(name, CHAMPION)
    else:
        control.registry.set_alias(name, wanted, CHAMPION)


def _live(control: Control, name: str) -> tuple[Split, Sequence[Counted]]:
    models = control.serving.dispatcher.models

    async def look() -> tuple[Split, Sequence[Counted]]:
        if name not in models.names():
            return Split(shares={}), ()
        served = [counted(models.model(name, version)) for version in models.versions(name)]
        default, traffic = models.model(name), models.traffic(name)
        if traffic is None:
            return Split(shares={default.version: _WHOLE}), served
        shares: dict[str, float] = {}
        for version, share in traffic.shares.items():
            number = models.model(name, version).version
            shares[number] = shares.get(number, 0.0) + share
        shadow = models.shadow(name)
        return Split(shares=shares, shadow=int(shadow.version) if shadow else None), served

    return control.live.ask(look)


def _revisions(found: Observed, wanted: Split, who: str, what: What, restores: int | None) -> list[Revision]:
    """The new one, behind what was found where somebody has changed it in another way: so that can be restored too."""
    revisions, number = [], found.number
    if found.differs and found.served:
        number += 1
        revisions.append(_revision(found.name, number, "", "found", found.split))
    return [*revisions, _revision(found.name, number + 1, who, what, wanted, restores)]


def _revision(name: str, number: int, who: str, what: What, split: Split, restores: int | None = None) -> Revision:
    return Revision(
        model=name,
        revision=number,
        at=datetime.now(UTC).isoformat(),
        who=who,
        what=what,
        champion=split.champion,
        shares=dict(split.shares or {}),
        shadow=split.shadow,
        restores=restores,
    )


def _who_since(given: str, found: Observed) -> str:
    """Who has changed it since an ETag was given."""
    if found.last is None or given.strip().strip('"').partition("-")[0] == str(found.number):
        return "another program, such as the command line,"
    return _described(found.last)


def _described(revision: Revision) -> str:
    who = f"'{revision.who}'" if revision.who else "somebody"
    return f"{who} at {revision.at[:19]}Z (revision {revision.revision})"


def _quicker(revision: Revision | None, name: str) -> tuple[str, str]:
    by = _described(revision) if revision else "somebody"
    return f"the deployment of '{name}' was changed by {by} just now", "read it again, and decide anew"
