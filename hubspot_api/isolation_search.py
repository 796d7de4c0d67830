"""Isolating: which inputs made HubSpot refuse a request whole, found by sending parts of it. It sends nothing itself.

What an answer names is taken out and the rest sent again. Where it names nobody halves are sent, and halves of what is
refused; or smaller parts, down to one by one, where so many are bad that halving costs more. Nobody is rejected but by
an answer that names the input or to that input alone, and only once HubSpot has shown that the request itself is fine.

`begin` a search; while there is a `next_part` send it, and `absorb` its answer. The state is a value: what is to be
done stands in `todo`, the next first, and each step is matched once.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, zip_longest
from math import log
from random import Random
from typing import Final, assert_never

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


@dataclass(frozen=True, slots=True)
class Findings:
    """What the parts have told so far, by the input's index in the request. It is final."""

    delivered: Mapping[int, int | None] = field(default_factory=dict)
    rejected: Mapping[int, Rejection] = field(default_factory=dict)
    unconfirmed: Mapping[int, Rejection] = field(default_factory=dict)
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


@dataclass(frozen=True, slots=True)
class Send:
    """Send a part; what is refused of it is narrowed."""

    part: Indexes


@dataclass(frozen=True, slots=True)
class SendLeft:
    """Send the left half of a group that is refused."""

    part: Indexes
    group: Indexes


@dataclass(frozen=True, slots=True)
class SendRight:
    """Send the right half; `left` is what is refused of the other."""

    part: Indexes
    group: Indexes
    left: Indexes


@dataclass(frozen=True, slots=True)
class SendAlone:
    """Send one input, and the `others` one by one, until HubSpot shows that its answer depends on the inputs."""

    part: Indexes
    others: Indexes


@dataclass(frozen=True, slots=True)
class SendWhole:
    """Send a refused group again of which each part was taken: it may be too large, or was refused by chance."""

    part: Indexes


@dataclass(frozen=True, slots=True)
class Narrow:
    """Find what is bad in a group that is refused."""

    group: Indexes


@dataclass(frozen=True, slots=True)
class Try:
    """Send a group of which nothing is known, in parts of the size that fits."""

    group: Indexes


@dataclass(frozen=True, slots=True)
class Learn:
    """Learn what HubSpot takes at once, where nothing in a group was bad that it refused."""

    group: Indexes


Sending = Send | SendLeft | SendRight | SendAlone | SendWhole
Step = Sending | Narrow | Try | Learn


@dataclass(frozen=True, slots=True)
class SearchState:
    """A search between two parts."""

    size: int
    most: int
    """Inputs that may be sent at once, as far as is known."""
    todo: tuple[Step, ...]
    found: Findings = field(default_factory=Findings)
    sent: int = 0
    taken: int = 0
    """Inputs that HubSpot took at once."""
    bad: frozenset[int] = frozenset()
    """Those for which a request was refused whole."""
    shown: bool = False
    """HubSpot has shown that its answer depends on the inputs: until then those refused alone are only `held`."""
    held: Mapping[int, Rejection] = field(default_factory=dict)
    said: Rejection | None = None
    """What it said of the first part."""

    def then(self, *steps: Step) -> "SearchState":
        """Do these steps first."""
        return replace(self, todo=(*steps, *self.todo))

    def open(self, group: Indexes) -> Indexes:
        """Give those of a group that have no answer yet."""
        return tuple(index for index in group if index not in self.found)

    def is_clean(self, group: Indexes) -> bool:
        """Say whether nothing in a group is known to be bad."""
        return self.bad.isdisjoint(group)

    @property
    def fitting(self) -> int:
        """Inputs to send at once: so many that the odds are even, by the share of bad ones so far."""
        answered, bad = len(self.found) + len(self.held), len(self.bad)
        if self.sent + 2 > answered + SLACK:
            return 1
        return max(1, int(log(2) * (answered + FIRST) / bad)) if bad else self.size


def begin(size: int, refused: RefusedWhole, most: int) -> SearchState:
    """Begin to search a refused request of `size` inputs; `most` may be sent at once, as far as is known."""
    state = SearchState(size, most, (), shown=size == 1)
    return _planned(_answered(state, Send(tuple(range(size))), refused))


def next_part(state: SearchState) -> Indexes | None:
    """Give the part to send next, none at the end. A search may be left at any time."""
    match state.todo:
        case [Send() | SendLeft() | SendRight() | SendAlone() | SendWhole() as step, *_]:
            return step.part
    return None


def absorb(state: SearchState, answer: PartAnswer) -> SearchState:
    """Take in the answer to the next part, which names inputs by their index in the part."""
    step, *rest = state.todo
    assert not isinstance(step, Narrow | Try | Learn)
    return _planned(_answered(replace(state, sent=state.sent + 1, todo=tuple(rest)), step, answer))


def _planned(state: SearchState) -> SearchState:
    """Go on to the next part to send, or to the end."""
    while state.todo:
        step, rest = state.todo[0], replace(state, todo=state.todo[1:])
        match step:
            case Narrow(group):
                state = _narrowed(rest, group)
            case Try(group):
                state = _tried(rest, rest.open(group))
            case Learn(group):
                state = _learned(rest, group)
            case _:
                return state
    return replace(state, found=replace(state.found, wrong=state.said)) if state.held else state


