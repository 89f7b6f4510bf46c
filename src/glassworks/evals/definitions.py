"""What a client sends to make an eval becomes its record, or is refused by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from glassworks.evals.criteria import criterion
from glassworks.evals.grading import Criterion
from glassworks.evals.item_schema import checker
from glassworks.evals.records import Evaluation
from glassworks.evals.sources import require_values
from glassworks.serving.protocols._openai.fields import Fields

_MOST_CRITERIA, _LONGEST_NAME = 50, 200
_STORED = ("logs", "stored_completions")


def evaluation(content: Mapping[str, Any], identity: str, owner: str, now: int) -> Evaluation:
    """Of a body for /v1/evals. Raises WrongParameter."""
    fields = Fields(content)
    schema, sampled = _config(fields)
    rows = fields.needed("testing_criteria", "give a list of graders")
    if not isinstance(rows, list) or not 0 < len(rows) <= _MOST_CRITERIA:
        raise fields.wrong("testing_criteria", rows, f"give a list of 1 to {_MOST_CRITERIA} graders")
    for number, each in enumerate(rows):
        where = f"testing_criteria[{number}]"
        require_values(list(criterion(each, where).paths), schema, where)
    name, metadata = name_of(fields, identity), fields.metadata()
    fields.end()
    return Evaluation(
        id=identity,
        owner=owner,
        name=name,
        created_at=now,
        updated_at=now,
        item_schema=schema,
        sampled=sampled,
        criteria=tuple(rows),
        metadata=metadata,
    )


def criteria_of(found: Evaluation) -> Sequence[tuple[str, Criterion]]:
    """The criteria, each with a name of its own."""
    named: dict[str, Criterion] = {}
    for number, each in enumerate(found.criteria):
        made = criterion(each, f"testing_criteria[{number}]")
        name, again = made.name, 2
        while name in named:
            name, again = f"{made.name}-{again}", again + 1
        named[name] = made
    return list(named.items())


def name_of(fields: Fields, default: str) -> str:
    """What people call it."""
    name = fields.text("name", default)
    if len(name) > _LONGEST_NAME:
        raise fields.wrong("name", name, f"give at most {_LONGEST_NAME} characters")
    return name


def _config(fields: Fields) -> tuple[dict[str, Any], bool]:
    """The schema of items, and whether there are samples."""
    config = Fields.of(fields.take("data_source_config"), "data_source_config")
    kind = config.text("type")
    if kind in _STORED:
        mend = "give the type 'custom' with an item_schema, and send the items with each run"
        raise config.unsupported("type", mend, f"the server keeps no completions, as the type '{kind}' needs")
    if kind != "custom":
        raise config.wrong("type", kind, "give custom")
    schema = config.needed("item_schema", "give the JSON schema of one item")
    checker(schema, "data_source_config.item_schema")
    sampled = config.flag("include_sample_schema")
    config.end()
    return schema, sampled
