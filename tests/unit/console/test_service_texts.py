"""What the service says in English has a Chinese text: every error of the control API and of what it stands on."""

from __future__ import annotations

import ast
import itertools
import json
import re
import string
from collections.abc import Iterator, Mapping
from pathlib import Path

import glassworks
from glassworks import errors
from glassworks.sentences import TEXTS

SOURCE = Path(glassworks.__file__).parent
CATALOG: Mapping[str, str] = json.loads(
    (SOURCE / "console" / "static" / "i18n" / "service" / "zh-CN.json").read_text(encoding="utf-8")
)
SAID = (
    *("control", "registry", "runs", "drafts", "data/uploads", "data/preview", "serving/access"),
    *("job_schema.py", "job_files.py", "wrong_keys.py", "config.py", "references.py", "flow.py"),
    *("serving/core/models.py", "serving/core/traffic.py", "serving/core/repository.py"),
    *("serving/transports/http/asgi.py", "serving/transports/http/under_way.py"),
    *("packaging/comparison.py", "packaging/card.py"),
)
"""Modules whose errors can come to a page. What others say is in the catalog where it is usual; the rest is marked."""
ELSEWHERE = ("control/protocols", "control/fine_tuning")
"""What only clients of other protocols are told."""
_VALUE = "{}"


def texts(node: ast.expr, names: Mapping[str, list[ast.expr]]) -> list[str]:
    """What an expression says, `{}` for each value: one text for each way that a condition may go."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=values):
            parts = [[_VALUE] if isinstance(each, ast.FormattedValue) else texts(each, names) for each in values]
            return ["".join(each) for each in itertools.product(*parts)]
        case ast.IfExp(body=body, orelse=orelse):
            return [*texts(body, names), *texts(orelse, names)]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return ["".join(each) for each in itertools.product(texts(left, names), texts(right, names))]
        case ast.Name(id=name) if name in names:
            return [text for each in names[name] for text in texts(each, {})]
    return [_VALUE]


def assigned(tree: ast.Module) -> Mapping[str, list[ast.expr]]:
    """Names of a module, and what they stand for anywhere in it."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found.setdefault(name, []).append(value)
            case ast.Assign(targets=[ast.Tuple(elts=elements)], value=ast.Tuple(elts=values)):
                for element, value in zip(elements, values, strict=False):
                    if isinstance(element, ast.Name):
                        found.setdefault(element.id, []).append(value)
    return found


def kinds() -> set[str]:
    """Names of the errors of this package, those that modules define too."""
    found = {name for name, each in vars(errors).items() if isinstance(each, type)}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and any(isinstance(b, ast.Name) and b.id in found for b in node.bases):
                found.add(node.name)
    return found


def said(path: Path, names: set[str]) -> Iterator[str]:
    """Problems and mends of all errors that a module makes."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    known = assigned(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            for argument in node.args[:2]:
                yield from texts(argument, known)


def words(text: str) -> str:
    return re.sub(r"[^A-Za-z]", "", text.replace(_VALUE, ""))


def test_every_error_of_the_control_api_has_a_chinese_text() -> None:
    names, missing = kinds(), []
    for part in SAID:
        place = SOURCE / part
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            if any(path.is_relative_to(SOURCE / each) for each in ELSEWHERE):
                continue
            missing += [text for text in said(path, names) if words(text) and text not in CATALOG]
    assert missing == [], "add them to console/static/i18n/service/zh-CN.json"


def test_what_is_found_in_data_has_the_text_of_its_code() -> None:
    """Cards and reports of before have the English text alone; what is newer than the catalog stays English there."""
    page = json.loads((SOURCE / "console/static/pages/data/zh-CN.json").read_text(encoding="utf-8"))
    for code, text in TEXTS.items():
        if code.startswith("finding."):
            parts = list(string.Formatter().parse(text))
            names = [name for _, name, _, _ in parts if name]
            key = "".join(literal + (_VALUE if name else "") for literal, name, _, _ in parts)
            said = page[f"data.{code}"]
            said = said if isinstance(said, str) else said["other"]
            wanted = re.sub(r"\{(\w+)\}", lambda found: f"{{{names.index(found[1])}}}", said)  # noqa: B023
            assert CATALOG.get(key, wanted) == wanted, code


def test_values_are_said_once_each_at_most_as_often_as_there_are() -> None:
    for text, chinese in CATALOG.items():
        known = {str(number) for number in range(text.count(_VALUE))}
        assert set(re.findall(r"\{(\d)\}", chinese)) <= known, text
        assert _VALUE not in chinese, text
        assert re.search(r"[\u3400-\u9fff]", chinese) or len(words(text)) < 20, text


def test_the_catalog_is_sorted() -> None:
    assert list(CATALOG) == sorted(CATALOG)


def test_an_error_is_found_with_its_ways() -> None:
    tree = ast.parse('WHY = "gone"\nraise NotFound(f"{a} is {b}" if c else WHY, "look " + f"at {d}")')
    call = next(node for node in ast.walk(tree) if isinstance(node, ast.Call))
    assert [texts(each, assigned(tree)) for each in call.args] == [["{} is {}", "gone"], ["look at {}"]]
