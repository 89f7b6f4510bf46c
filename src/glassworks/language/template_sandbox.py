"""The sandbox of chat templates, which come with models and are nobody's friend: steps are counted, texts bounded."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from typing import Any, NoReturn

import jinja2
from jinja2 import nodes
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

_STEPS = "_steps"
_MOST_STEPS, _MOST_PRODUCT, _MOST_POWER = 200_000, 10**6, 64
_MOST_TEXT = 10**7
"""Characters of a value that a template makes: a long context has a tenth of it."""
_VALUE = 20
"""Characters that a value counts as beside its text."""
_PADDING = ("center", "expandtabs", "indent", "join", "ljust", "replace", "rjust", "translate", "zfill")
_LENGTHENING = {*_PADDING, "batch", "format", "slice", "tojson"}
"""Methods and filters whose result may be as long as the product of what they are given."""
_WIDE_FORM = re.compile(r"\d{5}|\*|\{[^{}]*\{")
"""A width of a hundred thousand, or one that is an argument."""


class Sandbox(ImmutableSandboxedEnvironment):
    """Every round of a loop and every call of a macro is a step, and no expression makes a huge text.

    What a template names itself cannot stand in for the counters: they are reached through the environment.
    """

    intercepted_binops = frozenset(("*", "**", "+", "%"))

    def __init__(self, filters: Mapping[str, Callable[..., Any]], **options: Any) -> None:
        """`filters` are further ones, or other ones of these names."""
        super().__init__(finalize=_shown, **options)
        self.filters = {name: _bounded(name, each) for name, each in {**self.filters, **filters}.items()}
        del self.globals["lipsum"]

    @staticmethod
    def counters() -> Mapping[str, Any]:
        """What one rendering needs beside its variables."""
        return {_STEPS: iter(range(_MOST_STEPS))}

    def step(self, context: Context) -> str:
        """Raises TemplateError for a template that goes on for ever."""
        if next(context.parent[_STEPS], None) is None:
            refuse(f"it takes more than {_MOST_STEPS} steps")
        return ""

    def joined(self, *parts: Any) -> str:
        """`a ~ b`."""
        return self.concat([str(_shown(each)) for each in parts])

    @staticmethod
    def concat(parts: Iterable[str]) -> str:
        """What blocks, macros and the whole are put together with."""
        texts = list(parts)
        _require(sum(map(len, texts)), "all of it")
        return "".join(texts)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "+":
            _require(_size((left, right)), operator)
        elif operator == "%":
            _require_narrow(left)
        else:
            _require_product(operator, left, right)
        return _shown(super().call_binop(context, operator, left, right))

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - as jinja2's
        text = getattr(__obj, "__self__", None)
        method = _bounded(__obj.__name__, __obj, text) if isinstance(text, str) else __obj
        return super().call(__context, method, *args, **kwargs)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """`"...".format`, which a sandbox replaces."""
        found = super().wrap_str_format(value)
        return _bounded("format", found, value.__self__) if found else None

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        found: Iterator[Any] = tree.find_all((nodes.For, nodes.Macro, nodes.CallBlock))
        for each in found:
            step = _own("step", nodes.ContextReference())
            each.body.insert(0, nodes.ExprStmt(step).set_lineno(each.lineno))
        whole: nodes.Template = _Joins().visit(tree).set_environment(self)
        return whole


class _Joins(NodeTransformer):
    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - a visitor's name
        self.generic_visit(node)
        return _own("joined", *node.nodes).set_lineno(node.lineno)


def refuse(message: str) -> NoReturn:
    """Raise TemplateError."""
    raise jinja2.TemplateError(message)


def _own(method: str, *arguments: nodes.Expr) -> nodes.Call:
    """A call of the environment's own method."""
    return nodes.Call(nodes.EnvironmentAttribute(method), list(arguments), [], None, None)


def _bounded(name: str, called: Callable[..., Any], *text: str) -> Callable[..., Any]:
    """A filter, or a method of a text."""

    @wraps(called)
    def checked(*arguments: Any, **further: Any) -> Any:
        _require_bounded(name, *text, *arguments, *further.values())
        return _shown(called(*arguments, **further))

    return checked


def _require_bounded(name: str, *given: Any) -> None:
    if name == "format":
        for each in given:
            _require_narrow(each)
    sizes = [max(1, abs(each) if isinstance(each, int) else _size(each)) for each in given]
    _require(math.prod(sizes) if name in _LENGTHENING else max(sizes, default=0), name)


def _shown(value: Any) -> Any:
    """The value, if its text is bounded."""
    _require(_size(value), "a value")
    return value


def _require_product(operator: str, left: Any, right: Any) -> None:
    sizes = [len(each) if isinstance(each, str | list | tuple) else each for each in (left, right)]
    numbers = all(isinstance(each, int | float) and abs(each) <= _MOST_PRODUCT for each in sizes)
    if not numbers or abs(sizes[0] * sizes[1]) > _MOST_PRODUCT or (operator == "**" and abs(sizes[1]) > _MOST_POWER):
        refuse(f"a product in it ({operator}) is too large")


def _require_narrow(form: Any) -> None:
    if isinstance(form, str) and _WIDE_FORM.search(form):
        refuse("a width in a format is too large")


def _require(size: int, what: str) -> None:
    if size > _MOST_TEXT:
        refuse(f"a text in it ({what}) is too large")


def _size(value: Any) -> int:
    """Characters of all texts in a value, and some for each value in it; no more are counted than are allowed."""
    size, left = 0, [value]
    while left and size <= _MOST_TEXT:
        each = left.pop()
        if isinstance(each, Mapping):
            left += [*each.keys(), *each.values()]
        elif isinstance(each, list | tuple):
            left += each
        size += len(each) + _VALUE if isinstance(each, str) else _VALUE
    return size
