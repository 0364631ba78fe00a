"""Structured logs: one line an event, as `key=value` text or JSON; none a frame.

Role: formats what anybody logs through `logging`.

Invariants: a line never holds a secret, a token, a prompt or a picture; a client's text is escaped,
so that it can't forge a line.

It does not know: HTTP, the engine.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import orjson


def event(
    logger: logging.Logger, name: str, *, level: int = logging.INFO, **fields: object
) -> None:
    """Log `name` with `fields` as one line."""
    logger.log(level, name, extra={"fields": fields})


class Line(logging.Formatter):
    """A record as one line: time (UTC), level, event, fields; a traceback follows in its field."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._json = kind == "json"

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        fields: dict[str, Any] = {
            "time": f"{at}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        if self._json:
            if trace:
                fields["traceback"] = trace
            return orjson.dumps(fields, default=str).decode()
        head = f"{fields.pop('time')} {fields.pop('level'):<7} {_plain(fields.pop('event'))}"
        line = " ".join([head, *(f"{key}={_plain(value)}" for key, value in fields.items())])
        return f"{line}\n{trace}" if trace else line


def _plain(value: object) -> str:
    """`value` on one line; quoted as a JSON string where it could be misread."""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    if text.isprintable() and '"' not in text and "=" not in text:
        return text
    return orjson.dumps(text).decode()


def _not_a_clients_fault(record: logging.LogRecord) -> bool:
    """uvicorn logs a traceback for text that isn't UTF-8; that the client is told is enough."""
    return not record.getMessage().startswith("Invalid UTF-8")


def set_up(kind: str, level: str) -> None:
    """Send all logs to stderr in this format. Called once, by the command."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Line(kind))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # The web server's own lines (one a connection) say nothing that an operator needs.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").addFilter(_not_a_clients_fault)
    logging.captureWarnings(True)
