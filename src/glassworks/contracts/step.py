"""What an optimization pass was asked to do: one step of a chain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import StringConstraints

from glassworks.record import Record

Precision = Annotated[str, StringConstraints(pattern=r"^[a-z]+[0-9]+[a-z0-9_]*$", max_length=32)]
"""What a graph computes or stores its weights in, such as `fp32`, `bf16`, `int8`; passes name further ones."""
EXACT: Precision = "fp32"
EXACT_BITS = 24
"""Bits of the significand of a float32, with the one that is not stored."""
Value = str | int | float | bool
AND = " + "
"""Between the steps of a chain, in what people read."""
STAGES = ("structure", "training", "graph", "precision")
"""A chain has at most one pass of a stage, in this order: what changes the network, what trains it again, what
rewrites its graph, and what it computes in."""


class Step(Record):
    """A pass with all its parameters, as an artifact records it."""

    name: str
    parameters: dict[str, Value] = {}


def words(name: str, parameters: Mapping[str, Value]) -> str:
    """A step as people read it: `int8(bits=8, ranges=entropy)`."""
    inner = ", ".join(f"{key}={value}" for key, value in parameters.items())
    return f"{name}({inner})" if inner else name
