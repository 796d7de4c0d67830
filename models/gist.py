"""What messages about errors have in common: HubSpot's words without the addresses, ids, numbers and times in them."""

import re
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple

import orjson

from models.words import Outcome

LONGEST: Final = 300
"""Characters: what a message says, it says in its first sentence or two."""
BLANK: Final = "…"
_VARIES: Final = re.compile(
    r"""
    `[^`]*` | "[^"]*" | “[^”]*” | «[^»]*» | (?<!\w)'[^']*'(?!\w)        # what is quoted
    | \b[a-z]+://\S+                                                    # an address on the web
    | [^\s`"'<>()\[\]{},;:=|]*@[^\s`"'<>()\[\]{},;:=|]*                 # of a person
    | (?<!HTTP[ ])(?<![\w.+:/-])[\w.+:/-]*\d[\w.+:/-]*                  # an id, a number, a time; not HTTP's status
    """,
    re.VERBOSE,
)
_SEVERAL: Final = re.compile(rf"{BLANK}(?:[\s,;|&]*{BLANK})+")


@lru_cache(maxsize=1024)
def gist(message: str) -> str:
    """Give a message without what differs from one record to the next; lists of such values become one."""
    blanked = _VARIES.sub(BLANK, " ".join(message.split()))
    return _SEVERAL.sub(BLANK, blanked)[:LONGEST]


class Kind(NamedTuple):
    """What the errors of one group share."""

    outcome: Outcome
    category: str
    code: str
    gist: str

    @classmethod
    def of(cls, outcome: Outcome, category: str, code: str, message: str) -> "Kind":
        """Tell an error's kind."""
        return cls(outcome, category, code, gist(message))

    @property
    def group_id(self) -> str:
        """Give the group's id, known without asking the database: no settler waits for another to learn it."""
        return blake2b(orjson.dumps(list(self)), digest_size=6).hexdigest()


CANCELED: Final = Kind.of(Outcome.CANCELED, "CANCELED", "", "canceled by an operator")
"""What an operator takes out of the queue."""
