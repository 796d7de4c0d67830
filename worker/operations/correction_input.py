"""What an operator types to change a record, read."""

from collections.abc import Iterable
from typing import Final

from models.correction import Change
from models.input_check import Reason
from worker.files.clocks import TimeFault
from worker.files.times import read_time

ONE_PERSONS: Final = Reason(
    "email, vid", "is one person's, and a group's records would all get it", "one record; or each by a corrected file"
)
"""Why a group is not corrected to one address."""


def read_change(  # noqa: PLR0913
    *,
    email: str | None = None,
    vid: str | None = None,
    when: str | None = None,
    properties: Iterable[str] = (),
    event: str | None = None,
    object_id: str | None = None,
) -> Change | Reason:
    """Read a change; of the properties each as `name=value`. The reason names the field, as the command's option."""
    moment = None if when is None else read_time(when)
    if isinstance(moment, TimeFault):
        return Reason("when", moment.what, moment.alone)
    values = {}
    for pair in properties:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            return Reason("set", f"{pair!r} sets nothing", "PROPERTY=VALUE")
        values[name.strip()] = value
    return Change(email, vid, moment.ms if moment else None, values, event, object_id)
