"""Room that is shared: how much each owner gets, who waits, and whose turn it is."""

import asyncio
import threading
from contextlib import AsyncExitStack

import pytest
from hypothesis import given, strategies as st

from web.room import NoRoom, Room, Shares, Turns

ADA, BOB = 1, 2


def test_an_owner_gets_its_share_and_leaves_the_rest_to_others() -> None:
    room, bounds = Room(), Shares(5, 3)
    for _ in range(3):
        room.take(ADA, 1, bounds)
    with pytest.raises(NoRoom) as own:
        room.take(ADA, 1, bounds)
    room.take(BOB, 2, bounds)
    with pytest.raises(NoRoom) as alls:
        room.take(BOB, 1, bounds)
    assert (own.value.is_own, alls.value.is_own) == (True, False)
    room.give_back(ADA, 2)
    room.take(BOB, 1, bounds)
    assert (room.of(ADA), room.of(BOB), room.taken) == (1, 3, 4)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 7)), max_size=60))
def test_no_more_is_taken_than_there_is_and_all_comes_back(asked: list[tuple[int, int]]) -> None:
    room, bounds, held, fulls = Room(), Shares(20, 8), list[tuple[int, int]](), list[tuple[bool, bool]]()
    for owner, amount in asked:
        try:
            room.take(owner, amount, bounds)
            held.append((owner, amount))
        except NoRoom as full:
            fulls.append((full.is_own, sum(size for one, size in held if one == owner) + amount > 8))
            if held:
                room.give_back(*held.pop(0))
        assert room.taken == sum(size for _, size in held) <= 20
    assert [one for one in fulls if one[0] != one[1]] == []
    for one in held:
        room.give_back(*one)
    assert (room.taken, [room.of(owner) for owner in range(4)]) == (0, [0] * 4)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_who_waits_for_its_own_share_holds_up_no_other() -> None:
    async def story() -> list[str]:
        room, bounds, done = Room(), Shares(10, 4), list[str]()

        async def ask(owner: int, amount: int, name: str) -> None:
            async with room.turn(owner, amount, bounds):
                done.append(name)

        async with AsyncExitStack() as held:
            await held.enter_async_context(room.turn(ADA, 4, bounds))
            waiting = [asyncio.create_task(ask(ADA, amount, f"ada {amount}")) for amount in (3, 1, 2)]
            await settle()
            await ask(BOB, 4, "bob")
            assert done == ["bob"]
        await asyncio.gather(*waiting)
        assert room.taken == 0
        return done

    assert asyncio.run(story()) == ["bob", "ada 3", "ada 1", "ada 2"]


def test_who_asks_for_more_than_a_share_gets_one() -> None:
    async def story() -> int:
        room = Room()
        async with room.turn(ADA, 1_000, Shares(10, 4)):
            return room.taken

    assert asyncio.run(story()) == 4


def test_who_leaves_while_waiting_takes_nothing_with_him() -> None:
    async def story() -> tuple[int, int]:
        room, bounds = Room(), Shares(4, 2)

        async def ask() -> None:
            async with room.turn(ADA, 2, bounds):
                await asyncio.sleep(3_600)

        first, second, third = (asyncio.create_task(ask()) for _ in range(3))
        await settle()
        second.cancel()
        await settle()
        first.cancel()
        await settle()
        held = room.taken
        third.cancel()
        await settle()
        # Granted in the same moment in which it is cancelled.
        fourth = asyncio.create_task(ask())
        await settle()
        fifth = asyncio.create_task(ask())
        await settle()
        room.give_back(ADA, 0)
        fourth.cancel()
        await asyncio.sleep(0)
        fifth.cancel()
        await settle()
        return held, room.taken

    assert asyncio.run(story()) == (2, 0)


def test_one_owners_work_leaves_threads_to_others() -> None:
    async def story() -> list[str]:
        turns, go, begun, done = Turns(4, 2), threading.Event(), list[str](), list[str]()
        both = threading.Barrier(3)

        def work(name: str) -> None:
            begun.append(name)
            if not go.is_set():
                both.wait(30)
            assert go.wait(30)

        slow = [asyncio.create_task(turns.run(ADA, work, f"ada {number}")) for number in range(10)]
        await asyncio.to_thread(both.wait, 30)
        await turns.run(BOB, done.append, "bob")
        assert (sorted(begun), done) == (["ada 0", "ada 1"], ["bob"])
        go.set()
        await asyncio.gather(*slow)
        return begun

    assert len(asyncio.run(story())) == 10


def test_what_fails_gives_its_turn_back() -> None:
    async def story() -> None:
        turns = Turns(1, 1)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await turns.run(ADA, lambda: 1 / 0)

    asyncio.run(story())
