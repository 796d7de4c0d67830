"""Columns that may be taken for each other: titles that stand twice, and two people's addresses in one row.

A participant's empty cell is never filled from another column: that would send the host, or the buyer, instead.
"""

from collections.abc import Sequence
from typing import Final

from worker.files.columns.known_titles import LAST_RESORT, PERSONS, TITLES, Field, compact

EACH_IS_READ: Final = frozenset({Field.STATUS, Field.ROLE, Field.ATTENDED})
"""Of these a row is judged by every column."""

Ranked = list[tuple[int, int]]
"""Rank and place of the columns that hold a field."""

_COMINGS: Final = frozenset(TITLES[Field.JOINED] + TITLES[Field.REGISTERED])
_STAYS: Final = frozenset(TITLES[Field.JOINED] + TITLES[Field.LEFT])
MEETING: Final = frozenset(
    {
        "topic", "meetingid", "webinarid", "meetingnumber", "meetingname", "meetingtopic", "webinarname",
        "webinartopic", "meetingtitle", "thema", "sujet", "tema", "argomento", "onderwerp", "topico",
        "besprechungsid", "hostname", "hostemail", "host", "eventname", "eventtitle",
    }
)  # fmt: skip
"""Titles that tell of a meeting, not of somebody in it."""


def meeting(cells: Sequence[str]) -> frozenset[int]:
    """Find the columns before a participant's own that tell of the meeting and its host, by titles that stand twice.

    Zoom's list “with meeting data” begins each row with the meeting: Topic, the host's User Email, Duration; then
    the participant's Name, User Email, Join Time and Duration.
    """
    titles = [compact(cell) for cell in cells]
    first: dict[str, int] = {}
    pairs = [
        (first[title], place) for place, title in enumerate(titles) if title and first.setdefault(title, place) != place
    ]
    if not pairs:
        return frozenset()
    start = max(one for one, _ in pairs) + 1
    before, own = titles[:start], titles[start:]
    if min(place for _, place in pairs) < start or MEETING.isdisjoint(before) or _COMINGS.isdisjoint(own):
        return frozenset()
    return frozenset(range(start)) if _STAYS.isdisjoint(before) else frozenset()


def whose(found: Ranked) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Choose the column with the person's own address; give also those that it may be as well.

    What is mapped comes first, one after the other; else the attendee's before a plain “Email”, and that before what
    may be anybody's.
    """
    if not found:
        return (), ()
    if said := [(rank, place) for rank, place in found if rank < 0]:
        unclear = tuple(place for rank, place in said if [other for other, _ in said].count(rank) > 1)
        return tuple(place for _, place in said if place not in unclear[1:]), unclear
    best = min(map(_class, found))
    contenders = tuple(place for rank, place in found if _class((rank, place)) == best)
    return contenders[:1], contenders if len(contenders) > 1 else ()


def _class(ranked: tuple[int, int]) -> int:
    rank, _ = ranked
    return rank if rank < PERSONS else PERSONS if rank < LAST_RESORT else rank


def twice(cells: Sequence[str], found: Ranked, person: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Give the columns of a field in the order in which they are read, and those of one title that it may be.

    Where the address stands as often under one title, its second column goes with the second of the others.
    """
    said = [place for rank, place in found if rank < 0]
    same = _same(cells, [place for rank, place in found if rank >= 0])
    if not same or said:
        return tuple(place for _, place in found), ()
    emails = [place for place, cell in enumerate(cells) if person and compact(cell) == compact(cells[person[0]])]
    kept = [place for _, place in found if place not in same]
    if len(emails) == len(same) and len(emails) > 1:
        return (*kept, same[emails.index(person[0])]), ()
    return (*kept, same[0]), tuple(same)


def _same(cells: Sequence[str], places: list[int]) -> list[int]:
    """Give those that have one title between them, in the order of the file."""
    titles = [compact(cells[place]) for place in places]
    return sorted(place for place, title in zip(places, titles, strict=True) if titles.count(title) > 1)
