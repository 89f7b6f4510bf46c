"""Templates: text in which `{{item.NAME}}` and `{{sample.NAME}}` stand for values. Nothing in them is computed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glassworks.serving.failures import WrongParameter

MOST_SIGNS, MOST_VARIABLES = 65_536, 200
"""Of one template."""
MOST_FILLED = 2**18
"""Characters of one that is filled in."""
_VARIABLE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_STEP = r"""\.[\w-]+|\[\d{1,6}\]|\["[^"\]]*"\]|\['[^'\]]*'\]"""
_NAME = re.compile(rf"\s*(item|sample)((?:{_STEP})*)\s*")
_STEPS = re.compile(_STEP)
_MEND = "write {{item.NAME}} or {{sample.output_text}}: values are filled in, nothing is computed"
Path = tuple[str | int, ...]
"""The namespace, then names of fields and numbers of entries."""


class Missing(Exception):
    """A value that a template names is not there; its text says which."""


@dataclass(frozen=True, slots=True)
class Template:
    """Texts, and between each two of them a path."""

    texts: Sequence[str]
    paths: Sequence[Path]

    def filled(self, values: Mapping[str, Any]) -> str:
        """With `values` by namespace; what is filled in is not looked at again. Raises Missing."""
        parts = [self.texts[0]]
        for path, text in zip(self.paths, self.texts[1:], strict=True):
            parts += [_text(found(path, values)), text]
            if sum(map(len, parts)) > MOST_FILLED:
                raise Missing(f"a filled-in template has more than {MOST_FILLED:,} characters")
        return "".join(parts)


def template(text: object, where: str) -> Template:
    """Of a text at `where` of a request. Raises WrongParameter."""
    if not isinstance(text, str) or len(text) > MOST_SIGNS:
        raise WrongParameter(f"{where} is {text!r:.100}", f"give a text of at most {MOST_SIGNS:,} characters", where)
    texts, paths, end = [], [], 0
    for match in _VARIABLE.finditer(text):
        texts.append(text[end : match.start()])
        paths.append(_path(match[1], where))
        end = match.end()
    texts.append(text[end:])
    if len(paths) > MOST_VARIABLES:
        raise WrongParameter(f"{where} names {len(paths)} values", f"name at most {MOST_VARIABLES}", where)
    if (begin := texts[-1].find("{{")) >= 0:
        raise WrongParameter(f"{where} has a '{{{{' without its end at {texts[-1][begin : begin + 40]!r}", _MEND, where)
    return Template(texts, paths)


def path(text: object, where: str) -> Path:
    """Of a text such as `item.messages`. Raises WrongParameter."""
    if not isinstance(text, str):
        raise WrongParameter(f"{where} is {text!r:.100}", "give a text such as item.messages", where)
    return _path(text, where)


def found(path: Path, values: Mapping[str, Any]) -> Any:
    """The value at a path. Raises Missing."""
    value: Any = values
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            raise Missing(f"there is no {shown(path)}") from None
    return value


def shown(path: Path) -> str:
    """As people write it."""
    return str(path[0]) + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path[1:])[:200]


def paths_in(value: object) -> Iterator[Path]:
    """Of all templates in a record of graders and messages."""
    if isinstance(value, Template):
        yield from value.paths
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from paths_in(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from paths_in(each)


def _path(text: str, where: str) -> Path:
    match = _NAME.fullmatch(text)
    if match is None:
        raise WrongParameter(f"{where} has {'{{' + text[:60] + '}}'!r}", _MEND, where)
    return match[1], *map(_step, _STEPS.findall(match[2]))


def _step(text: str) -> str | int:
    return int(text[1:-1]) if text[0] == "[" and text[1].isdigit() else text.strip(".[]\"'")


def _text(value: Any) -> str:
    """A text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
