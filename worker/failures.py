"""The last failure of each verb, kept in Redis until the verb succeeds again: `turnout status` gives it as the reason.

What is kept is written here, never copied from whoever failed: no record's data and no token can be in it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar, cast

import redis
from sqlalchemy.exc import DBAPIError

from worker.context import Context
from worker.database import is_datas_fault, sqlstate
from worker.log import get_logger
from worker.setting_sources import SettingsError
from worker.startup import CannotStart
from worker.stream import StreamUnavailable

log = get_logger(__name__)
T = TypeVar("T")
P = ParamSpec("P")

FAILURES: Final = "turnout:failures"
KEPT: Final = 86_400
"""Seconds after the last failure of all for which they are kept."""
LONGEST: Final = 300
"""Characters of an error that are kept."""


class Verb(StrEnum):
    """What can fail."""

    START = "start"
    """Of a process: its kind stands where others have their account."""
    INTAKE = "intake"
    ACCEPT = "accept"
    SWEEP = "sweep"
    DELIVERY = "delivery"
    VERIFY = "verify"
    NOTIFY = "notify"
    JOB = "job"
    SCHEDULE = "schedule"
    """Of a job or a schedule: which one stands where others have their account."""
    PURGE = "purge"


@dataclass(frozen=True, slots=True)
class VerbFailure:
    """The last failure of a verb, and of which account where the verb is for one; of a start, which process'."""

    verb: str
    account: str
    error: str
    seconds_ago: int


def noted(verb: Verb) -> Callable[[Callable[Concatenate[Context, P], T]], Callable[Concatenate[Context, P], T]]:
    """Note it where a verb fails, and forget that where it has done something: it gives neither 0 nor False then."""

    def around(work: Callable[Concatenate[Context, P], T]) -> Callable[Concatenate[Context, P], T]:
        @wraps(work)
        def run(process: Context, /, *args: P.args, **facts: P.kwargs) -> T:
            account = args[0] if args and isinstance(args[0], str) else str(facts.get("account", ""))
            try:
                done = work(process, *args, **facts)
            except Exception as error:
                note(process, verb, error, account)
                raise
            if done is None or done:
                forget(process, verb, account)
            return done

        return run

    return around


def teller(process: Context, verb: Verb) -> Callable[[int | str, Exception | None], None]:
    """Give what notes, of one thing after the other, how it went: why it failed, or that it did not."""

    def tell(which: int | str, error: Exception | None) -> None:
        if error is None:
            forget(process, verb, str(which))
        else:
            note(process, verb, error, str(which))

    return tell


def note(process: Context, verb: Verb, error: BaseException, account: str = "") -> None:
    """Keep why a verb failed; never raises."""
    try:
        seconds, _ = process.redis.time()
        kept = {"verb": verb, "account": account, "error": told(error), "at": seconds}
        process.redis.hset(FAILURES, _field(verb, account), json.dumps(kept))
        process.redis.expire(FAILURES, KEPT)
    except redis.RedisError as away:
        log.debug("failure not noted", error=type(away).__name__)


def forget(process: Context, verb: Verb, account: str = "") -> None:
    """Forget a failure: the verb has succeeded since; never raises."""
    try:
        process.redis.hdel(FAILURES, _field(verb, account))
    except redis.RedisError as away:
        log.debug("failure not forgotten", error=type(away).__name__)


def last(client: redis.Redis) -> list[VerbFailure]:
    """List the verbs that have failed and not succeeded since, the last first."""
    now, _ = client.time()
    kept = [json.loads(each) for each in cast("list[bytes]", client.hvals(FAILURES))]
    found = [VerbFailure(one["verb"], one["account"], one["error"], max(0, now - one["at"])) for one in kept]
    return sorted(found, key=lambda one: one.seconds_ago)


def told(error: BaseException) -> str:
    """Write an error's first line; of one that may quote a record's data, only what it is and where it came from."""
    match error:
        case DBAPIError() if is_datas_fault(error):
            return f"PostgreSQL: {type(error.orig).__name__} ({sqlstate(error)})"
        case DBAPIError():
            return f"PostgreSQL: {first_line(error.orig)}"
        case redis.RedisError() | StreamUnavailable():
            return f"Redis: {first_line(error)}"
        case SettingsError() | CannotStart():
            return first_line(error)
    return f"{type(error).__name__}{_place(error)}: the worker's log says more"


def first_line(error: BaseException | None) -> str:
    """Give the first line of an error's message, or its name where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0][:LONGEST] if lines else type(error).__name__


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f" in {Path(trace.tb_frame.f_code.co_filename).name}, line {trace.tb_lineno}"


def _field(verb: Verb, account: str) -> str:
    return f"{verb} {account}"
