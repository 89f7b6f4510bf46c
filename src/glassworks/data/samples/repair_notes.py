"""Made-up notes to a repair shop: for what language models learn to classify, to extract and to answer."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

from glassworks.contracts import Sample
from glassworks.data.assigned import UNLABELED
from glassworks.data.conversations.reader import ConversationReader, Record
from glassworks.data.text.reader import Columns, Row, TextReader

if TYPE_CHECKING:
    from glassworks.data.tabular.format import TableFormat

PARTS: Mapping[str, int] = {"train": 160, "validation": 60, "test": 120, UNLABELED: 380}
_FAULTS: Mapping[str, tuple[str, ...]] = {
    "KX3": ("the {} leaks", "there is water under the {}", "the {} drips all night", "the {} loses oil"),
    "PD8": ("the {} does not start", "the {} stays dark", "the switch of the {} does nothing", "the {} is dead"),
    "RV1": ("the {} rattles", "the {} makes a terrible noise", "the {} hums all day", "one hears the {} everywhere"),
    "ZM6": ("a part of the {} broke off", "the {} has a crack", "somebody dropped the {}", "the lid of the {} is bent"),
    "HT9": ("the {} smells burnt", "smoke comes out of the {}", "the {} gets far too hot", "the {} threw sparks"),
}
_OBJECTS = (
    "kettle", "dishwasher", "heater", "fan", "mixer", "lamp", "toaster", "printer", "freezer", "pump",
    "drill", "oven", "scanner", "grinder", "vacuum", "radio", "boiler", "shredder", "projector", "dryer",
)  # fmt: skip
_FORMS: Mapping[str, str] = {
    "Order {order}: {fault}.": "normal",
    "{fault}. Order {order}, no hurry.": "normal",
    "Good morning, {fault}, order {order}. Whenever you have time.": "normal",
    "Urgent, order {order}: {fault}!": "urgent",
    "Order {order}. {fault}, and we need it today.": "urgent",
    "Please hurry: {fault}. The order is {order}.": "urgent",
}
_QUESTIONS: Mapping[str, str] = {
    "object": "What is broken?",
    "order": "Which order is it?",
    "urgency": "How urgent is it?",
}


class RepairNotes(Sample, TextReader, ConversationReader):
    """720 made-up notes to a repair shop, of which 340 have the code of their fault, which no text tells."""

    name: ClassVar[str] = "repair-notes"

    def conversations(self, what: str, form: TableFormat) -> Iterator[Record]:
        """Those with a code: `prompt` and `answer` (the code), `fields` (a JSON object of the whole order), `question`
        with its `reply` about the note, and `part`.
        """
        for number, note in enumerate(notes()):
            if note["part"] != UNLABELED:
                yield f"note {number}", note

    def texts(self, what: str, columns: Columns) -> Iterator[Row]:
        """All, in their parts; the label is the code, of which the part `unlabeled` has none."""
        for number, note in enumerate(notes()):
            label = "" if note["part"] == UNLABELED else note["answer"]
            yield Row(f"note {number}", note["prompt"], label, note["part"])


def notes(seed: int = 0) -> Iterator[dict[str, str]]:
    """All notes, drawn from 2,400 combinations; a seed always draws the same."""
    chance = random.Random(seed)  # noqa: S311 - examples, no secrets
    every = [(code, text) for code, texts in _FAULTS.items() for text in texts]
    drawn = chance.sample(list(itertools.product(every, _OBJECTS, _FORMS)), sum(PARTS.values()))
    parts = itertools.chain.from_iterable([part] * count for part, count in PARTS.items())
    for ((code, text), thing, form), part in zip(drawn, parts, strict=True):
        order = str(chance.randrange(1000, 10_000))
        fault = text.format(thing)
        prompt = form.format(order=order, fault=fault if form[0] != "{" else fault[0].upper() + fault[1:])
        fields = {"code": code, "urgency": _FORMS[form], "object": thing, "order": int(order)}
        asked = chance.choice(list(_QUESTIONS))
        yield {
            "prompt": prompt,
            "answer": code,
            "fields": json.dumps(fields),
            "question": f"{prompt}\n{_QUESTIONS[asked]}",
            "reply": str(fields[asked]),
            "part": part,
        }
