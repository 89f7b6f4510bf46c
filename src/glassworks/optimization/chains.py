"""Chains of passes: which ones may follow each other, and what they make, with every step recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from glassworks.catalog import found, get
from glassworks.contracts import STAGES, Artifact, Opened, Pass, Step, Value
from glassworks.contracts.step import AND
from glassworks.errors import GlassworksError, Unsupported

if TYPE_CHECKING:
    from glassworks.contracts import Tensors

_DEFAULTS: Mapping[str, Value] = MappingProxyType({})


def by_stage(form: str) -> Mapping[str, tuple[str, ...]]:
    """The names of passes for artifacts of that format, by their stages in order; those that complete another one are
    left out.
    """
    passes = [each for each in found(Pass).values() if form in each.accepts and not each.after]
    return {stage: tuple(each.name for each in passes if each.stage == stage) for stage in STAGES}


def require_chain(steps: Sequence[Step]) -> None:
    """Raise Unsupported, NotFound or MissingLibrary for steps that cannot follow each other."""
    last, before = -1, ""
    for step in steps:
        one = get(Pass, step.name)
        one.checked(step.parameters)
        number = STAGES.index(one.stage)
        if one.after:
            if one.after != before:
                raise Unsupported(f"'{one.name}' takes what '{one.after}' makes", f"put '{one.after}' before it")
        elif number <= last:
            order = ", ".join(STAGES)
            mend = f"at most one pass of a stage, in the order {order}"
            raise Unsupported(f"'{one.name}' ({one.stage}) cannot follow '{before}'", mend)
        last, before = number, one.name


def make(steps: Sequence[Step], opened: Opened, calibration: Sequence[Tensors]) -> Artifact:
    """What the steps make of an artifact, one after the other. Raises Unsupported with the reason of the first pass
    that cannot handle what it is given.
    """
    require_chain(steps)
    for step in steps:
        opened = replace(opened, artifact=applied(get(Pass, step.name), opened, calibration, step.parameters))
    return opened.artifact


def applied(
    one: Pass, opened: Opened, calibration: Sequence[Tensors], parameters: Mapping[str, Value] = _DEFAULTS
) -> Artifact:
    """What one pass makes of an artifact, with the step recorded. Raises Unsupported, with the reason."""
    whole = one.checked(parameters)
    if opened.artifact.format not in one.accepts:
        raise Unsupported(f"'{one.name}' takes no {opened.artifact.format} files", f"it takes {_list(one.accepts)}")
    try:
        made = one.apply(opened, calibration, **whole)
    except GlassworksError:
        raise
    except Exception as error:  # libraries raise whatever they like on a graph that they do not know
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise Unsupported(f"'{one.name}' failed on this graph: {reason}", "leave it out") from error
    before = [] if opened.artifact.made_by in ("", "export") or one.after else [opened.artifact.made_by]
    name = AND.join((*before, one.described(whole)))
    step = Step(name=one.name, parameters=whole)
    return made.model_copy(update={"made_by": name, "passes": (*opened.artifact.passes, step)})


def _list(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
