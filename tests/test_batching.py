"""The plan against a naive walk: every newcomer in the order of acceptance, and whether it may lie where it was put."""

from collections import Counter
from collections.abc import Collection, Mapping

from hypothesis import given, settings as setting, strategies as st

from models.batching import CANDIDATES, NEW, Group, Newcomer, Planned, plan, without_implied
from models.words import Identity, State

EVENTS = (1, 2)
GROUPS = [Group(event, state, identity) for event in EVENTS for state in State for identity in Identity]
CONTACTS = st.integers(0, 7).map("c{}".format)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Newcomer], dict[tuple[int, str], int], list[Planned], int]:
    """Newcomers, who holds which contact already, open batches with room, and how many records a batch takes."""
    batch_size = draw(st.integers(1, 5))
    newcomers = draw(st.lists(st.builds(Newcomer, st.sampled_from(GROUPS[:5]), CONTACTS), max_size=40))
    ids = draw(st.lists(st.integers(1, 60), unique=True, max_size=10))
    open_batches = [
        Planned(
            ref, draw(st.sampled_from(GROUPS[:5])), draw(st.integers(1, batch_size)), draw(st.sets(st.integers(1, 60)))
        )
        for ref in ids
    ]
    held = draw(st.dictionaries(st.tuples(st.sampled_from(EVENTS), CONTACTS), st.integers(1, 60), max_size=12))
    return newcomers, held, open_batches, batch_size


def copied(batches: list[Planned]) -> list[Planned]:
    return [Planned(batch.ref, batch.group, batch.room, set(batch.after)) for batch in batches]


@setting(max_examples=200, deadline=None)
@given(worlds())
def test_every_newcomer_lies_in_one_batch_of_its_group_with_room_and_newer_than_every_holder(
    world: tuple[list[Newcomer], dict[tuple[int, str], int], list[Planned], int],
) -> None:
    newcomers, held, open_batches, batch_size = world
    room = {batch.ref: batch.room for batch in open_batches}
    waits = {batch.ref: set(batch.after) for batch in open_batches}
    planned = plan(newcomers, held, copied(open_batches), batch_size)
    assert sorted(index for batch in planned for index in batch.added) == list(range(len(newcomers)))
    assert [batch.ref for batch in planned] == sorted({batch.ref for batch in planned})
    place = {index: batch for batch in planned for index in batch.added}
    holders = {key: [ref] for key, ref in held.items()}
    for index, newcomer in enumerate(newcomers):
        batch, key = place[index], (newcomer.group.event_id, newcomer.contact)
        assert batch.group == newcomer.group
        assert all(batch.ref > holder for holder in holders.get(key, [])), "it overtakes an older record of its contact"
        if key in holders:
            waits.setdefault(batch.ref, set()).add(holders[key][-1])
        holders.setdefault(key, []).append(batch.ref)
    for batch in planned:
        assert batch.added == sorted(batch.added)
        assert batch.added, "a batch without records"
        assert batch.room == room.get(batch.ref, batch_size) - len(batch.added) >= 0
        assert batch.after == waits.get(batch.ref, set())
        assert batch.is_new == (batch.ref not in room)
        contacts = [newcomers[index].contact for index in batch.added]
        assert len(contacts) == len(set(contacts))


@setting(max_examples=100, deadline=None)
@given(worlds())
def test_the_same_facts_give_the_same_plan_and_a_new_batch_is_used_up_in_order(
    world: tuple[list[Newcomer], dict[tuple[int, str], int], list[Planned], int],
) -> None:
    newcomers, held, open_batches, batch_size = world
    planned = plan(newcomers, dict(held), copied(open_batches), batch_size)
    assert planned == plan(newcomers, dict(held), list(reversed(copied(open_batches))), batch_size)
    new = [batch for batch in planned if batch.is_new]
    assert [batch.ref for batch in new] == list(range(NEW, NEW + len(new)))
    assert [batch.added[0] for batch in new] == sorted(batch.added[0] for batch in new)


@given(st.integers(0, 60), st.integers(1, 7), st.integers(0, 6))
def test_full_batches_come_first_and_only_the_rest_joins_an_open_one(number: int, batch_size: int, room: int) -> None:
    group = GROUPS[0]
    newcomers = [Newcomer(group, f"p{index}") for index in range(number)]
    room = min(room, batch_size)
    planned = plan(newcomers, {}, [Planned(1, group, room)] if room else [], batch_size)
    straight = number - number % batch_size
    assert [batch.added for batch in planned if batch.is_new and not batch.room][: number // batch_size] == [
        list(range(first, first + batch_size)) for first in range(0, straight, batch_size)
    ]
    assert all(index >= straight for batch in planned if not batch.is_new for index in batch.added)
    joined = [batch for batch in planned if not batch.is_new]
    assert sum(len(batch.added) for batch in joined) == min(room, number % batch_size)


