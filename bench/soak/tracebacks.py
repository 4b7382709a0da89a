"""Errors that nobody expected: the controller logs each with its traceback, and goes on."""

import contextlib
import logging
from collections.abc import Iterator


class Tracebacks(logging.Handler):
    """Notes what was logged with a traceback."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    @classmethod
    @contextlib.contextmanager
    def noted(cls) -> Iterator["Tracebacks"]:
        """Listen to all loggers."""
        listener = cls()
        logging.getLogger().addHandler(listener)
        try:
            yield listener
        finally:
            logging.getLogger().removeHandler(listener)

    def emit(self, record: logging.LogRecord) -> None:
        """Note the message."""
        if record.exc_info:
            self.texts.append(record.getMessage())
