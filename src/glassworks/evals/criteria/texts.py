"""Graders that compare two texts: those of `glassworks.language.evaluation.graders` that look at what was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from glassworks.catalog import found
from glassworks.contracts import Answered, Grader
from glassworks.errors import InputError
from glassworks.evals.grading import Criterion, Grade, Read, Surroundings, Ungraded, finite
from glassworks.evals.templates import Path, Template, paths_in, template
from glassworks.serving.failures import WrongParameter
from glassworks.serving.protocols._openai.fields import Fields

if TYPE_CHECKING:
    from glassworks.record import Record

_SIMILARITY = "text_similarity"
_NEEDING = {
    "cosine": "cosine compares embeddings, and the grader names no model that makes them",
    "meteor": "meteor needs the synonyms of WordNet, which this server has not",
}


@dataclass(frozen=True, kw_only=True)
class Comparison(Criterion):
    """The text `input` against the text `reference`."""

    grader: Grader
    options: Record
    measure: str
    input: Template
    reference: Template
    threshold: float

    @property
    def paths(self) -> Iterator[Path]:
        """Of both texts."""
        return paths_in((self.input, self.reference))

    async def grade(self, values: Mapping[str, Any], around: Surroundings) -> Grade:
        """Passed from the threshold on."""
        said, known = self.input.filled(values), self.reference.filled(values)
        score = await around.on(lambda: self._score(said, known))
        return Grade(score, score >= self.threshold)

    def _score(self, said: str, known: str) -> float:
        try:
            found = self.grader.grade(Answered(text=said), known, self.options)
        except InputError as error:
            raise Ungraded(f"{self.name}: {error}") from None
        if self.measure not in found:
            raise Ungraded(f"'{self.name}' measures no '{self.measure}'; give measure: {' or '.join(found)}"[:300])
        return finite(found[self.measure], self.name)


def kinds() -> Mapping[str, Read]:
    """All graders that need a text, by their names."""
    return {name: _comparison for name, each in found(Grader).items() if each.asks == "text"}


def _comparison(fields: Fields, kind: str, where: str) -> Comparison:
    grader = found(Grader)[kind]
    name = fields.text("name") or kind
    said = template(fields.needed("input", "give a template such as {{sample.output_text}}"), f"{where}.input")
    known = template(fields.needed("reference", "give a template such as {{item.answer}}"), f"{where}.reference")
    threshold, measure = _threshold(fields, kind), fields.text("measure", kind)
    return Comparison(
        name=name,
        kind=kind,
        grader=grader,
        options=_options(fields, grader, where),
        measure=measure,
        input=said,
        reference=known,
        threshold=threshold,
    )


def _threshold(fields: Fields, kind: str) -> float:
    if kind == "string_check":
        return 1.0
    if kind == _SIMILARITY:
        given = fields.needed("pass_threshold", "give the least score that passes, such as 0.8")
        return fields.checked("pass_threshold", given)
    return fields.number("pass_threshold", 1.0)


def _options(fields: Fields, grader: Grader, where: str) -> Record:
    if grader.name == _SIMILARITY:
        metric = fields.needed("evaluation_metric", "give one such as fuzzy_match")
        if isinstance(metric, str) and metric in _NEEDING:
            mend = "use fuzzy_match, bleu, gleu, rouge_1 to rouge_5 or rouge_l"
            raise fields.unsupported("evaluation_metric", mend, _NEEDING[metric])
        given = {"metric": metric}
    else:
        given = fields.given(*grader.options.model_fields)
    try:
        options: Record = grader.options.model_validate(given)
        return options
    except ValidationError as error:
        first = error.errors()[0]
        part = "evaluation_metric" if grader.name == _SIMILARITY else ".".join(map(str, first["loc"]))
        raise WrongParameter(
            f"{where}.{part} is {first['input']!r:.100}: {first['msg']}", "give one that is there", f"{where}.{part}"
        ) from None