@given(st.integers(1, 200), st.integers(1, 7))
def test_a_contact_named_again_and_again_gets_a_batch_each_time_one_after_the_other(
    number: int, batch_size: int
) -> None:
    planned = plan([Newcomer(GROUPS[0], "ada")] * number, {}, [], batch_size)
    assert [len(batch.added) for batch in planned] == [1] * number
    assert [batch.after for batch in planned[1:]] == [{batch.ref} for batch in planned[:-1]]


@given(st.permutations(list(State)))
def test_a_contact_in_several_states_waits_from_state_to_state_in_the_order_of_acceptance(order: list[State]) -> None:
    planned = plan([Newcomer(Group(1, state, Identity.EMAIL), "ada") for state in order], {}, [], 10)
    assert [batch.group.state for batch in planned] == order
    assert [batch.after for batch in planned] == [set(), {planned[0].ref}, {planned[1].ref}]


@given(st.lists(CONTACTS, min_size=1, max_size=60), st.integers(1, 6))
def test_records_of_one_group_need_few_batches(contacts: list[str], batch_size: int) -> None:
    """No more than the full ones, and what the most frequent contact and the bound on candidates ask for."""
    planned = plan([Newcomer(GROUPS[0], contact) for contact in contacts], {}, [], batch_size)
    most = max(Counter(contacts).values())
    assert len(planned) <= len(contacts) // batch_size + most + 1 + len(contacts) // (2 * CANDIDATES)


def test_nobody_of_another_event_is_waited_for() -> None:
    newcomers = [Newcomer(Group(event, State.REGISTER, Identity.EMAIL), "ada") for event in EVENTS]
    planned = plan(newcomers, {(2, "ada"): 7}, [], 10)
    assert [(batch.group.event_id, batch.after) for batch in planned] == [(1, set()), (2, {7})]


@st.composite
def orders(draw: st.DrawFn) -> tuple[dict[int, list[int]], dict[int, set[int]]]:
    """What batches of before wait for, each for smaller ones, and what new ones, larger than these, wait for."""
    before = draw(st.integers(0, 12))
    some = draw(st.integers(1, 8))
    waits = {ref: draw(st.sets(st.integers(1, ref - 1))) if ref > 1 else set() for ref in range(1, before + some + 1)}
    old = {ref: sorted(after) for ref, after in waits.items() if ref <= before and after}
    return old, {ref: after for ref, after in waits.items() if ref > before}


@setting(max_examples=300, deadline=None)
@given(orders())
def test_without_what_is_implied_each_batch_waits_for_the_same_and_names_as_few_as_can_be(
    order: tuple[dict[int, list[int]], dict[int, set[int]]],
) -> None:
    old, new = order
    planned = [Planned(ref, GROUPS[0], 1, set(after)) for ref, after in sorted(new.items())]
    without_implied(planned, old)
    fewer = {batch.ref: batch.after for batch in planned}
    for ref, after in new.items():
        assert fewer[ref] <= after
        assert reached({**old, **fewer}, ref) == reached({**old, **new}, ref)
        for one in fewer[ref]:
            others = {**old, **fewer, ref: fewer[ref] - {one}}
            assert one not in reached(others, ref), "it is implied by another"


def reached(waits: Mapping[int, Collection[int]], ref: int) -> set[int]:
    """Give all that a batch waits for, by way of others too."""
    found = set[int]()
    left = [ref]
    while left:
        more = set(waits.get(left.pop(), ())) - found
        found |= more
        left += more
    return found


@given(orders(), st.sets(st.integers(1, 12)))
def test_what_is_not_known_of_the_batches_of_before_leaves_more_to_wait_for_and_loses_nothing(
    order: tuple[dict[int, list[int]], dict[int, set[int]]], unknown: set[int]
) -> None:
    old, new = order
    planned = [Planned(ref, GROUPS[0], 1, set(after)) for ref, after in sorted(new.items())]
    without_implied(planned, {ref: after for ref, after in old.items() if ref not in unknown})
    fewer = {batch.ref: batch.after for batch in planned}
    assert all(reached({**old, **fewer}, ref) == reached({**old, **new}, ref) for ref in new)
