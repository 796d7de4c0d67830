"""What goes wrong on order: `POST /_sandbox/faults`.

A fault is a JSON object. Where it applies:

- `match`   an e-mail address or vid: requests that hold such an input (anything else matches no input, and is
            refused). Absent: every write
- `reads`   true: the read-backs instead of the writes; `match` is then the contact of a contact's breakdown
- `count`   the first n requests that it meets; or `rate`, the share (0 to 1) of them, drawn from the seed, the others
            being left to the faults after it. Neither: until it is removed

What happens, exactly one of:

- `status`  200 to 599, with `headers`, and `body`: text is sent as HTML unless the headers say otherwise, anything else
            as JSON. Without a body: what HubSpot usually sends with it, a 400 naming the contact between back-ticks;
            of a 2xx, the answer that the request would have got
- `slow`    seconds by which the answer comes later; what the request asks for is stored
- `hang`    seconds without a word, then the connection is closed
- `cut`     true: the connection is closed at once
- `truncate` true: the answer's headers and half of its body, then the connection is closed. So a proxy does whose
            upstream died: `Content-Length` promises more than comes. (A whole answer of broken JSON is a `status` 200
            with a text as `body`)
- `drop`    true: the answer does not name the matched inputs (without `match`: any), the others are dealt with as ever

`applied` (false): whether what the request asks for is stored nevertheless; for a drop, the dropped inputs.
"""

from collections.abc import Collection
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer of this status; `body` is `None` for the usual one."""

    status: int
    body: object
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Slow:
    """The answer that the request would have got, later."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hang:
    """Silence, then the end of the connection."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Cut:
    """The end of the connection."""


@dataclass(frozen=True, slots=True)
class Truncate:
    """Half an answer, then the end of the connection."""


@dataclass(frozen=True, slots=True)
class Drop:
    """An answer that says nothing of the matched inputs."""


What = Answered | Slow | Hang | Cut | Truncate | Drop


@dataclass(frozen=True, slots=True)
class OrderedFault:
    """One order; the module's docstring says what each field means."""

    happens: What
    match: str | None = None
    reads: bool = False
    count: int | None = None
    rate: float = 1.0
    applied: bool = False

    def names(self, contact: str | None) -> bool:
        """Whether it is about this contact."""
        return self.match is None or self.match == contact


class Faults:
    """The orders in force, in the order in which they came."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._faults: list[OrderedFault] = []
        self._left: list[int | None] = []

    def __len__(self) -> int:
        return len(self._faults)

    def in_force(self) -> list[tuple[OrderedFault, int | None]]:
        """Return them with what is left of each count."""
        return list(zip(self._faults, self._left, strict=True))

    def add(self, fault: OrderedFault) -> None:
        """Put one more behind the others."""
        self._faults.append(fault)
        self._left.append(fault.count)

    def clear(self) -> None:
        """Remove them all."""
        self._faults.clear()
        self._left.clear()

    def meet(self, contacts: Collection[str | None], *, reads: bool = False) -> OrderedFault | None:
        """Return the first that applies to a request about these contacts, spending one of its count."""
        for place, fault in enumerate(self._faults):
            if fault.reads is not reads or not (fault.match is None or fault.match in contacts):
                continue
            if fault.rate < 1 and self._random.random() >= fault.rate:
                continue
            self._spend(place)
            return fault
        return None

    def _spend(self, place: int) -> None:
        left = self._left[place]
        if left is None:
            return
        self._left[place] = left - 1
        if left == 1:
            del self._faults[place], self._left[place]
