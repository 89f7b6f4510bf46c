"""The sandbox of chat templates, which come with models and are nobody's friend: steps and texts have a budget."""

from __future__ import annotations

import re
from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from string import Formatter
from typing import Any, NoReturn

import jinja2
from jinja2 import nodes
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

_MOST_STEPS, _MOST_TEXT = 200_000, 10**8
"""Of one rendering: rounds of loops and calls; characters that its expressions read and make, all together."""
_MOST_PRODUCT, _MOST_POWER, _MOST_WIDTH = 10**6, 64, 10_000
_VALUE, _ENTRY = 100, 8
"""Characters that a value counts as beside its text, and in a list."""
_WIDTHS = {"center": 1, "indent": 1, "batch": 1, "slice": 1, "tojson": 1, "ljust": 1, "rjust": 1, "zfill": 1}
"""Filters and methods, and the place of the argument that is a width."""
_DEEP = {"string", "tojson", "join", "format", "pprint", "urlize", "escape", "e", "xmlattr"}
"""Filters that write out all that is in a value."""
_WIDE_FORM = re.compile(r"%[^a-zA-Z%]*(\d{4}|\*)")
_CONTEXTS = (jinja2.Environment, Context, nodes.EvalContext)


class _Budget:
    def __init__(self) -> None:
        self.steps, self.text = _MOST_STEPS, _MOST_TEXT


_LEFT: ContextVar[_Budget] = ContextVar("left")


@contextmanager
def budgeted() -> Iterator[None]:
    """One rendering."""
    token = _LEFT.set(_Budget())
    try:
        yield
    finally:
        _LEFT.reset(token)


