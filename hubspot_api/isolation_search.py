"""Isolating: which inputs made HubSpot refuse a request whole, found by sending parts of it. It sends nothing itself.

What an answer names is taken out and the rest sent again. Where it names nobody halves are sent, and halves of what is
refused; or smaller parts, down to one by one, where so many are bad that halving costs more. Nobody is rejected but by
an answer that names the input or to that input alone, and only once HubSpot has shown that the request itself is fine.
"""

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from math import log
from random import Random
from typing import Final

from hubspot_api.answer import RefusedWhole, Rejection, Settled

FEW: Final = 5
"""Single inputs tried of each half where both are refused alike. Where half of all inputs are bad, and HubSpot says the
same of each, one time in a thousand all ten are: then the request is held to be wrong, which rejects nobody."""
SLACK: Final = 14
"""Requests beyond one per input, at most: parts of several are sent only while their refusal leaves enough for one by
one. So many let one bad in ten be found by halving, in 62 requests of a hundred (simulated)."""
FIRST: Final = 3
"""Good inputs that count as seen beforehand, so that one bad at the very beginning does not make all look bad."""

Indexes = tuple[int, ...]
PartAnswer = Settled | RefusedWhole
Search = Generator[Indexes, PartAnswer, None]


@dataclass(slots=True)
class Findings:
    """What the parts have told so far, by the input's index in the request."""

    delivered: dict[int, int | None] = field(default_factory=dict)
    rejected: dict[int, Rejection] = field(default_factory=dict)
    unconfirmed: dict[int, Rejection] = field(default_factory=dict)
    wrong: Rejection | None = None
    """Why the request itself is refused, whatever inputs it holds; then nothing is rejected."""
    most: int | None = None
    """The most inputs that HubSpot was seen to take, where it refused more of them for their number alone."""

    @property
    def settled(self) -> Settled:
        """Give what is found as one answer."""
        return Settled(self.delivered, self.rejected, self.unconfirmed)

    def __len__(self) -> int:
        return len(self.delivered) + len(self.rejected) + len(self.unconfirmed)

    def __contains__(self, index: int) -> bool:
        return index in self.delivered or index in self.rejected or index in self.unconfirmed


def isolate(size: int, refused: RefusedWhole, found: Findings, most: int) -> Search:
    """Search a refused request of `size` inputs: yields the part to send next, is sent its answer, and fills `found`.

    `most` is what may be sent at once, as far as is known. An answer names inputs by their index in the part. The
    search may be left at any time: what is found is final.
    """
    return _Isolation(size, found, most).search(refused)


