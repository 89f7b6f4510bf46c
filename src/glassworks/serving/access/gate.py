"""The gate in front of the models: who asks, whether that is allowed, and whether it is within the limits."""

from __future__ import annotations

import base64
import hmac
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glassworks.errors import Forbidden, StorageError, Unauthenticated
from glassworks.serving.access.budgets import Streams, Tokens
from glassworks.serving.access.clock import Clock
from glassworks.serving.access.keys import ANONYMOUS, INCLUDED, Entry, KeyStore, Role, id_of, matches, shown
from glassworks.serving.access.limits import Allowance, Left
from glassworks.serving.access.segments import Sums

if TYPE_CHECKING:
    from glassworks.serving.access.ledger import Ledger

_LOOK_S = 0.5
"""Between looks at the files of the keys: a key that another process revokes is refused within a second."""
_QUIET_S = 60.0
_HOW = "send the header 'Authorization: Bearer KEY' or 'X-API-Key: KEY'"
_log = logging.getLogger("glassworks.access")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request: `key_id` is for the ledger, `name` for people. `roles` holds what its roles include, too."""

    key_id: str
    name: str
    roles: frozenset[Role] = frozenset()
    expires_s: float | None = None
    """When its key ends, in seconds since 1970."""


class Gate:
    """Admits requests, on one thread. `admit` and `permit` cost some microseconds and read no file, but for a look
    at most every half second whether the keys were changed.

    Where keys are not `required`, a request without one is the caller `anonymous`, who has no limits and may ask
    models. `admin` always needs a key. Text that is not of a key's form, as clients send that insist on sending
    something, counts as no key there; a key's secret that is not valid is refused.
    """

    def __init__(self, store: KeyStore, ledger: Ledger, clock: Clock, required: bool) -> None:
        """Reads the keys, and what they have used today. Raises StorageError."""
        self._store, self._required = store, required
        self._monotonic, self._wall, self._clock = clock.monotonic, clock.wall, clock
        self._anonymous, self._seed = Caller(ANONYMOUS, ANONYMOUS, frozenset({"infer"})), secrets.token_bytes(32)
        self._holders: dict[bytes, _Holder] = {}
        self._stamp, self._settled = store.stamp(), False
        now = self._monotonic()
        self._look_at, self._reported_at = now + _LOOK_S, now - _QUIET_S
        self._renew(now)
        # Keys that come later have used nothing yet.
        used = ledger.today()
        for holder in self._holders.values():
            sums = used.get(holder.caller.key_id, Sums())
            holder.allowance.start(ledger.day, now, sums)

    def admit(self, token: bytes | None, model: str, rows: int) -> Caller:
        """Who asks `model` for `rows` rows, which counts from now on as used.

        Raises Unauthenticated, Forbidden for a model or a missing role, LimitExceeded with `retry_after_s`.
        """
        now, wall = self._monotonic(), self._wall()
        holder = self._holder(token, now, wall)
        if holder is None:
            return self._anonymous
        holder.require("infer")
        holder.require_model(model)
        holder.allowance.take(rows, now, wall)
        return holder.caller

    def expect(self, token: bytes | None) -> Caller:
        """What `admit` would give or raise for a row more; nothing is counted: before a large request is read."""
        now, wall = self._monotonic(), self._wall()
        holder = self._holder(token, now, wall)
        if holder is not None:
            holder.allowance.expect(1, now, wall)
        return self._anonymous if holder is None else holder.caller

    def give_back(self, token: bytes | None, rows: int) -> None:
        """Count a request that was admitted as none of its day: it was refused for what it holds."""
        allowance = self._allowance(token)
        if allowance is not None:
            allowance.give_back(rows)

    def streams(self, token: bytes | None, wanted: int) -> Streams:
        """Let up to so many answers of a request that was admitted be under way. Raises LimitExceeded."""
        return Streams(self._allowance(token), wanted)

    def tokens(self, token: bytes | None) -> Tokens:
        """What an answer of a request that was admitted may use."""
        return Tokens(self._allowance(token), self._clock)

    def left(self, token: bytes | None) -> Left | None:
        """What a key may still do today; None without one."""
        allowance = self._allowance(token)
        return None if allowance is None else allowance.left(self._monotonic(), self._wall())

    def _allowance(self, token: bytes | None) -> Allowance | None:
        holder = self._holders.get(id_of(token)) if token is not None else None
        return None if holder is None else holder.allowance

    def permit(self, token: bytes | None, role: Role | None, model: str | None = None) -> Caller:
        """Who asks for something that needs a role (None: any), and is about a model unless that is None.

        It counts for no limit. Raises Unauthenticated, Forbidden.
        """
        holder = self._holder(token, self._monotonic(), self._wall())
        if holder is not None:
            if role is not None:
                holder.require(role)
            if model is not None:
                holder.require_model(model)
            return holder.caller
        if role == "admin":
            raise Unauthenticated(f"no access key was sent, and this needs one with the role '{role}'", _HOW)
        return self._anonymous

    def permit_all(self, token: bytes | None) -> None:
        """Let whoever may see what is counted of all models pass: a key without a list of models, or with the role
        `admin`. Raises Unauthenticated, Forbidden."""
        holder = self._holder(token, self._monotonic(), self._wall())
        if holder is not None and holder.models and "admin" not in holder.roles:
            raise Forbidden(
                f"the key '{holder.caller.name}' is for some models only, and this tells of all",
                "ask for a key without a list of models, or with the role 'admin'",
            )

    def name(self, token: bytes | None) -> str:
        """The name of who asks; empty for what is no valid key."""
        try:
            holder = self._holder(token, self._monotonic(), self._wall())
        except Unauthenticated:
            return ""
        return "" if holder is None else holder.caller.name

    def rules(self, token: bytes | None) -> bool:
        """Whether it is a key with the role `admin`. Raises Unauthenticated."""
        holder = self._holder(token, self._monotonic(), self._wall())
        return holder is not None and "admin" in holder.roles

    def models(self, token: bytes | None) -> frozenset[str]:
        """The models that a caller may see; empty for all. Raises Unauthenticated."""
        holder = self._holder(token, self._monotonic(), self._wall())
        return frozenset() if holder is None else holder.models

    def standing_in(self, key_id: str) -> bytes:
        """What this gate, and no other, takes for the secret of a key: for work that goes on in the name of who asked
        for it, when the secret itself, which is kept nowhere, is long gone. Rights and limits are those of the key."""
        digest = hmac.digest(self._seed, key_id.encode(), "sha256")
        return b"gw_%b_%b" % (key_id.encode(), base64.urlsafe_b64encode(digest).rstrip(b"="))

    def _holder(self, token: bytes | None, now: float, wall: float) -> _Holder | None:
        """Whose token it is; None for the anonymous caller."""
        if now >= self._look_at:
            self._look(now)
        if token is None or not (self._required or token.startswith(b"gw_")):
            if self._required:
                raise Unauthenticated("no access key was sent", _HOW)
            return None
        holder = self._holders.get(id_of(token))
        matched = matches(token, holder.secret_sha256 if holder else None)
        if holder is None or not (matched or hmac.compare_digest(token, self.standing_in(holder.caller.key_id))):
            raise Unauthenticated(
                "the access key is not valid",
                f"{_HOW} with a key that 'glassworks keys list' shows and that was not revoked",
            )
        if wall >= holder.expires_s:
            raise Unauthenticated(f"the access key '{holder.caller.name}' has expired", "ask for a new one")
        return holder

    def _look(self, now: float) -> None:
        self._look_at = now + _LOOK_S
        try:
            stamp = self._store.stamp()
            if stamp == self._stamp and self._settled:
                return
            # Two changes within one tick of the file system's clock leave the same stamp: what was just changed is
            # read once more at the next look.
            self._settled, self._stamp = stamp == self._stamp, stamp
            self._renew(now)
        except StorageError as error:
            self._settled = False
            if now >= self._reported_at + _QUIET_S:
                self._reported_at = now
                _log.error("the access keys cannot be read, those read last stay in force: %s", error)

    def _renew(self, now: float) -> None:
        """Take over the keys as they are now; those known already keep their buckets and counters."""
        known, holders = self._holders, {}
        for entry in self._store.entries():
            if entry.key.revoked_at is None:
                identity = entry.key.id.encode()
                holders[identity] = known.get(identity) or _Holder(entry, now)
        self._holders = holders


class _Holder:
    """A key as the gate needs it at hand."""

    __slots__ = ("allowance", "caller", "expires_s", "models", "roles", "secret_sha256")

    def __init__(self, entry: Entry, now: float) -> None:
        key = entry.key
        roles: frozenset[Role] = frozenset().union(*(INCLUDED[role] for role in key.roles))
        ends_at = key.expires_at.timestamp() if key.expires_at else None
        self.caller = Caller(key.id, key.name, roles, ends_at)
        self.secret_sha256 = entry.secret_sha256
        self.expires_s = float("inf") if ends_at is None else ends_at
        self.models, self.roles = frozenset(key.models), roles
        self.allowance = Allowance(key, now)

    def require(self, role: Role) -> None:
        if role not in self.roles:
            raise Forbidden(
                f"the key '{self.caller.name}' has not the role '{role}'",
                f"it has: {', '.join(sorted(self.roles))}; ask for a key with the role '{role}'",
            )

    def require_model(self, model: str) -> None:
        if self.models and model not in self.models:
            raise Forbidden(
                f"the key '{self.caller.name}' does not allow the model '{shown(model)}'",
                f"ask one of: {', '.join(sorted(self.models))}; or ask for a key that allows it",
            )


def token_of(headers: Mapping[bytes, bytes]) -> bytes | None:
    """The key in the headers `authorization` (only `Bearer KEY`) and `x-api-key`; None without one.

    Other schemes belong to somebody else, such as a proxy. Where both headers hold a key, the first one's counts.
    """
    authorization = headers.get(b"authorization")
    if authorization is not None and authorization[:7].lower() == b"bearer ":
        return authorization[7:].strip()
    api_key = headers.get(b"x-api-key")
    return api_key.strip() if api_key is not None else None
