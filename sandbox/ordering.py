"""Reads a fault out of JSON, and refuses with a sentence what is none; writes it as JSON again."""

import re
from collections.abc import Mapping

from sandbox.faults import Answered, Cut, Drop, Hang, OrderedFault, Slow, Truncate, What

_FLAGS: dict[str, Cut | Truncate | Drop] = {"cut": Cut(), "truncate": Truncate(), "drop": Drop()}
_HAPPENINGS = ("status", "slow", "hang", *_FLAGS)
_FIELDS = {*_HAPPENINGS, "match", "reads", "count", "rate", "applied", "body", "headers"}
_RECKONED = {"content-length", "transfer-encoding", "connection"}


class BadFaultError(ValueError):
    """The definition cannot be a fault; its text says why."""


def fault_from(definition: object) -> OrderedFault:
    """Read a fault (`faults` has the fields). Raises `BadFaultError`."""
    if not isinstance(definition, dict):
        raise BadFaultError("a fault is a JSON object")
    if unknown := sorted(definition.keys() - _FIELDS):
        raise BadFaultError(f"unknown field: {', '.join(unknown)}")
    given = [name for name in _HAPPENINGS if name in definition]
    if len(given) != 1:
        raise BadFaultError(f"exactly one of {', '.join(_HAPPENINGS)} is needed, there are {len(given)}")
    if "status" not in definition and definition.keys() & {"body", "headers"}:
        raise BadFaultError("body and headers go with status")
    if "count" in definition and "rate" in definition:
        raise BadFaultError("count or rate, not both")
    fault = OrderedFault(
        happens=_happening(given[0], definition),
        match=_match(definition.get("match")),
        reads=_flag(definition, "reads"),
        count=_count(definition.get("count")),
        rate=_number(definition.get("rate", 1), "rate", most=1),
        applied=_flag(definition, "applied") or "slow" in given,
    )
    if fault.reads and (_flag(definition, "applied") or isinstance(fault.happens, Drop)):
        raise BadFaultError("drop and applied are for writes: a read stores nothing")
    return fault


def _happening(name: str, definition: Mapping[str, object]) -> What:
    value = definition[name]
    if name == "status":
        if not isinstance(value, int) or not 200 <= value <= 599:  # noqa: PLR2004
            raise BadFaultError("status must be an integer from 200 to 599")
        return Answered(value, definition.get("body"), _headers(definition.get("headers", {})))
    if name == "hang":
        return Hang(_number(value, "hang"))
    if name == "slow":
        return Slow(_number(value, "slow"))
    if value is not True:
        raise BadFaultError(f"{name} can only be true")
    return _FLAGS[name]


def _headers(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise BadFaultError("headers must be an object")
    headers = {str(name): str(text) for name, text in value.items()}
    for name, text in headers.items():
        if name.lower() in _RECKONED:
            raise BadFaultError(f"the header {name} is the sandbox's own")
        if not f"{name}{text}".isprintable() or not f"{name}{text}".isascii():
            raise BadFaultError(f"the header {name} is not printable ASCII")
    return headers


def _match(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise BadFaultError(_NO_MATCH)
    match = str(value).lower()
    if not re.fullmatch(r"[1-9]\d*|[^\s@]+@[^\s@]+", match):
        raise BadFaultError(f"match {match!r} can never match: {_NO_MATCH}")
    return match


_NO_MATCH = "match must be an e-mail address or a vid"


def written(fault: OrderedFault, left: int | None) -> dict[str, object]:
    """Write a fault as it would be ordered, with the `count` that is left of it."""
    return {
        **_written(fault.happens),
        **({} if fault.match is None else {"match": fault.match}),
        **({"reads": True} if fault.reads else {}),
        **({} if left is None else {"count": left}),
        **({} if fault.rate == 1 else {"rate": fault.rate}),
        **({"applied": True} if fault.applied and not isinstance(fault.happens, Slow) else {}),
    }


def _written(happens: What) -> dict[str, object]:
    match happens:
        case Answered(status, body, headers):
            given = {"body": body, "headers": headers}
            return {"status": status} | {name: value for name, value in given.items() if value}
        case Hang(seconds):
            return {"hang": seconds}
        case Slow(seconds):
            return {"slow": seconds}
    return {next(name for name, flag in _FLAGS.items() if flag == happens): True}


def _count(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadFaultError("count must be an integer of at least 1")
    return value


def _number(value: object, name: str, most: float = float("inf")) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise BadFaultError(f"{name} must be a number from 0{f' to {most:g}' if most < float('inf') else ''}")
    return float(value)


def _flag(definition: Mapping[str, object], name: str) -> bool:
    value = definition.get(name, False)
    if not isinstance(value, bool):
        raise BadFaultError(f"{name} must be true or false")
    return value
