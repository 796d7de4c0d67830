"""The allowed moves of a batch's status, and the guard that holds each of them again in SQL.

PENDING    -claim->    PROCESSING     PROCESSING -settle->   COMPLETE
PENDING    -cancel->   CANCELED       PROCESSING -postpone-> PENDING
                                      PROCESSING -give up->  CANCELED
"""

from enum import Enum
from typing import Final

from models.words import Status


class Move(Enum):
    """A move: from a status, to a status. Zero rows changed means that somebody else was faster."""

    CLAIM = (Status.PENDING, Status.PROCESSING)
    CANCEL = (Status.PENDING, Status.CANCELED)
    SETTLE = (Status.PROCESSING, Status.COMPLETE)
    POSTPONE = (Status.PROCESSING, Status.PENDING)
    GIVE_UP = (Status.PROCESSING, Status.CANCELED)

    @property
    def to(self) -> str:
        """Give the new status, for `SET status = …`."""
        return f"'{self.value[1]}'"

    @property
    def guard(self) -> str:
        """Give the condition that must hold in SQL, for `WHERE …`."""
        return f"status = '{self.value[0]}'"


SETTLED: Final = frozenset({Status.COMPLETE, Status.CANCELED})
"""No move leads out of these; a retry moves the records, never the batch."""
