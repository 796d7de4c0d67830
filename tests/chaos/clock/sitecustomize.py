"""Shifts the clock of a process by CHAOS_CLOCK seconds, as on a host whose clock is wrong. PYTHONPATH brings it in."""

import datetime as dt
import os
import time
from datetime import datetime as true_datetime

AHEAD = float(os.environ["CHAOS_CLOCK"])
true_time, true_time_ns = time.time, time.time_ns


class _Kind(type):
    def __instancecheck__(cls, one: object) -> bool:
        return isinstance(one, true_datetime)

    def __subclasscheck__(cls, one: type) -> bool:
        return issubclass(one, true_datetime)


class Shifted(true_datetime, metaclass=_Kind):
    """A datetime that is told another time; what it makes are true ones."""

    def __new__(cls, *facts: int, **named: int) -> true_datetime:  # type: ignore[misc]
        return true_datetime(*facts, **named)  # type: ignore[arg-type]  # noqa: DTZ001 - as it is asked for

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> true_datetime:  # type: ignore[override]
        return true_datetime.now(tz) + dt.timedelta(seconds=AHEAD)

    @classmethod
    def utcnow(cls) -> true_datetime:  # type: ignore[override]
        return cls.now(dt.UTC).replace(tzinfo=None)


time.time = lambda: true_time() + AHEAD
time.time_ns = lambda: true_time_ns() + int(AHEAD * 1e9)
setattr(dt, "datetime", Shifted)  # noqa: B010 - mypy takes it for a type, which nothing replaces
