"""Fields of JSON that came from HubSpot: each is optional and may be anything, so nothing here raises."""

import json
import re
from collections.abc import Mapping
from math import isfinite
from typing import Final

import orjson

from models.input_check import INT64_MAX, unsafe_character

DAY: Final = 86_400.0
"""Seconds: no wait or life is believed to be longer."""


def read_object(body: bytes) -> dict[str, object] | None:
    """Read a JSON object; what orjson will not read for half a surrogate pair or a stray byte is read without it.

    So one odd character in one message does not make the whole answer unreadable.
    """
    try:
        read = orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            loose = json.dumps(json.loads(body.decode("utf-8-sig", errors="replace")), ensure_ascii=False)
            read = orjson.loads(loose.encode(errors="replace"))
        except (ValueError, RecursionError):
            return None
    return read if isinstance(read, dict) else None


def nested(fields: Mapping[str, object], name: str) -> Mapping[str, object]:
    """Give a field that is an object; an empty one where it is none."""
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def objects(fields: Mapping[str, object], name: str) -> list[dict[str, object]]:
    """Give the objects in a field that is a list."""
    value = fields.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def text(fields: Mapping[str, object], name: str, most: int | None = None) -> str:
    """Give a field that is text or a whole number, as text that can be stored, at most so many characters of it."""
    value = fields.get(name)
    if type(value) is not str:
        value = str(value) if _is_text(value) else ""
    return clean(value)[:most]


def texts(value: object) -> list[str]:
    """Give the texts and whole numbers of a list, or a value that is one, as texts."""
    return [str(one) for one in (value if isinstance(value, list) else [value]) if _is_text(one)]


def number(fields: Mapping[str, object], name: str) -> int | None:
    """Give a field that is a whole number of at most 64 bits, also where it came as text."""
    read = fields.get(name)
    if type(read) is not int:
        written = text(fields, name)
        read = int(written) if re.fullmatch("-?[0-9]{1,19}", written) else None
    return read if read is not None and -INT64_MAX - 1 <= read <= INT64_MAX else None


def seconds(value: object) -> float | None:
    """Read a number of seconds, also written as text; none where it says nothing: at most a day, and more than zero."""
    try:
        read = float(value) if isinstance(value, int | float | str) else 0.0
    except (ValueError, OverflowError):
        return None
    return min(read, DAY) if isfinite(read) and read > 0 else None


def clean(written: str) -> str:
    """Replace what PostgreSQL cannot keep as text."""
    return re.sub("[\x00\ud800-\udfff]", "\ufffd", written) if unsafe_character(written) else written


def _is_text(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)
