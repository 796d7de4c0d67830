"""What somebody asks for in a URL, read."""

from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from web.console.frame import Refusal, Visit

Word = TypeVar("Word", bound=StrEnum)


def word(visit: Visit, name: str, words: type[Word]) -> Word | None:
    """Give a filter that is one of these words, or none where it is not set.

    Raises:
        Refusal: 400 where it is another.

    """
    written = visit.asked(name)
    try:
        return None if written is None else words(written)
    except ValueError:
        raise Refusal(400, f"There is no {name} {written}", f"Right would be {', '.join(words)}.") from None


def uuid_of(written: str) -> UUID | None:
    """Read a submission's id; none where it is none."""
    try:
        return UUID(written)
    except ValueError:
        return None
