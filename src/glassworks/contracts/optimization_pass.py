"""One way to make an artifact faster or smaller."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from glassworks.contracts.step import STAGES, Precision, Value, words
from glassworks.errors import Unsupported

if TYPE_CHECKING:
    from glassworks.contracts.records import Artifact, Opened, Tensors

_NOTHING: Mapping[str, Value] = MappingProxyType({})


class Pass(ABC):
    """Makes a faster or smaller artifact of another."""

    name: ClassVar[str]
    accepts: ClassVar[frozenset[str]]
    precision: ClassVar[Precision]
    exactness: ClassVar[int]
    """Bits that a number of `precision` is exact to: those of its significand with the hidden one, without the sign (24
    of fp32, 11 of fp16, 8 of bf16, 7 of int8, 3 of int4). Of two candidates that are as good, the more exact is kept.
    """
    stage: ClassVar[str] = "precision"
    """One of STAGES."""
    space: ClassVar[Mapping[str, tuple[Value, ...]]] = MappingProxyType({})
    """Its parameters with the values that are worth trying, the default first."""
    by_itself: ClassVar[bool] = True
    """Whether a search that samples no chains tries it too, alone and with its defaults."""
    after: ClassVar[str] = ""
    """The pass that it completes: it takes what that one makes, and is of the same stage."""
    needs: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def apply(self, opened: Opened, calibration: Sequence[Tensors], *args: Any, **parameters: Any) -> Artifact:
        """Write the new artifact into the same folder, in a file of its own name, and return its record.

        `calibration` are single examples of the training split as the graph takes them. A pass names its parameters
        as keywords, with the keys of `space`; `glassworks.optimization.chains` calls it with all of them, and records
        them. Raises Unsupported, with the reason, for a graph that it cannot handle.
        """

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Raise Unsupported for a declaration that no search could follow."""
        super().__init_subclass__(**keywords)
        if wrong := _wrong(cls):
            raise Unsupported(f"the pass {cls.__qualname__} {wrong}", "mend its declaration")

    def checked(self, given: Mapping[str, Value] = _NOTHING) -> dict[str, Value]:
        """All parameters: those given, and the defaults of the others. Raises Unsupported for any other."""
        for key, value in given.items():
            allowed = self.space.get(key)
            if allowed is None:
                names = ", ".join(self.space) or "none"
                raise Unsupported(f"the pass '{self.name}' has no parameter '{key}'", f"its parameters: {names}")
            if not any(type(value) is type(each) and value == each for each in allowed):
                values = ", ".join(map(repr, allowed))
                raise Unsupported(f"'{self.name}' does not take {key} = {value!r}", f"choose one of: {values}")
        return {key: given.get(key, values[0]) for key, values in self.space.items()}

    def unusual(self, parameters: Mapping[str, Value]) -> dict[str, Value]:
        """Those of the parameters that are not the defaults."""
        return {key: value for key, value in self.checked(parameters).items() if value != self.space[key][0]}

    def file(self, opened: Opened, **parameters: Value) -> str:
        """The name of a file for what it makes of `opened`, unlike those of other passes, parameters and chains."""
        chosen = (f"{key}-{value}" for key, value in self.unusual(parameters).items())
        return ".".join((opened.path.stem, self.name, *chosen)) + opened.path.suffix

    def described(self, parameters: Mapping[str, Value]) -> str:
        """The step as people read it, without defaults."""
        return words(self.name, self.unusual(parameters))


def _wrong(cls: type[Pass]) -> str:
    """What is wrong with a declaration; empty where nothing is."""
    if cls.stage not in STAGES:
        return f"is of the stage '{cls.stage}', which is none of {', '.join(STAGES)}"
    for key, values in cls.space.items():
        if not values or len({(type(each), each) for each in values}) < len(values):
            return f"has no values to try for '{key}', or one twice"
    named = [*inspect.signature(cls.apply).parameters.values()][3:]
    taken = {each.name for each in named if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)}
    any_key = any(each.kind is each.VAR_KEYWORD for each in named)
    if taken - cls.space.keys() or (cls.space.keys() - taken and not any_key):
        return f"declares the parameters {sorted(cls.space)} and its apply takes {sorted(taken)}"
    return ""
