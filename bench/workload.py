"""What is submitted: messages of made-up records in Turnout's own shape, a line of JSON each, the same for everybody.

The friendly shape has new contacts, four events, one account, nothing refused, nothing twice.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from bench.standin import DROPPED, REJECTED

WHEN: Final = 1_767_225_600_000
EVENTS: Final = 4
PER_HUNDRED: Final = 10
"""Records of a hundred that the shapes `rejected` and `dropped` spoil."""
PERSON: Final = 10
"""Records of each person in the shape `recurring`."""
ACCOUNTS: Final = 100
SHAPES: Final = {
    "friendly": "new contacts, four events, one account",
    "recurring": "each person ten times, at the four events, in a random order",
    "rejected": f"{PER_HUNDRED} of 100 named in HubSpot's errors",
    "dropped": f"{PER_HUNDRED} of 100 named nowhere, and found when they are looked for",
    "accounts": "spread over a hundred accounts",
    "event": "all of one event",
}


@dataclass(frozen=True, slots=True)
class Workload:
    """So many records in messages of `each`; `name` makes its contacts its own."""

    name: str
    records: int
    each: int = 100
    shape: str = "friendly"

    def messages(self) -> Iterator[bytes]:
        """Make the messages, as JSON without line breaks."""
        contacts = self._contacts()
        for number, first in enumerate(range(0, self.records, self.each)):
            inputs = [
                {
                    "email": next(contacts),
                    "interactionDateTime": WHEN + 1000 * index,
                    "contactProperties": {"firstname": "Ada", "lastname": f"Lovelace {index}"},
                    "properties": {},
                }
                for index in range(first, min(first + self.each, self.records))
            ]
            event = 0 if self.shape == "event" else number % EVENTS
            message: dict[str, Any] = {"subscriber_state": "register", "object_id": str(4711 + event)}
            if self.shape == "accounts":
                message["account"] = account(number % ACCOUNTS)
            yield orjson.dumps(message | {"inputs": inputs})

    def write(self, path: Path) -> Path:
        """Write the messages, a line each."""
        with path.open("wb") as file:
            file.writelines(message + b"\n" for message in self.messages())
        return path

    @property
    def spoilt(self) -> int:
        """Count the records that are not named in any `results`."""
        return sum(_is_spoilt(number) for number in range(self.records)) if self.shape in {"rejected", "dropped"} else 0

    def _contacts(self) -> Iterator[str]:
        numbers = list(range(self.records))
        if self.shape == "recurring":
            numbers = [number // PERSON for number in numbers]
            random.Random(self.records).shuffle(numbers)
        spoils = {"rejected": REJECTED, "dropped": DROPPED}.get(self.shape, "p.")
        for number in numbers:
            yield f"{spoils if _is_spoilt(number) else 'p.'}{self.name}.{number}@example.com"


def _is_spoilt(number: int) -> bool:
    return number % (100 // PER_HUNDRED) == 0


def account(number: int) -> str:
    """Name one of the hundred accounts."""
    return f"account-{number:02}"
