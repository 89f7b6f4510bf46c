"""What the service's own log says of what others sent: no access key, nothing that steers a terminal."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from glassworks.serving.access.masking import masked
from glassworks.serving.failures import text_of
from glassworks.serving.observability.logs import Discreet, discreet

KEY = "gw_0123abcd_" + "Secret-" * 6 + "x"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What a handler of somebody else writes of the service's log."""
    logger, text = logging.getLogger("glassworks.serving"), io.StringIO()
    handler = logging.StreamHandler(text)
    logger.addHandler(handler)
    discreet()
    discreet()
    yield text
    logger.removeHandler(handler)
    assert sum(isinstance(each, Discreet) for each in logger.filters) == 1
    for name in ("glassworks.serving", "glassworks.access", "asyncio"):
        found = logging.getLogger(name)
        found.filters = [each for each in found.filters if not isinstance(each, Discreet)]


def test_neither_messages_nor_tracebacks_hold_a_key(written: io.StringIO) -> None:
    logging.getLogger("glassworks.serving").error("asked for %s by %r", KEY, "\x1b[31m")
    logging.getLogger("glassworks.serving").error("asked \x1b]0;owned\x07")
    try:
        raise ValueError(f"no model {KEY.replace('_', '%5f')} \x1b[2J")
    except ValueError as error:
        number = text_of(error).split()[2].rstrip(";")
    text = written.getvalue()
    assert "Secret" not in text
    assert "\x1b" not in text
    assert "\x07" not in text
    assert text.count("gw_0123abcd_...") == 2
    assert number in text
    assert "Traceback (most recent call last)" in text
    assert text.count("\n") > 4  # lines stay lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"), ("50%", "50%"), ("a%20b", "a%20b"), (f"<{KEY}>", "<gw_0123abcd_...>"),
        (f"{KEY}{KEY}", "gw_0123abcd_..."),
        (KEY.replace("_", "%5F"), "gw_0123abcd_..."), (KEY.replace("g", "%2567"), "gw_0123abcd_..."),
        (f"x%20{KEY}", "x gw_0123abcd_..."), (KEY.swapcase(), "GW_0123ABCD_..."), ("gw_0123abcd", "gw_0123abcd"),
    ],
)  # fmt: skip
def test_keys_are_masked_however_they_are_written(text: str, shown: str) -> None:
    assert masked(text) == shown