def _narrowed(state: SearchState, group: Indexes) -> SearchState:
    still = state.open(group)
    if not state.is_clean(group) or len(still) <= 1 or len(still) > min(state.most, 2 * state.fitting):
        return state.then(Try(still))
    return state.then(SendLeft(still[: len(still) // 2], still))


def _tried(state: SearchState, group: Indexes) -> SearchState:
    if not group:
        return state
    fitting = min(state.most, state.fitting)
    return state.then(Send(group[:fitting]), Try(group[fitting:]))


def _learned(state: SearchState, group: Indexes) -> SearchState:
    if not state.is_clean(group) or len(group) <= state.taken:
        return state
    return state.then(SendWhole(group)) if state.found.most is None else _limited(state)


def _limited(state: SearchState) -> SearchState:
    return replace(state, most=state.taken, found=replace(state.found, most=state.taken))


def _answered(state: SearchState, step: Sending, answer: PartAnswer) -> SearchState:
    """Take in an answer to a step; what it does not name is sent again."""
    if isinstance(step, SendWhole):
        by_chance = isinstance(answer, Settled) or answer.named
        return replace(state, taken=len(step.part)) if by_chance else _limited(state)
    if isinstance(answer, Settled):
        return _followed(_taken(state, step.part, answer), step, ())
    if not answer.named:
        refused = step.part if len(step.part) > 1 else ()
        return _followed(_refused(state, step.part, answer.rejection), step, refused)
    state = _named(state, {step.part[index]: answer.rejection for index in answer.named})
    others = state.open(step.part)
    return state.then(replace(step, part=others)) if others else _followed(state, step, ())


def _followed(state: SearchState, step: Send | SendLeft | SendRight | SendAlone, refused: Indexes) -> SearchState:
    """Say what follows a part, of which these are refused together, naming nobody."""
    match step:
        case Send():
            return state.then(Narrow(refused))
        case SendLeft(_, group):
            left, right = group[: len(group) // 2], group[len(group) // 2 :]
            if not refused and state.is_clean(left) and len(group) <= state.taken:
                # The other half is refused then: as many were taken at once before, so it is not for their number.
                return state.then(Narrow(right))
            return state.then(SendRight(right, group, refused))
        case SendRight(_, group, left):
            state = state.then(Narrow(left), Narrow(refused), Learn(group))
            return state if state.shown else _alone(state, _few_of_each_half(state.size, state.held))
        case SendAlone(_, others):
            return state if state.shown else _alone(state, others)
        case _:
            assert_never(step)


def _alone(state: SearchState, indexes: Indexes) -> SearchState:
    """Send these alone; where none is left HubSpot refuses whatever it is sent, and the search is over."""
    return state.then(SendAlone(indexes[:1], indexes[1:])) if indexes else replace(state, todo=())


def _taken(state: SearchState, part: Indexes, answer: Settled) -> SearchState:
    state = _shown(state)
    found = replace(
        state.found,
        delivered={**state.found.delivered, **{part[index]: vid for index, vid in answer.delivered.items()}},
        rejected={**state.found.rejected, **{part[index]: no for index, no in answer.rejected.items()}},
        unconfirmed={**state.found.unconfirmed, **{part[index]: none for index, none in answer.unconfirmed.items()}},
    )
    return replace(state, taken=max(state.taken, len(part)), found=found)


def _named(state: SearchState, named: Mapping[int, Rejection]) -> SearchState:
    state = _shown(state)
    found = replace(state.found, rejected={**state.found.rejected, **named})
    return replace(state, bad=state.bad | named.keys(), found=found)


def _refused(state: SearchState, part: Indexes, because: Rejection) -> SearchState:
    if len(part) == state.size > 1:
        return state
    said = state.said or because
    state = replace(state, said=said)
    if not alike(said, because):
        state = _shown(state)
    if len(part) > 1:
        return state
    state = replace(state, bad=state.bad | set(part), held={**state.held, part[0]: because})
    return _shown(state) if state.shown else state


def _shown(state: SearchState) -> SearchState:
    found = replace(state.found, rejected={**state.found.rejected, **state.held})
    return replace(state, shown=True, found=found, held={})


def _few_of_each_half(size: int, held: Collection[int]) -> Indexes:
    """Choose a few of each half by turns, without those that were sent alone already."""
    halves = range(size // 2), range(size // 2, size)
    chosen = chain.from_iterable(zip_longest(*map(_few, halves)))
    return tuple(index for index in chosen if index is not None and index not in held)


def _few(group: range) -> list[int]:
    """Choose a few in no order that data has (each second, each tenth), and the same each time."""
    return Random(len(group)).sample(group, min(FEW, len(group)))  # noqa: S311 - no secret


def alike(one: Rejection, other: Rejection) -> bool:
    """Say whether two refusals say the same, whatever names, numbers and ids they quote.

    It is coarser than `models.error_signature.gist`, which keeps names that hold digits: an id that differs from
    answer to answer would show here that HubSpot's answer depends on the inputs.
    """
    return _plain_words(one) == _plain_words(other)


def _plain_words(rejection: Rejection) -> tuple[str, str, str]:
    words = (word for word in rejection.message.split() if not re.search(r"[\d@`]", word))
    return rejection.category, rejection.code, " ".join(words)
