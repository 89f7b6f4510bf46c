"""Errors as clients meet them: one table of codes, and one text whatever they speak."""

from __future__ import annotations

import inspect

import pytest

from glassworks import errors
from glassworks.errors import GlassworksError, InputError, Overloaded
from glassworks.serving.failures import STATUSES, Status, status, text_of

CLASSES = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    # Requests run nothing that is cancelled so.
    if issubclass(kind, GlassworksError) and kind is not errors.Cancelled
]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_has_a_row_or_its_parents(kind: type[GlassworksError]) -> None:
    assert status(kind("what", "mend")) == STATUSES.get(kind, status(kind.__mro__[1]("what", "mend")))


def test_what_people_got_wrong_is_no_fault_of_the_server() -> None:
    for kind in CLASSES:
        assert (status(kind("what", "mend")).http < 500) == (issubclass(kind, InputError | errors.LimitExceeded)), kind


def test_no_row_is_of_a_class_that_is_gone_and_no_two_codes_disagree() -> None:
    assert all(issubclass(kind, Exception) for kind in STATUSES)
    codes = {each.http: each.grpc for each in STATUSES.values()}
    assert all(codes[each.http] == each.grpc for each in STATUSES.values())
    assert status(RuntimeError("secret")) == Status(500, 13)


def test_an_endless_quote_is_cut_and_a_key_is_masked() -> None:
    assert len(text_of(Overloaded("x" * 10**6, "y" * 10**6))) < 3000
    assert "secretsecret" not in text_of(InputError("gw_0123abcd_secretsecret", "no"))
