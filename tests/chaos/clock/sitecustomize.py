"""Shifts the clock of a process by CHAOS_CLOCK seconds: as on a host whose clock is wrong. PYTHONPATH brings it in."""

import datetime as module
import os
import time

AHEAD = float(os.environ["CHAOS_CLOCK"])
true_time, true_time_ns, TrueDatetime = time.time, time.time_ns, module.datetime


class _Kind(type):
    def __instancecheck__(cls, one: object) -> bool:
        return isinstance(one, TrueDatetime)

    def __subclasscheck__(cls, one: type) -> bool:
        return issubclass(one, TrueDatetime)


class Shifted(TrueDatetime, metaclass=_Kind):
    """A datetime that is told another time; what it makes are true ones."""

    def __new__(cls, *facts: int, **named: int) -> TrueDatetime:  # type: ignore[misc]
        return TrueDatetime(*facts, **named)  # type: ignore[arg-type]

    @classmethod
    def now(cls, tz: module.tzinfo | None = None) -> TrueDatetime:  # type: ignore[override]
        return TrueDatetime.now(tz) + module.timedelta(seconds=AHEAD)

    @classmethod
    def utcnow(cls) -> TrueDatetime:  # type: ignore[override]
        return cls.now(module.UTC).replace(tzinfo=None)


time.time = lambda: true_time() + AHEAD
time.time_ns = lambda: true_time_ns() + int(AHEAD * 1e9)
module.datetime = Shifted  # type: ignore[misc]
