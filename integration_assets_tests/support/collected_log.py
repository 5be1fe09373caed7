"""Every line that is logged in this process: secrets must not be in any of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def collected(logger: logging.Logger, level: int, words: Callable[[logging.LogRecord], str]) -> Iterator[list[str]]:
    """Log from this level on below a logger, and collect the words of each record that reaches the root."""
    lines: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(words(record))

    root, collector, before = logging.getLogger(), Collector(), logger.level
    root.addHandler(collector)
    logger.setLevel(level)
    try:
        yield lines
    finally:
        root.removeHandler(collector)
        logger.setLevel(before)