class Sandbox(ImmutableSandboxedEnvironment):
    """Every round of a loop, block, call of a macro, filter or method is a step, and every expression that makes a text
    pays for it beforehand. What is left lies where no template can name it. Render within `budgeted`.
    """

    intercepted_binops = frozenset(("*", "**", "+", "%"))

    def __init__(self, filters: Mapping[str, Callable[..., Any]], **options: Any) -> None:
        """`filters` are further ones, or other ones of these names."""
        super().__init__(finalize=_written, **options)
        self.filters = {name: _paid(name, each) for name, each in {**self.filters, **filters}.items()}
        del self.globals["lipsum"]

    def step(self) -> str:
        """Raises TemplateError for a template that goes on for ever."""
        _step()
        return ""

    def joined(self, *parts: Any) -> str:
        """`a ~ b`."""
        return "".join([str(_written(each)) for each in parts])

    @staticmethod
    def concat(parts: Iterable[str]) -> str:
        """What blocks, macros and the whole are put together with."""
        texts = []
        for part in parts:
            _pay(len(part))
            texts.append(part)
        return "".join(texts)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Texts, lists and mappings have what templates need; bytes and numbers have widths of their own."""
        return (
            attr != "encode"
            and not isinstance(obj, bytes | int | float)
            and super().is_safe_attribute(obj, attr, value)
        )

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "%" and isinstance(left, str):
            _require_narrow(bool(_WIDE_FORM.search(left)))
            _pay(len(left) + left.count("%") * _longest(right))
        elif operator == "+":
            _pay(_shallow(left) + _shallow(right))
        elif operator != "%":
            _require_product(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - as jinja2's
        text = getattr(__obj, "__self__", None)
        if isinstance(text, str):
            _pay_for(__obj.__name__, text, *args, **kwargs)
        else:
            _step()
        return super().call(__context, __obj, *args, **kwargs)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """`"...".format`, which a sandbox replaces."""
        found = super().wrap_str_format(value)
        if found is None:
            return None
        form, replaced = value.__self__, found

        def checked(*args: Any, **kwargs: Any) -> str:
            _pay_for_form(form, *args, *kwargs.values())
            return replaced(*args, **kwargs)

        return checked

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        found: Iterator[Any] = tree.find_all((nodes.For, nodes.Macro, nodes.CallBlock, nodes.Block))
        for each in found:
            each.body.insert(0, nodes.ExprStmt(_own("step")).set_lineno(each.lineno))
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


def _step() -> None:
    left = _LEFT.get()
    left.steps -= 1
    if left.steps < 0:
        refuse(f"it takes more than {_MOST_STEPS} steps")


def _pay(characters: int) -> None:
    left = _LEFT.get()
    left.text -= characters
    if left.text < 0:
        refuse("its texts are too large")


def _paid(name: str, filtering: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(filtering)
    def checked(*arguments: Any, **further: Any) -> Any:
        given = arguments[1:] if arguments and isinstance(arguments[0], _CONTEXTS) else arguments
        _pay_for(name, *given, **further)
        return filtering(*arguments, **further)

    return checked


def _pay_for(name: str, value: Any = "", *arguments: Any, **further: Any) -> None:
    """Of a filter or a method: what it reads, and the most that it makes."""
    _step()
    width = arguments[_WIDTHS[name] - 1] if name in _WIDTHS and len(arguments) >= _WIDTHS[name] else 0
    for number in (width, further.get("width"), further.get("indent"), further.get("linecount"), further.get("slices")):
        _require_narrow(isinstance(number, int) and abs(number) > _MOST_WIDTH)
    size = _size(value) if name in _DEEP else _shallow(value)
    if name == "format":
        _pay_for_form(value, *arguments, *further.values())
    elif name == "replace" and len(arguments) > 1 and isinstance(value, str):
        old, new = str(arguments[0]), str(arguments[1])
        size += value.count(old) * len(new)
    elif name == "join":
        # A filter's texts are its value, a method's are its argument.
        separator, texts = (
            (value, arguments[0]) if isinstance(value, str) and arguments else (arguments or ("",), value)
        )
        size += _size(texts) + _size(separator) * (len(texts) if hasattr(texts, "__len__") else 1)
    elif name in ("indent", "expandtabs", "translate") and isinstance(value, str):
        size *= 1 + (abs(arguments[0]) if arguments and isinstance(arguments[0], int) else _longest(arguments) + 8)
    _pay(size)


def _pay_for_form(form: Any, *given: Any) -> None:
    """`"{}".format(...)`, and `"%s"|format(...)`."""
    if not isinstance(form, str):
        return
    try:
        specs = [spec or "" for _, _, spec, _ in Formatter().parse(form)]
    except ValueError:
        specs = []
    wide = any("{" in spec or re.search(r"\d{4}", spec) for spec in specs) or bool(_WIDE_FORM.search(form))
    _require_narrow(wide)
    _pay(len(form) + (len(specs) + form.count("%")) * _longest(given))


def _written(value: Any) -> Any:
    """A value that is about to be written out, and paid."""
    _pay(_size(value))
    return value


def _require_product(operator: str, left: Any, right: Any) -> None:
    sizes = [len(each) if isinstance(each, str | list | tuple) else each for each in (left, right)]
    numbers = all(isinstance(each, int | float) and abs(each) <= _MOST_PRODUCT for each in sizes)
    if not numbers or abs(sizes[0] * sizes[1]) > _MOST_PRODUCT or (operator == "**" and abs(sizes[1]) > _MOST_POWER):
        refuse(f"a product in it ({operator}) is too large")
    _pay(int(abs(sizes[0] * sizes[1])) if isinstance(left, str | list | tuple) else 0)


def _require_narrow(wide: bool) -> None:
    if wide:
        refuse("a width in it is too large")


def _longest(values: Any) -> int:
    if isinstance(values, Mapping):
        return max(map(_size, values.values()), default=0)
    return max(map(_size, values if isinstance(values, tuple) else (values,)), default=0)


def _shallow(value: Any) -> int:
    if isinstance(value, list | tuple | Mapping | range):
        return _ENTRY * len(value)
    return len(value) if isinstance(value, str) else 1


def _size(value: Any) -> int:
    """Characters of all texts in a value, and some for each value in it; no more are counted than are allowed."""
    size, left = 0, [value]
    while left and size <= _MOST_TEXT:
        each = left.pop()
        inside = object.__getattribute__(each, "_Namespace__attrs") if isinstance(each, Namespace) else each
        if isinstance(inside, Mapping):
            left += [*inside.keys(), *inside.values()]
        elif isinstance(inside, list | tuple | KeysView | ValuesView | ItemsView):
            left += inside
        size += _VALUE + (len(each) if isinstance(each, str | range) else 0)
    return size
