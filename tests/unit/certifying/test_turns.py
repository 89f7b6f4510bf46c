"""Requests as servers read them, and answers that are not what was hoped for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from glassworks.certifying.asking import outputs_of, request_of
from glassworks.certifying.turns import Answers, _joined
from glassworks.errors import ServingError
from glassworks.serving.codec.responses import render_response
from glassworks.serving.codec.tensors import parse_request

if TYPE_CHECKING:
    from glassworks.contracts import Array


def test_requests_are_what_the_server_reads() -> None:
    texts = np.array(["a", "\u00e9", ""], object)
    numbers = np.arange(6, dtype=np.float32).reshape(3, 2)
    request = request_of({"text": texts, "numbers": numbers})
    body, tensors = parse_request(request.body, request.head)
    assert tensors["text"].tolist() == [b"a", "\u00e9".encode(), b""]
    assert np.array_equal(tensors["numbers"], numbers)
    assert body.parameters == {"binary_data_output": True}


def test_answers_are_read_as_the_server_writes_them() -> None:
    outputs: dict[str, Array] = {"scores": np.random.default_rng(0).random((3, 4), np.float32), "ids": np.arange(3)}
    body, head = render_response({"model_name": "x"}, outputs, dict.fromkeys(outputs, True))
    assert head is not None
    found = outputs_of(body, head)
    assert all(np.array_equal(found[name], values) for name, values in outputs.items())


def test_what_is_not_served_or_not_alike_is_an_error_of_serving() -> None:
    answers = Answers(np.arange(2), {"scores": np.ones((2, 2), np.float64)}, {})
    ask = answers.ask(answers.ours)
    assert ask("").dtype == np.float32
    with pytest.raises(ServingError, match="gives no output 'margin'"):
        ask("margin")
    with pytest.raises(ServingError, match="are not alike"):
        _joined([{"a": np.ones((1, 2))}, {"a": np.ones((1, 3))}])
