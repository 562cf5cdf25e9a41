"""Dask's loggers, off the terminal."""

from __future__ import annotations

import logging
from collections import deque
from typing import Final

FAMILIES: Final = ("asyncio", "distributed", "tornado")


class _Kept(logging.Handler):
    """Errors, the last few, for whoever reports that a cluster failed."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: deque[str] = deque(maxlen=20)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name}: {record.getMessage()}".splitlines()[0])


def silence() -> deque[str]:
    """Have what Dask would write to the terminal kept in a list; each of its loggers may have a handler of its own."""
    kept = _Kept()
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger) and name.partition(".")[0] in FAMILIES:
            logger.handlers[:] = []
            logger.propagate = True
    for name in FAMILIES:
        logger = logging.getLogger(name)
        logger.handlers[:] = [kept]
        logger.propagate = False
    return kept.lines
