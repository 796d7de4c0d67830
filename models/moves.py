"""The allowed moves of a batch's status, and the statement that makes each of them only where it is allowed.

PENDING    -claim->    PROCESSING     PROCESSING -settle->   COMPLETE
PENDING    -cancel->   CANCELED       PROCESSING -postpone-> PENDING
                                      PROCESSING -give up->  CANCELED
"""

from enum import Enum
from typing import Final

from sqlalchemy import Update, update

from models.tables import Batch, fixed
from models.words import Status


class Move(Enum):
    """A move: from a status, to a status. Zero rows changed means that somebody else was faster."""

    CLAIM = (Status.PENDING, Status.PROCESSING)
    CANCEL = (Status.PENDING, Status.CANCELED)
    SETTLE = (Status.PROCESSING, Status.COMPLETE)
    POSTPONE = (Status.PROCESSING, Status.PENDING)
    GIVE_UP = (Status.PROCESSING, Status.CANCELED)

    @property
    def before(self) -> Status:
        """The status that it is made from."""
        return self.value[0]

    @property
    def after(self) -> Status:
        """The status that it leads to."""
        return self.value[1]

    def update(self) -> Update:
        """Begin the statement that makes it; this alone writes a status, and it never does so without the guard."""
        return update(Batch).where(Batch.status == fixed(self.before)).values(status=fixed(self.after))


SETTLED: Final = frozenset({Status.COMPLETE, Status.CANCELED})
"""No move leads out of these; a retry moves the records, never the batch."""
