"""Log records as JSON, one a line."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any, Final

__all__ = ["JsonFormatter"]

_KNOWN: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}
_MOST_ITEMS: Final = 10


class JsonFormatter(logging.Formatter):
    """Format a record as a JSON object on one line.

    It has ``time`` (UTC), ``level``, ``logger``, ``message``, whatever was passed as
    ``extra``, and ``traceback`` for an exception. Of a long list the first items and
    the number of all are written.

    >>> record = logging.makeLogRecord({"msg": "eu is %s", "args": ("down",), "url": "http://eu"})
    >>> json.loads(JsonFormatter().format(record))["message"]
    'eu is down'
    """

    def format(self, record: logging.LogRecord) -> str:
        """Format one record."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields: dict[str, Any] = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name, value in record.__dict__.items():
            if name not in _KNOWN:
                fields.update(_short(name, value))
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str)


def _short(name: str, value: object) -> dict[str, object]:
    if isinstance(value, list | tuple) and len(value) > _MOST_ITEMS:
        return {name: value[:_MOST_ITEMS], f"{name}_count": len(value)}
    return {name: value}
