"""What the service logs of others' text: without access keys, and without what would steer a terminal."""

from __future__ import annotations

import logging

from glassworks.printable import printable
from glassworks.serving.access.masking import masked

_NAMES = ("glassworks.serving", "glassworks.access", "asyncio")


class Discreet(logging.Filter):
    """Rewrites a record before anybody formats it; tracebacks too, which quote what was sent."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let everything pass."""
        record.msg, record.args = printable(masked(record.getMessage())), None
        if record.exc_info:
            record.exc_text = printable(masked(logging.Formatter().formatException(record.exc_info)))
        return True


def discreet() -> None:
    """From now on the service's own logs are discreet, whoever handles them."""
    for name in _NAMES:
        logger = logging.getLogger(name)
        if not any(isinstance(each, Discreet) for each in logger.filters):
            logger.addFilter(Discreet())
