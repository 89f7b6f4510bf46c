"""Which protocol fits: the usual one, or another one by which enough users can be asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from glassworks.data.interactions.collection import Interactions
from glassworks.data.interactions.protocols import FEWEST, asked_by
from glassworks.sentences import Sentence, sentence

if TYPE_CHECKING:
    from glassworks.data.interactions.keys import InteractionData

ENOUGH = 20
"""With fewer users the usual protocol gives way to one that asks more."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A protocol with the least liked items of a user, and about how many users it asks."""

    protocol: str
    least: int
    asked: int
    usual_least: int

    @property
    def keys(self) -> str:
        """As a job says it."""
        more = "" if self.least == self.usual_least else f" and data.least_likes = {self.least}"
        return f'data.protocol = "{self.protocol}"{more}'


def usual_protocol(log: Interactions) -> str:
    """By time, where there are times."""
    return "strong_generalization" if log.time is None else "temporal"


def alternatives(log: Interactions, data: InteractionData, usual: str) -> list[Choice]:
    """What may be taken in place of the usual protocol, best first: what asks enough users, else who asks more."""
    given = data.least_likes
    found = [
        Choice(protocol=protocol, least=least, asked=asked, usual_least=given)
        for least in dict.fromkeys((given, FEWEST))
        for protocol, asked in asked_by(log, data.test, least).items()
        if asked > 1 and (protocol, least) != (usual, given) and (least == given or protocol != "leave_last_out")
    ]
    return sorted(found, key=lambda each: -min(each.asked, ENOUGH))


def fitting(log: Interactions, data: InteractionData) -> tuple[Sentence, ...]:
    """What to say of data by whose protocol hardly anybody can be asked."""
    usual = data.protocol if data.protocol != "auto" else usual_protocol(log)
    asked = asked_by(log, data.test, data.least_likes)
    if asked.get(usual, ENOUGH) >= (ENOUGH if data.protocol == "auto" else 1):
        return ()
    others = [each for each in alternatives(log, data, usual) if each.asked > asked[usual]]
    if not others:
        return () if asked[usual] else (sentence("finding.nobody-comes-back"),)
    return (said_of(others[0], usual, asked[usual], others[0].asked),)


def said_of(choice: Choice, usual: str, few: int, asked: int) -> Sentence:
    """That another protocol is taken, and why."""
    return sentence("finding.protocol", usual=usual, few=few, keys=choice.keys, n=asked)
