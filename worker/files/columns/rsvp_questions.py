"""The questions of a form that stand as titles: “Can you make it on March 18th?”, “Came (y/n)”."""

import calendar
import re
from typing import Final

_YES_OR_NO: Final = re.compile(
    r"\W*\b(?:y\s*/\s*n|yes\s*/\s*no|yes\s+or\s+no|j\s*/\s*n|ja\s*/\s*nein|ja\s*/\s*nee|o\s*/\s*n|oui\s*/\s*non|"
    r"s\s*/\s*n|s[ií]\s*/\s*no|sim\s*/\s*n[aã]o|true\s*/\s*false|1\s*/\s*0)\W*$",
    re.IGNORECASE,
)
"""What people write behind the title of a column that holds yes or no."""
_COMING: Final = frozenset({"attend", "attending", "come", "coming", "participate", "participating", "join", "joining"})
_INVITING: Final = frozenset(
    {
        "will", "can", "could", "are", "do", "would", "you", "they", "i", "we", "be", "am", "able", "to", "plan",
        "planning", "intend", "intending", "want", "like", "going", "expect", "us", "the", "this", "our", "in", "on",
        "at", "of", "person", "event", "webinar", "session", "meeting", "conference", "workshop", "it", "please",
        "confirm", "let", "know", "if", "whether", "for", "ll", "re", "st", "nd", "rd", "th",
    }
    | {name.lower() for names in (calendar.month_name, calendar.month_abbr, calendar.day_name) for name in names}
)  # fmt: skip
"""Words beside that of coming in a form's question whether somebody comes; any other may ask of something else, such as
a dinner, or an event before this one."""


def without_answers(title: str) -> str:
    """Give a title without the answers that are written behind it."""
    return _YES_OR_NO.sub("", title) or title


def asks_whether_coming(words: list[str]) -> bool:
    """Say whether a title is a form's question for those who come, such as “Can you make it on March 18th?”."""
    said = " ".join(words).replace("make it", "come").replace("be there", "come").replace("take part", "attend").split()
    asks = {"you", "i", "we", "they"}.intersection(said)
    return bool(
        asks
        and _COMING.intersection(said)
        and all(word in _COMING or word in _INVITING or word[0].isdigit() for word in said)
    )
