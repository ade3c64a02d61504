"""Logs of a server: one JSON object a line, without a word of documents, queries or keys."""

import json
import logging
import sys
import time
from collections import Counter
from typing import Any, TextIO

FIELDS = (
    "request_id",
    "method",
    "route",
    "status",
    "code",
    "ms",
    "key",
    "collection",
    "requests",
    "request_ids",
    "left_out",
)
MAX_FIELD_CHARACTERS = 1024
REPEATED_PER_MINUTE = 60
"""The same message is written so often a minute; the next one after that says how many were left out."""

TALKATIVE = ("mcp",)
"""Libraries that log each request, which the server does itself: only their warnings are written."""


class JsonLines(logging.Formatter):
    """Writes a record as JSON; control characters are escaped, so that nothing in it can pose as a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:MAX_FIELD_CHARACTERS],
        }
        line |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line)


class Sampling(logging.Filter):
    """Lets a message that repeats itself through only so often: a log must not fill the disk."""

    def __init__(self) -> None:
        """Begin with this minute."""
        super().__init__()
        self._minute, self._seen, self._left_out = 0, Counter[str](), Counter[str]()

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the record is written; requests always are."""
        if record.levelno < logging.WARNING:
            return True
        minute, key = int(record.created // 60), f"{record.name}{record.msg}"
        if minute != self._minute:
            self._minute = minute
            self._left_out += self._seen - Counter(dict.fromkeys(self._seen, REPEATED_PER_MINUTE))
            self._seen = Counter()
        self._seen[key] += 1
        if self._seen[key] > REPEATED_PER_MINUTE:
            return False
        if left_out := self._left_out.pop(key, 0):
            record.left_out = left_out
        return True


def log_to(stream: TextIO = sys.stderr, level: int = logging.INFO) -> None:
    """Send everything that is logged to a stream as lines of JSON."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    handler.addFilter(Sampling())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
