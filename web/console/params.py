"""What somebody asks for in a URL, read."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from web.console.base import ConsoleRequest, PageError

Word = TypeVar("Word", bound=StrEnum)


def word(visit: ConsoleRequest, name: str, words: type[Word]) -> Word | None:
    """Give a filter that is one of these words, or none where it is not set.

    Raises:
        PageError: 400 where it is another.

    """
    written = visit.asked(name)
    try:
        return None if written is None else words(written)
    except ValueError:
        raise PageError(400, f"There is no {name} {written}", f"Expected {', '.join(words)}.") from None


def moment(written: str) -> datetime:
    """Read a time, of UTC where it names no other.

    Raises:
        PageError: 400 where it is none.

    """
    try:
        found = datetime.fromisoformat(written)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise PageError(400, f"{written} is not a time", "Expected one such as 2026-03-01T10:00.") from None


def time(visit: ConsoleRequest, name: str) -> datetime | None:
    """Give a filter that is a time, or none where it is not set."""
    asked = visit.asked(name)
    return None if asked is None else moment(asked)


def written(found: datetime | None) -> str | None:
    """Write a time as `moment` reads it, and as a browser's field has it."""
    return None if found is None else found.replace(tzinfo=None).isoformat()


def uuid_of(written: str) -> UUID | None:
    """Read a submission's id; none where it is none."""
    try:
        return UUID(written)
    except ValueError:
        return None
