"""Fields that a person wrote about a file: at its beginning, or in a file beside it."""

import datetime
import itertools
import json
import re
from typing import Any

import yaml

from index.reading.decoding import decode
from lfm2_colbert.errors import MalformedDocumentError

MAX_CHARACTERS = 64 * 1024
MAX_DEPTH = 32
"""Of brackets; what PyYAML takes for each grows with all that are open: 2,000 took 14 seconds."""
BRACKETS = re.compile(r"[\[\]{}]")
ONE_OBJECT = 'write {"year": 2024, "team": "HR"}'


def fields_of(front_matter: str, name: str) -> dict[str, Any]:
    """Read the front matter of a text: YAML, a mapping of plain values.

    Raises:
        MalformedDocumentError: it is something else, or refers to itself.
    """
    try:
        if len(front_matter) > MAX_CHARACTERS or _depth(front_matter) > MAX_DEPTH:
            raise _malformed(name, "is too long, or too deep")
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(front_matter)):
            raise _malformed(name, "refers to itself")
        found = yaml.safe_load(front_matter)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _malformed(name, f"is no YAML: {' '.join(str(error).split())}") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise _malformed(name, "is no mapping")
    return {str(key): _plain(value) for key, value in found.items() if value is not None}


def sidecar_fields(content: bytes, name: str) -> dict[str, Any]:
    """Read a sidecar: a JSON object.

    Raises:
        MalformedDocumentError: it is something else.
        InvalidEncodingError: it is no UTF-8.
    """
    try:
        found = json.loads(decode(content, name))
    except (ValueError, RecursionError) as error:
        raise MalformedDocumentError(f"{name} is no JSON: {error}", help=ONE_OBJECT) from error
    if not isinstance(found, dict):
        raise MalformedDocumentError(f"{name} is no JSON object", help=ONE_OBJECT)
    return found


def _depth(front_matter: str) -> int:
    """Give how many brackets are open at once, those in quotes too."""
    depths = itertools.accumulate((1 if each in "[{" else -1 for each in BRACKETS.findall(front_matter)), _at_least_0)
    return max(depths, default=0)


def _at_least_0(depth: int, step: int) -> int:
    return max(depth + step, 0)


def _plain(value: Any) -> Any:
    """Give what YAML makes of a value as JSON has it; dates as they are written in ISO 8601."""
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    return value if isinstance(value, str | bool | int | float) or value is None else str(value)


def _malformed(name: str, what: str) -> MalformedDocumentError:
    return MalformedDocumentError(f"the front matter of {name} {what}", help="write lines such as `year: 2024`")