class _Isolation:
    def __init__(self, size: int, found: Findings, most: int) -> None:
        self._size, self._found = size, found
        self._sent = 0
        self._most, self._taken = most, 0  # that may be sent at once; that HubSpot took at once
        self._bad: set[int] = set()  # for which a request was refused whole
        # Whether HubSpot has shown that its answer depends on the inputs: until then those refused alone are only
        # held, beside what it said of the first part.
        self._shown = size == 1
        self._held: dict[int, Rejection] = {}
        self._said: Rejection | None = None

    def search(self, refused: RefusedWhole) -> Search:
        still = yield from self._ask(range(self._size), refused)
        yield from self._narrow(still)
        if self._held:
            self._found.wrong = self._said

    def _ask(
        self, part: Sequence[int], answer: PartAnswer | None = None
    ) -> Generator[Indexes, PartAnswer, Sequence[int]]:
        """Send a part, again without those that the answer names; give what is refused together, naming nobody."""
        while part:
            if answer is None:
                self._sent += 1
                answer = yield tuple(part)
            if isinstance(answer, Settled):
                self._take(part, answer)
                return ()
            if not answer.named:
                return self._refuse(part, answer.rejection)
            self._show()
            named = {part[index]: answer.rejection for index in answer.named}
            self._found.rejected |= named
            self._bad |= named.keys()
            part, answer = self._open(part), None
        return ()

    def _take(self, part: Sequence[int], answer: Settled) -> None:
        self._show()
        self._taken = max(self._taken, len(part))
        self._found.delivered |= {part[index]: contact_id for index, contact_id in answer.delivered.items()}
        self._found.rejected |= {part[index]: rejection for index, rejection in answer.rejected.items()}
        self._found.unconfirmed |= {part[index]: silent for index, silent in answer.unconfirmed.items()}

    def _refuse(self, part: Sequence[int], because: Rejection) -> Sequence[int]:
        if len(part) == self._size > 1:
            return part
        self._said = self._said or because
        if not alike(self._said, because):
            self._show()
        if len(part) > 1:
            return part
        self._bad.add(part[0])
        (self._found.rejected if self._shown else self._held)[part[0]] = because
        return ()

    def _show(self) -> None:
        self._shown = True
        self._found.rejected |= self._held
        self._held.clear()

    def _narrow(self, group: Sequence[int]) -> Search:
        """Find what is bad in a group that is refused."""
        if len(group) <= 1 or len(group) > min(self._most, 2 * self._fitting()):
            yield from self._try(group)
            return
        left, right = group[: len(group) // 2], group[len(group) // 2 :]
        first = yield from self._ask(left)
        if not first and self._clean(left) and len(group) <= self._taken:
            # The other half is refused then: as many were taken at once before, so it is not for their number.
            yield from self._narrow(right)
            return
        second = yield from self._ask(right)
        if not self._shown:
            yield from self._try_a_few()
            if self._found.wrong:
                return
        for still in (first, second):
            yield from (self._narrow if self._clean(still) else self._try)(self._open(still))
        if self._clean(group) and len(group) > self._taken and not self._found.wrong:
            yield from self._learn(group)

    def _learn(self, group: Sequence[int]) -> Search:
        """Send a refused group again, of which each part was taken: it may be too large, or was refused by chance."""
        if self._found.most is None:
            self._sent += 1
            answer = yield tuple(group)
            if isinstance(answer, Settled) or answer.named:
                self._taken = len(group)
                return
        self._most = self._found.most = self._taken

    def _try_a_few(self) -> Search:
        """Send a few alone, of each half by turns, until one is taken, named or refused for another reason."""
        everything = range(self._size)
        halves = everything[: self._size // 2], everything[self._size // 2 :]
        for index in chain.from_iterable(zip_longest(*map(_few, halves))):
            if index is not None and index not in self._held:
                yield from self._ask((index,))
                if self._shown:
                    return
        self._found.wrong = self._said

    def _try(self, group: Sequence[int]) -> Search:
        """Send a group of which nothing is known, in parts of the size that fits."""
        while (group := self._open(group)) and not self._found.wrong:
            fitting = min(self._most, self._fitting())
            still = yield from self._ask(group[:fitting])
            group = group[fitting:]
            yield from self._narrow(still)

    def _fitting(self) -> int:
        """Give how many inputs to send at once: so many that the odds are even, by the share of bad ones so far."""
        answered, bad = len(self._found) + len(self._held), len(self._bad)
        if self._sent + 2 > answered + SLACK:
            return 1
        return max(1, int(log(2) * (answered + FIRST) / bad)) if bad else self._size

    def _open(self, group: Sequence[int]) -> Sequence[int]:
        return [index for index in group if index not in self._found]

    def _clean(self, group: Sequence[int]) -> bool:
        return self._bad.isdisjoint(group)


def _few(group: Sequence[int]) -> Sequence[int]:
    """Choose a few in no order that data has (each second, each tenth), and the same each time."""
    return Random(len(group)).sample(group, min(FEW, len(group)))  # noqa: S311 - no secret


def alike(one: Rejection, other: Rejection) -> bool:
    """Say whether two refusals say the same, whatever names, numbers and ids they quote."""
    return _gist(one) == _gist(other)


def _gist(rejection: Rejection) -> tuple[str, str, str]:
    words = (word for word in rejection.message.split() if not re.search(r"[\d@`]", word))
    return rejection.category, rejection.code, " ".join(words)
