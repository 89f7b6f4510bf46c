"""Who may ask for what, and how much of it was used: the gate is asked before work, the ledger is written after it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from glassworks.errors import GlassworksError, InputError, StorageError, Unauthenticated, Unsupported
from glassworks.serving.access.budgets import Streams, Tokens
from glassworks.serving.access.clock import Clock
from glassworks.serving.access.gate import Caller
from glassworks.serving.access.keys import ANONYMOUS, INCLUDED
from glassworks.serving.access.ledger import Usage

if TYPE_CHECKING:
    from glassworks.serving.access.gate import Gate
    from glassworks.serving.access.keys import Role
    from glassworks.serving.access.ledger import Ledger, Total
    from glassworks.serving.access.limits import Left
    from glassworks.serving.core.model import LoadedModel
    from glassworks.serving.core.work import Work
    from glassworks.serving.requests import Call
    from glassworks.serving.supervision import Supervisor

_EVERYBODY = Caller(ANONYMOUS, "", frozenset(INCLUDED))


class Admission:
    """Without a gate everybody is admitted; without a ledger nothing is written. `token` is the access key that was
    sent."""

    def __init__(self, gate: Gate | None, ledger: Ledger | None, supervisor: Supervisor) -> None:
        self._gate, self._ledger, self._supervisor = gate, ledger, supervisor
        self.written = ledger is not None
        """Whether what is used is written to a ledger."""

    @property
    def guarded(self) -> bool:
        """Whether callers need keys."""
        return self._gate is not None

    def permit(self, token: bytes | None, role: Role | None = "infer", model: str | None = None) -> None:
        """Let a holder of the role (None: any) pass who may ask that model. Raises Unauthenticated and Forbidden."""
        if self._gate is not None:
            self._gate.permit(token, role, model)

    def caller(self, token: bytes | None) -> Caller:
        """Who asks; everybody may do everything where no keys are needed. Raises Unauthenticated, and Forbidden for a
        key that is for some models only."""
        if self._gate is None:
            return _EVERYBODY
        self._gate.permit_all(token)
        return self._gate.permit(token, None)

    def name(self, token: bytes | None) -> str:
        """The name of the key that was sent; empty for none, and for one that is not valid."""
        return "" if self._gate is None else self._gate.name(token)

    def owner(self, token: bytes | None) -> str:
        """The id of the key that was sent, which owns what is kept for it. Raises Unauthenticated and Forbidden."""
        return ANONYMOUS if self._gate is None else self._gate.permit(token, "infer").key_id

    def key_of(self, owner: str) -> bytes | None:
        """What stands for the key of an owner, for what this process asks itself in its name: `Gate.standing_in`."""
        return None if self._gate is None or owner == ANONYMOUS else self._gate.standing_in(owner)

    def permit_all(self, token: bytes | None) -> None:
        """Let whoever may see counts of all models together pass. Raises Unauthenticated and Forbidden."""
        if self._gate is not None:
            self._gate.permit_all(token)

    def visible(self, token: bytes | None, names: Iterable[str]) -> list[str]:
        """Those of the models that the caller may see. Raises Unauthenticated."""
        allowed = self._gate.models(token) if self._gate is not None else frozenset()
        return [name for name in names if not allowed or name in allowed]

    def known(self, token: bytes | None) -> bool:
        """Whether the caller of an open page may see everything: with a valid key, or where none is needed."""
        with contextlib.suppress(Unauthenticated):
            self.visible(token, ())
            return True
        return False

    def expect(self, call: Call) -> str | None:
        """What `admit` would give or raise for one row more; nothing is counted."""
        if self._gate is None:
            return None
        return self._gate.expect(call.token).key_id

    def admit(self, call: Call, rows: int, *, of_tokens: bool = False) -> str | None:
        """Count a request as used, once; whom queues are fair to, which without keys is nobody. One `of_tokens`, whose
        number is known only when it is done, needs a token that is left of the day.

        Raises Unauthenticated, Forbidden and LimitExceeded.
        """
        if not call.key_id:
            call.key_id = ANONYMOUS if self._gate is None else self._gate.admit(call.token, call.name, rows).key_id
            call.rows = rows
            if of_tokens:
                self._require_tokens(call)
        return call.key_id if self._gate is not None else None

    @contextlib.contextmanager
    def unused_if_wrong(self, call: Call) -> Iterator[None]:
        """What is refused for its content uses up nothing of a day; its caller's rate counts it all the same."""
        try:
            yield
        except InputError:
            self.give_back(call)
            raise

    def give_back(self, call: Call) -> None:
        """A request that was admitted uses up nothing of a day."""
        if self._gate is not None and call.rows:
            self._gate.give_back(call.token, call.rows)
        call.rows = 0

    def streams(self, call: Call, wanted: int) -> Streams:
        """Let up to so many answers of an admitted request be under way. Raises LimitExceeded."""
        return Streams(None, wanted) if self._gate is None else self._gate.streams(call.token, wanted)

    def tokens(self, call: Call) -> Tokens:
        """What one answer of an admitted request may use."""
        return Tokens(None, Clock()) if self._gate is None else self._gate.tokens(call.token)

    def usage(self, token: bytes | None, day: str | None) -> Sequence[Total]:
        """What was used, of a day or of all: by everybody for a key with the role `admin`, else by the caller's key.

        Reads files: call it on a thread. Raises Unauthenticated, Forbidden, Unsupported where nothing is counted.
        """
        if self._gate is None or self._ledger is None:
            raise Unsupported("this service counts no usage", "start it with --keys on, and create keys")
        caller = self._gate.permit(token, None)
        return self._ledger.totals(day, None if self._gate.rules(token) else caller.key_id)

    def left(self, call: Call) -> Left | None:
        """What the caller may still do today, for headers that say so; None for whom nothing is limited. After `stream`
        or `generate` of the dispatcher has returned or raised LimitExceeded, it counts that request too."""
        return None if self._gate is None else self._gate.left(call.token)

    def settle(self, works: Sequence[Work]) -> None:
        """Write what was used, at once for a whole batch, before anybody gets an answer: nothing is lost in a kill."""
        if self._ledger is None:
            return
        entries = []
        for work in works:
            if work.usage is not None:
                spent_us = (work.computed_ns - work.started_ns) // 1000
                ok = work.error is None and not work.dropped
                tokens = work.tokens if work.error is None else 0
                entries.append(Usage(*work.usage, 1, work.rows, tokens, spent_us, "infer", ok, tokens))
                work.usage = None
        self._write(entries)

    def _require_tokens(self, call: Call) -> None:
        """Raise LimitExceeded, and use up nothing of the day, where the key of a request has no token left."""
        tokens = self.tokens(call)
        try:
            tokens.reserve(1, 0)
        except GlassworksError:
            self.give_back(call)
            raise
        finally:
            tokens.close()

    def record(self, call: Call, model: LoadedModel, verb: str, spent_ns: int, ok: bool, tokens: int = 0) -> None:
        """Count and write what one admitted request used; `tokens` are those that its model computed."""
        if tokens:
            self.tokens(call).use(tokens)
            model.statistics.prompt_tokens += tokens
        usage = Usage("", "", "", 1, call.rows, tokens, spent_ns // 1000, verb, ok, prompt_tokens=tokens)
        self.note(call, model, usage)

    def note(self, call: Call, model: LoadedModel, usage: Usage) -> None:
        """Write some of what an admitted request used."""
        if self._ledger is not None and call.rows:
            self._write([usage._replace(key_id=call.key_id, model=model.name, version=model.version)])

    def charge(self, owner: str, usage: Usage) -> None:
        """Write what was used in the name of a key by work that no request of it waits for; its tokens count for the
        key's day."""
        if self._gate is not None and owner != ANONYMOUS:
            self._gate.tokens(self._gate.standing_in(owner)).use(usage.tokens)
            self._write([usage._replace(key_id=owner)])

    def _write(self, entries: list[Usage]) -> None:
        """The ledger counts and logs what it cannot keep; the answers are right all the same."""
        if self._ledger is None or not entries:
            return
        try:
            self._ledger.record(entries)
        except StorageError:
            return
        except Exception as error:  # noqa: BLE001 - usage is not worth an answer
            self._supervisor.failed("usage ledger", error)
