"""The error tree: its documentation, its exit codes and its two lines."""

import inspect
import re

import pytest
from hypothesis import given, strategies as st

from glassworks import errors
from glassworks.errors import ConfigError, GlassworksError

CLASSES = {
    name: value for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, GlassworksError)
}


def documented_parents() -> dict[str, str]:
    """Class -> parent, read from the tree drawn in the module's docstring."""
    parents: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^([ │├└─]*)([A-Z][A-Za-z]+)(\s{2,}|$)", line)
        if not match:
            continue
        depth, name = len(match[1]), match[2]
        above = [(other_depth, other) for other_depth, other in above if other_depth < depth]
        parents[name] = above[-1][1] if above else "Exception"
        above.append((depth, name))
    return parents


def test_the_documented_tree_is_the_tree() -> None:
    assert documented_parents() == {name: value.__mro__[1].__name__ for name, value in CLASSES.items()}


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_error_says_what_it_is_for(name: str) -> None:
    assert (CLASSES[name].__doc__ or "").endswith(".")


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_bad_input_exits_with_2_an_interrupt_with_130_and_failure_with_1(name: str) -> None:
    expected = {errors.Infeasible: 1, errors.InputError: 2, errors.Cancelled: 130}
    assert CLASSES[name].exit_code == next(
        (code for kind, code in expected.items() if issubclass(CLASSES[name], kind)), 1
    )


def test_an_error_reads_as_problem_and_mend() -> None:
    error = ConfigError("'epochs' is 0: 1 or more is allowed", "set epochs to 1")
    assert str(error) == "'epochs' is 0: 1 or more is allowed\nmend: set epochs to 1"


@given(st.text(), st.text())
def test_an_error_is_two_lines_whatever_a_library_said(problem: str, mend: str) -> None:
    lines = str(GlassworksError(problem, mend)).split("\n")
    assert len(lines) == 2
    assert lines[1].startswith("mend: ")
    assert not any(len(line.splitlines()) > 1 for line in lines)
