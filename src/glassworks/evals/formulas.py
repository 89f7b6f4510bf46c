"""Formulas over scores of graders, such as `0.7 * accuracy + 0.3 * style`: Python's parser reads, this computes."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from glassworks.serving.failures import WrongParameter

MOST_SIGNS = 1000
_MOST_DEEP, _LARGEST = 40, 1e100
_FUNCTIONS: Mapping[str, Callable[..., float]] = MappingProxyType(
    {
        "min": min, "max": max, "abs": abs, "floor": math.floor, "ceil": math.ceil,
        "exp": math.exp, "sqrt": math.sqrt, "log": math.log,
    }
)  # fmt: skip
_MANY = ("min", "max")
_SIGNS: Mapping[type[ast.AST], Callable[..., float]] = MappingProxyType(
    {
        ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
        ast.Pow: math.pow, ast.UAdd: operator.pos, ast.USub: operator.neg,
    }
)  # fmt: skip
_MEND = f"use names of graders, numbers, + - * / ^ and {', '.join(_FUNCTIONS)}"


class Formula:
    """One that was looked through: it holds nothing but arithmetic on `names`."""

    def __init__(self, text: object, names: Sequence[str], where: str) -> None:
        """Raises WrongParameter."""
        if not isinstance(text, str) or not 0 < len(text) <= MOST_SIGNS:
            raise WrongParameter(f"{where} is {text!r:.100}", f"give a formula of 1 to {MOST_SIGNS} characters", where)
        self._names, self._where = names, where
        try:
            self._tree = ast.parse(text.replace("^", "**").strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise WrongParameter(f"{where} is {text!r:.100}, which is no formula", _MEND, where) from None
        self._check(self._tree, 0)

    def __call__(self, scores: Mapping[str, float]) -> float:
        """Raises ArithmeticError and ValueError, as for a division by zero."""
        found = float(_computed(self._tree, scores))
        if not math.isfinite(found):
            raise ArithmeticError("the formula gives no finite number")
        return found

    def _check(self, node: ast.AST, depth: int) -> None:
        if depth > _MOST_DEEP:
            raise WrongParameter(f"{self._where} is nested too deeply", "write it with fewer brackets", self._where)
        for each in self._parts(node):
            self._check(each, depth + 1)

    def _parts(self, node: ast.AST) -> Sequence[ast.AST]:
        """What a node is computed from. Raises WrongParameter for one that is no arithmetic."""
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool) and abs(value) < _LARGEST:
                return ()
            case ast.Name(id=name) if name in self._names:
                return ()
            case ast.BinOp(op=sign) if type(sign) in _SIGNS:
                return (node.left, node.right)
            case ast.UnaryOp(op=sign) if type(sign) in _SIGNS:
                return (node.operand,)
            case ast.Call(func=ast.Name(id=name), keywords=[]) if name in _FUNCTIONS and node.args:
                if len(node.args) == 1 or name in _MANY:
                    return node.args
        part = ast.unparse(node)[:60] if not isinstance(node, ast.Name) else node.id[:60]
        raise WrongParameter(f"{self._where} has {part!r}", f"{_MEND}; graders: {', '.join(self._names)}", self._where)


def _computed(node: Any, scores: Mapping[str, float]) -> float:
    match node:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.Name():
            return scores[node.id]
        case ast.BinOp():
            return _SIGNS[type(node.op)](_computed(node.left, scores), _computed(node.right, scores))
        case ast.UnaryOp():
            return _SIGNS[type(node.op)](_computed(node.operand, scores))
    values = [_computed(each, scores) for each in node.args]
    return _FUNCTIONS[node.func.id](values if node.func.id in _MANY else values[0])
