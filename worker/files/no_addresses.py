"""Reports that name people without their addresses: which tool wrote them, and where it offers one with addresses."""

from collections.abc import Iterable
from typing import Final

from worker.files.columns.known_titles import compact
from worker.files.lines import FileError

_REPORTS: Final[tuple[tuple[frozenset[str], str], ...]] = (
    (
        frozenset({"rsvpedon", "joinedgroupon", "urlofmemberprofile"}),
        (
            "a list from elsewhere: Meetup gives organizers no addresses in this one; ask for them in a question of "
            "the event's registration form, or take the list of the tool where people joined"
        ),
    ),
    (
        frozenset({"useraction", "fullname", "timestamp"}),
        "the attendance report of the meeting in Teams (its Attendance tab, Download), which has a column Email",
    ),
    (
        frozenset({"nameoriginalname", "jointime", "usernameoriginalname", "totaldurationminutes"}),
        (
            "Zoom's report with addresses: for a webinar Reports > Webinar > Attendee Report; for a meeting one that "
            "asked people to register, or to sign in (Reports > Usage > Participants)"
        ),
    ),
    (
        frozenset({"timejoined", "timeexited"}),
        "the attendance report that Google Meet sends to the organizer by e-mail",
    ),
)
"""By titles that only this report has: two of them, or all where it has one."""
_ANY: Final = "the report of the tool that has a column with e-mail addresses, such as its registration report"


def no_addresses(titles: Iterable[str]) -> FileError:
    """Say that a report has no addresses, and which one of the tool has them."""
    return FileError("the report", "has no e-mail addresses, and HubSpot knows people by them", _better(titles) or _ANY)


def is_known_report(titles: Iterable[str]) -> bool:
    """Say whether the titles are those of a report that is known to have no addresses."""
    return _better(titles) is not None


def _better(titles: Iterable[str]) -> str | None:
    known = {compact(title) for title in titles}
    return next((right for of, right in _REPORTS if len(of & known) >= min(2, len(of))), None)
