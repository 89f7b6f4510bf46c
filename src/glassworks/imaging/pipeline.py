"""A pipeline: operators in the order of a job file, each on the results of earlier ones."""

from __future__ import annotations

import functools
import json
import operator as _operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, TypeAdapter, ValidationError

from glassworks.contracts import Datatype, Signature, TensorSpec
from glassworks.errors import BundleError, ConfigError
from glassworks.imaging.operator import Kind, Operator
from glassworks.imaging.operators import operators

PICTURE = "input"
"""The name of the picture itself."""

if TYPE_CHECKING:
    AnyOperator = Operator
else:
    AnyOperator = Annotated[functools.reduce(_operator.or_, operators().values()), Field(discriminator="operator")]


@dataclass(frozen=True, kw_only=True)
class Step:
    """An operator with the numbers of what it takes: 0 is the picture, n the result of step n - 1; and its kind."""

    operator: Operator
    takes: tuple[int, ...]
    kind: Kind


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """Steps that fit together, for pictures of a kind; the last one's result is the answer."""

    picture: Kind
    steps: tuple[Step, ...]

    @property
    def kind(self) -> Kind:
        """The kind of the answer."""
        return self.steps[-1].kind

    def to_json(self) -> bytes:
        """The same pipeline gives the same bytes."""
        table = {
            "depth": self.picture.depth,
            "channels": self.picture.channels,
            "pipeline": [step.operator.model_dump(mode="json", exclude_defaults=False) for step in self.steps],
        }
        return json.dumps(table, indent=1, sort_keys=True).encode() + b"\n"


_DATATYPES: Mapping[str, Datatype] = MappingProxyType(
    {"uint8": "UINT8", "uint16": "UINT16", "int16": "INT16", "float32": "FP32"}
)


def signature_of(pipeline: Pipeline) -> Signature:
    """`image`: pictures of any size in, N H W C; `picture`: pictures out."""
    taken, made = pipeline.picture, pipeline.kind
    return Signature(
        inputs=(TensorSpec(name="image", datatype=_DATATYPES[taken.depth], shape=(-1, -1, -1, taken.channels)),),
        outputs=(TensorSpec(name="picture", datatype=_DATATYPES[made.depth], shape=(-1, -1, -1, made.channels)),),
    )


def connect(declared: Sequence[Operator], picture: Kind) -> Pipeline:
    """Operators as steps. Raises ConfigError where names or kinds do not fit, with the step's number."""
    names = {PICTURE: 0}
    steps: list[Step] = []
    for number, each in enumerate(declared):
        where = f"model.pipeline.{number} ({each.title})"
        takes = _takes(each, names, len(steps), where)
        kinds = [picture if number == 0 else steps[number - 1].kind for number in takes]
        try:
            steps.append(Step(operator=each, takes=takes, kind=each.kind(*kinds)))
        except ConfigError as error:
            raise ConfigError(f"{where}: {error.problem}", error.mend) from None
        if each.name:
            if each.name in names:
                raise ConfigError(f"{where}: the name '{each.name}' is taken", "give each step a name of its own")
            names[each.name] = len(steps)
    _refuse_unused(steps)
    return Pipeline(picture=picture, steps=tuple(steps))


def from_json(content: bytes, where: str) -> Pipeline:
    """What `to_json` wrote. Raises BundleError."""
    try:
        table = json.loads(content)
        declared = TypeAdapter(tuple[AnyOperator, ...]).validate_python(table["pipeline"])
        return connect(declared, Kind(table["depth"], table["channels"]))
    except (ValueError, KeyError, TypeError, ValidationError, ConfigError) as error:
        raise BundleError(f"{where} is no pipeline of operators: {error}", "package the model again") from error


def _takes(each: Operator, names: dict[str, int], before: int, where: str) -> tuple[int, ...]:
    wanted = each.inputs or ((PICTURE,) if not before else ())
    for name in wanted:
        if name not in names:
            raise ConfigError(f"{where}: there is no earlier result '{name}'", f"name one of these: {', '.join(names)}")
    takes = tuple(names[name] for name in wanted) or (before,)
    if len(takes) != each.takes:
        raise ConfigError(
            f"{where} takes {each.takes} pictures, it is given {len(takes)}", "name what it takes: inputs = [...]"
        )
    return takes


def _refuse_unused(steps: Sequence[Step]) -> None:
    used = {number for step in steps for number in step.takes}
    for number, step in enumerate(steps[:-1], start=1):
        if number not in used:
            raise ConfigError(
                f"model.pipeline.{number - 1} ({step.operator.title}): nothing takes its result",
                "remove it, or name it in the 'inputs' of a later step",
            )
