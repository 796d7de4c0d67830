"""One producer cannot hold up another: while it holds all that a key can hold, others are served."""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any, cast
from unittest.mock import patch
from urllib.parse import urlsplit
from uuid import uuid4

import orjson
import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import DataError
from starlette.requests import Request
from starlette.responses import Response

import web.access
import web.attendance
import web.console.base
import web.limits
import web.long_poll
from models.input_check import Candidate, Reason
from models.message import Message, read_message
from models.words import Door, Identity, Origin, Role
from tests.support.api import BY_EMAIL, Api, Held, key_for, running_api
from tests.support.console import RunningConsole, running_console, words
from tests.support.contexts import open_context
from tests.support.ledger import message
from tests.support.worker_processes import until
from web import hubspot_format
from web.console import live
from web.console.form import FormLimits, read_form
from web.group_commit import MOST_INPUTS, PART, StoredRequest, Storing
from web.hubspot_format import LEFT_OUT, MOST_ANSWER
from web.limits import Admission, Answers
from web.together import MOST, Asked, Together, WaitingWork
from worker.auth import keys
from worker.auth.keys import ApiKey
from worker.context import Context
from worker.intake import store
from worker.intake.accept import Inbound
from worker.intake.store import NewRecord
from worker.queries.reconciliation import audit
from worker.settings import Settings


@pytest.fixture
def rival(api: Api) -> Api:
    """Another producer of the same account."""
    return Api(api.url, key_for(api.context, "rival"), api.context)


def half_sent(api: Api, body: bytes = b'{"inp', length: int = 1_000) -> socket.socket:
    """Begin a request whose body does not come whole."""
    client = socket.create_connection(("127.0.0.1", urlsplit(api.url).port or 0), 20)
    client.sendall(
        f"POST {BY_EMAIL} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {api.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n".encode()
        + body
    )
    return client


@contextmanager
def noted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytearray]]:
    """Collect the bodies that are let in."""
    let_in: list[bytearray] = []
    read = Admission.read

    async def reading(self: Admission, request: Request, key: ApiKey, body: bytearray) -> None:
        let_in.append(body)
        await read(self, request, key, body)

    monkeypatch.setattr(Admission, "read", reading)
    yield let_in


# Bodies


def test_slow_bodies_of_one_key_take_the_places_of_that_key_alone(
    api: Api, rival: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        let_in = stack.enter_context(noted(monkeypatch))
        for _ in range(web.limits.MOST_AT_ONCE_OF_KEY):
            stack.enter_context(half_sent(api))
        until(lambda: len(let_in) == web.limits.MOST_AT_ONCE_OF_KEY, 60, "they were not let in")
        refused = api.submit("ada@example.com")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert (refused.json()["category"], "the key shop" in refused.json()["message"]) == ("UNAVAILABLE", True)
        assert [rival.submit(f"p{number}@example.com").status_code for number in range(5)] == [200] * 5
    until(lambda: api.submit("ada@example.com").status_code == 200, 30, "the places were not given back")


def test_bytes_of_one_key_are_the_share_of_that_key_alone(
    api: Api, rival: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web.limits, "MOST_BYTES_OF_KEY", 100_000)
    many = ["a" * 50 + "@example.com"] * 200
    with noted(monkeypatch) as let_in, half_sent(api, b" " * 90_000, 200_000):
        until(lambda: bool(let_in) and len(let_in[0]) == 90_000, 10, "it has not come")
        until(lambda: api.submit(*many).status_code == 503, 10, "there is room")
        assert api.submit("ada@example.com").status_code == 200, "a small one has room"
        assert rival.submit(*many).status_code == 200
    until(lambda: api.submit(*many).status_code == 200, 10, "the room was not given back")


def test_there_is_room_for_several_keys_that_take_all_they_can() -> None:
    assert web.limits.MOST_AT_ONCE >= 4 * web.limits.MOST_AT_ONCE_OF_KEY
    assert web.limits.MOST_BYTES_AT_ONCE >= 2 * web.limits.MOST_BYTES_OF_KEY
    assert web.long_poll.MOST >= 2 * web.long_poll.MOST_OF_KEY
    assert live.PLACES >= 2 * live.PLACES_OF_ONE
    for threads, of_key in (web.attendance.JUDGED, web.attendance.ANSWERED):
        assert threads >= 2 * of_key


# Judging and storing


def test_inputs_that_cost_much_to_judge_hold_up_their_own_key_alone(
    api: Api, rival: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, judging = threading.Event(), Counter[str]()
    judged = Message.judged

    def slow(self: Message, identity: Identity | None = None) -> Iterator[Candidate | tuple[Reason, ...]]:
        judging[self.producer] += 1
        assert self.producer != "shop" or go.wait(60)
        return judged(self, identity)

    monkeypatch.setattr(Message, "judged", slow)
    monkeypatch.setattr(web.attendance, "JUDGED_HERE", 0)  # as a body that may cost much
    with ThreadPoolExecutor(8) as pool:
        held = [pool.submit(api.submit, f"p{number}@example.com") for number in range(8)]
        until(lambda: judging["shop"] == 1, 30, "nothing is judged")
        assert rival.submit("ada@example.com").status_code == 200
        assert judging == {"shop": 1, "rival": 1}
        assert not any(one.done() for one in held)
        go.set()
        assert {one.result().status_code for one in held} == {200}
    assert audit(api.context.engine).accepted == 9


def test_a_transaction_of_one_key_holds_up_its_own_key_alone(
    api: Api, rival: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, seen = threading.Event(), list[set[str]]()
    store = Storing._accept  # noqa: SLF001 - the moment in which others would wait

    def slow(self: Storing, handed: Sequence[Inbound]) -> Any:
        producers = {one.message.producer for one in handed if one.message}
        seen.append(producers)
        assert producers != {"shop"} or go.wait(60)
        return store(self, handed)

    monkeypatch.setattr(Storing, "_accept", slow)
    with ThreadPoolExecutor(8) as pool:
        held = [pool.submit(api.submit, f"p{number}@example.com") for number in range(8)]
        until(lambda: seen == [{"shop"}], 30, "nothing is stored")
        assert [rival.submit(f"q{number}@example.com").status_code for number in range(5)] == [200] * 5
        assert seen == [{"shop"}, *[{"rival"}] * 5], "the key has one transaction at a time, and shares none meanwhile"
        go.set()
        assert {one.result().status_code for one in held} == {200}


def asked(key_id: int, inputs: int = 1, part: str = "") -> Asked[str]:
    """Give a request that waits to be stored, of so many inputs."""
    return Asked(key_id, part, inputs, cast("Any", None))


def keys_of(together: Sequence[Asked[str]]) -> list[object]:
    return [one.owner for one in together]


def test_the_keys_take_turns() -> None:
    waiting = WaitingWork[str](MOST_INPUTS)
    for key, number in ((1, 500), (2, 3), (3, 1)):
        for index in range(number):
            waiting.put(asked(key, part=str(index)))
    first = waiting.take()
    assert keys_of(first)[:6] == [1, 2, 3, 1, 2, 1]
    assert (len(first), Counter(keys_of(first))[2]) == (MOST, 3)
    assert [one.what for one in first if one.owner == 1] == [str(index) for index in range(96)]
    waiting.put(asked(4))
    assert keys_of(waiting.take()) == [4], "the key whose transaction goes on waits"
    assert waiting.take() == []
    waiting.finished(first)
    assert [one.what for one in waiting.take()] == [str(index) for index in range(96, 196)]


def test_a_large_request_is_stored_alone_and_the_small_ones_of_others_before_it() -> None:
    waiting = WaitingWork[str](MOST_INPUTS)
    for key, inputs in ((1, 10_000), (1, 10_000), (2, 1), (3, 600), (4, 600), (2, 1)):
        waiting.put(asked(key, inputs))
    large = waiting.take()
    small = waiting.take()
    rest = waiting.take()
    assert (keys_of(large), keys_of(small), keys_of(rest)) == ([1], [2, 3, 2], [4])
    waiting.put(asked(5))
    assert keys_of(waiting.take()) == [5]
    waiting.finished([*large, *small])
    assert keys_of(waiting.take()) == [1]


def test_whatever_waits_is_taken_once_in_its_keys_order() -> None:
    waiting, taken = WaitingWork[str](MOST_INPUTS), list[tuple[object, str]]()
    for index in range(600):
        waiting.put(asked(index * 7 % 11, 1 + index * index % 900, str(index)))
    while len(taken) < 600:
        together = waiting.take()
        assert len(together) == 1 or sum(one.weight for one in together) <= MOST_INPUTS
        taken += [(one.owner, one.what) for one in together]
        waiting.finished(together)
    assert len({part for _, part in taken}) == 600
    for key in range(11):
        mine = [int(part) for one, part in taken if one == key]
        assert mine == sorted(mine)


def test_what_is_asked_for_while_the_threads_are_busy_goes_together_and_fails_together() -> None:
    go, done = threading.Event(), list[list[int]]()

    def work(several: list[int]) -> list[int]:
        done.append(several)
        assert several[0] != 0 or go.wait(60)
        if 13 in several:
            raise ValueError(several)
        return [2 * one for one in several]

    async def story() -> list[object]:
        together = Together("tested", work, threads=2)
        first = [asyncio.create_task(together.ask("ada", number)) for number in range(3)]
        await asyncio.to_thread(until, lambda: bool(done), 30, "nothing is done")
        second = [asyncio.create_task(together.ask("ada", number)) for number in range(3, 8)]
        assert await together.ask("bob", 10) == 20, "another owner's"
        second[0].cancel()  # its client left
        go.set()
        got: list[object] = [*await asyncio.gather(*first), *await asyncio.gather(*second, return_exceptions=True)]
        return got + await asyncio.gather(*(together.ask("ada", one) for one in (12, 13)), return_exceptions=True)

    *got, one, other = asyncio.run(story())
    assert isinstance(got.pop(3), asyncio.CancelledError)
    assert got == [0, 2, 4, 8, 10, 12, 14]
    assert done == [[0, 1, 2], [10], [3, 4, 5, 6, 7], [12, 13]]
    assert one is other
    assert isinstance(one, ValueError)


@pytest.mark.slow
def test_a_server_that_has_stopped_leaves_no_thread(context: Context) -> None:
    before = set(threading.enumerate())
    with running_api(context) as api:
        assert api.submit("ada@example.com").ok
        assert {thread.name for thread in set(threading.enumerate()) - before} >= {"keys-0", "storing-0", "waking"}
    until(lambda: not set(threading.enumerate()) - before, 30, "a thread is left")


def test_a_request_that_the_database_cannot_store_fails_alone(context: Context) -> None:
    class Bad(Exception):  # noqa: N818
        sqlstate = "22P05"

    def store_all_but_one(
        connection: Connection, fresh: Sequence[NewRecord], sizes: Mapping[int, int], linger: float, origin: Origin
    ) -> list[int]:
        if any(one.candidate.contact == "bad@example.com" for one in fresh):
            raise DataError("INSERT", {}, Bad())
        return real(connection, fresh, sizes, linger, origin)

    def handed(contact: str) -> Inbound:
        said = read_message(orjson.dumps(message(contact) | {"submission_id": str(uuid4())}))
        assert isinstance(said, Message)
        return Inbound(Door.HTTP, PART, message=said)

    async def story() -> list[StoredRequest | BaseException]:
        storing = Storing(context)
        every = (storing.store(handed(contact)) for contact in ("a@example.com", "bad@example.com", "b@example.com"))
        return await asyncio.gather(*every, return_exceptions=True)

    real = store.store
    with patch.object(store, "store", store_all_but_one):
        first, bad, last = asyncio.run(story())
    assert [one.accepted for one in (first, last) if isinstance(one, StoredRequest)] == [1, 1]
    assert isinstance(bad, LookupError)
    books = audit(context.engine)
    assert (books.accepted, books.refused, books.balanced) == (2, 1, True)


# Answers


def test_nine_thousand_inputs_of_sixty_faults_are_answered_within_bounds_and_each_is_named(api: Api) -> None:
    wrong = {f"f{index}": index for index in range(60)}
    answer = api.ask("POST", BY_EMAIL, json={"inputs": [wrong] * 9_000})
    assert answer.status_code == 200
    assert len(answer.content) < MOST_ANSWER
    errors = answer.json()["errors"]
    assert (answer.json()["numErrors"], len(errors)) == (9_000, 9_000)
    assert [one["context"]["where"][0].partition(".")[0] for one in errors] == [f"inputs[{n}]" for n in range(9_000)]
    assert "; inputs[0]: and 52 more" in errors[0]["message"]
    assert (errors[-1]["message"], errors[-1]["category"]) == (LEFT_OUT, "VALIDATION_ERROR")
    receipt = api.ask("GET", urlsplit(answer.json()["links"]["submission"]).path)
    assert len(receipt.content) < MOST_ANSWER


def test_an_input_of_two_hundred_thousand_unknown_fields_is_answered_shortly(api: Api) -> None:
    answer = api.ask("POST", BY_EMAIL, json={"inputs": [{f"f{index}": 1 for index in range(200_000)}]})
    assert (answer.status_code, len(answer.content) < 5_000) == (200, True)
    assert "and 199,992 more" in answer.json()["errors"][0]["message"]


def test_the_longest_answer_is_within_bounds() -> None:
    context = {"contact": ["ü" * 127], "where": ["inputs[9999]." + "\\x1b" * 20] * 11, "more": ["x" * 80] * 50}
    error = hubspot_format._standard_error("VALIDATION_ERROR", "X" * 60, "\\" * 5_000, context)  # noqa: SLF001
    told = hubspot_format.as_far_as_there_is_room([error] * 10_000)
    assert len(orjson.dumps(told)) < MOST_ANSWER
    assert all(one["context"]["where"][0].startswith("inputs[9999]") for one in cast("Any", told))
    contacts = [{**error, "context": {"contact": ["ü" * 127]}}] * 10_000
    told = hubspot_format.as_far_as_there_is_room(contacts)
    assert len(orjson.dumps(told)) < MOST_ANSWER
    assert all(one["context"]["contact"] == ["ü" * 127] for one in cast("Any", told))


def test_answers_that_are_not_taken_hold_up_their_own_key_alone() -> None:
    async def story() -> list[str]:
        answers, taken, done = Answers(), asyncio.Event(), list[str]()

        async def send(message: MutableMapping[str, Any]) -> None:
            if message.get("body"):
                await taken.wait()

        async def ask(key_id: int, name: str, body: bytes) -> None:
            async def made() -> Response:
                done.append(f"{name} made")
                return Response(body)

            key = ApiKey(key_id, name, Role.PRODUCER, {})
            answer = await answers.held(key, web.limits.ROOM_OF_ANSWERS.of_one // 2, made)
            await answer({}, cast("Any", None), send)
            done.append(f"{name} sent")

        slow = [asyncio.create_task(ask(1, f"slow {number}", b"x" * 200_000)) for number in range(4)]
        for _ in range(20):
            await asyncio.sleep(0)
        await ask(2, "rival", b"")
        assert done == ["slow 0 made", "slow 1 made", "rival made", "rival sent"]
        slow[0].cancel()  # its client left
        for _ in range(20):
            await asyncio.sleep(0)
        assert done[4:] == ["slow 2 made"]
        taken.set()
        await asyncio.gather(*slow[1:])
        return done

    assert asyncio.run(story())[-1] == "slow 3 sent"


def test_an_answer_is_sent_in_pieces_and_arrives_whole() -> None:
    async def story(body: bytes) -> list[Any]:
        sent: list[Any] = []

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        async def made() -> Response:
            return Response(body, 200, {"X": "y"}, "text/plain")

        await (await Answers().held(ApiKey(1, "shop", Role.PRODUCER, {}), 1, made))({}, cast("Any", None), send)
        return sent

    for size in (0, 1, web.limits.PIECE, web.limits.PIECE + 1, 3 * web.limits.PIECE):
        begun, *pieces = asyncio.run(story(b"x" * size))
        assert (begun["status"], dict(begun["headers"])[b"content-length"]) == (200, str(size).encode())
        assert b"".join(piece["body"] for piece in pieces) == b"x" * size
        assert [piece["more_body"] for piece in pieces] == [True] * (len(pieces) - 1) + [False]


def test_held_answers_of_one_key_leave_places_to_others(
    api: Api, rival: Api, held_long: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web.long_poll, "MOST_OF_KEY", 2)
    waits = {"Prefer": "wait=60"}
    with ThreadPoolExecutor(3) as pool:
        first = [pool.submit(api.submit, f"p{number}@example.com", headers=waits) for number in range(2)]
        try:
            until(lambda: len(held_long.asked) == 2, 30, "they are not held")
            at_once = api.submit("ada@example.com", headers=waits)
            assert (at_once.json()["status"], "Preference-Applied" in at_once.headers) == ("PENDING", False)
            assert len(held_long.asked) == 3
            other = pool.submit(rival.submit, "bob@example.com", headers=waits)
            until(lambda: len(held_long.asked) == 4, 30, "another key's is not held")
        finally:
            held_long.let_go()
        assert {"Preference-Applied" in one.result().headers for one in (*first, other)} == {True}


def test_a_key_whose_held_answers_are_costly_to_look_at_is_looked_at_rarely(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    poll = web.long_poll.LongPoll(api.context.engine)

    def costly(*_: object) -> list[object]:
        threading.Event().wait(0.05)
        return []

    monkeypatch.setattr(web.long_poll.LongPoll, "_settled", costly)

    async def story() -> None:
        sleep = asyncio.sleep

        async def noted_sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 2:
                poll.end()
            await sleep(0)

        monkeypatch.setattr(web.long_poll, "sleep", noted_sleep)
        assert await poll.until_settled(uuid4(), 60, 1)

    asyncio.run(story())
    assert min(pauses) >= 0.05 * web.long_poll.SHARE


# The console


def test_streams_of_one_key_leave_places_to_others(console: RunningConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PLACES_OF_ONE", 2)
    olga, vera, stream = (
        console.of(Role.OPERATOR, "olga"),
        console.of(Role.VIEWER, "vera"),
        {"Accept": "text/event-stream"},
    )
    with ExitStack() as stack:
        tabs = [stack.enter_context(olga.get("/", headers=stream, stream=True)) for _ in range(2)]
        assert {tab.status_code for tab in tabs} == {200}
        refused = olga.get("/", headers=stream)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "15")
        assert stack.enter_context(vera.get("/", headers=stream, stream=True)).status_code == 200
        assert olga.page("/")


def test_uploads_of_one_key_leave_places_to_others(console: RunningConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go, read = Counter[str](), threading.Event(), read_form

    async def slow(request: Request, limits: FormLimits) -> dict[str, str] | None:
        name = request.headers["X-Name"]
        begun[name] += 1
        if name == "olga":
            await asyncio.to_thread(go.wait, 60)
        return await read(request, limits)

    olga, otto = console.of(Role.OPERATOR, "olga"), console.of(Role.OPERATOR, "otto")
    monkeypatch.setattr(web.console.base, "read_form", slow)
    of_key = web.console.base.UPLOADS.of_one
    with ThreadPoolExecutor(4) as pool:
        held = [pool.submit(olga.post, "/correct/file", headers={"X-Name": "olga"}) for _ in range(of_key)]
        until(lambda: begun["olga"] == of_key, 30, "they are not read")
        refused = olga.post("/correct/file", headers={"X-Name": "olga"})
        assert (refused.status_code, "Too much is being uploaded" in words(refused.text)) == (429, True)
        assert otto.post("/correct/file", headers={"X-Name": "otto"}).status_code == 403, "read, and it has no token"
        assert begun == {"olga": of_key, "otto": 1}
        go.set()
        assert {one.result().status_code for one in held} == {403}
    assert olga.post("/correct/file", headers={"X-Name": "again"}).status_code == 403
    assert begun["again"] == 1


# Wrong keys


@pytest.fixture
def blocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, list[str]]]:
    """Verifying a wrong key lasts until the event; collect the wrong ones that were begun."""
    go, begun, verify_all = threading.Event(), list[str](), keys.verify_all

    def slow(connection: Connection, presented: Sequence[str], *, commit: bool = False) -> list[keys.ApiKey | None]:
        if wrong := [one for one in presented if one.startswith("wrong")]:
            begun.append(wrong[0])
            assert go.wait(60)
        return verify_all(connection, presented, commit=commit)

    monkeypatch.setattr(web.access, "verify_all", slow)
    monkeypatch.setattr(keys, "verify_all", slow)
    yield go, begun
    go.set()


@pytest.mark.slow
def test_wrong_keys_of_one_address_hold_up_that_address_alone(
    settings: Settings, blocked: tuple[threading.Event, list[str]]
) -> None:
    go, begun = blocked
    with open_context(settings, trusted_proxies="127.0.0.1") as context, running_api(context) as api:
        away, here = {"X-Forwarded-For": "203.0.113.9"}, {"X-Forwarded-For": "198.51.100.7"}
        with ThreadPoolExecutor(12) as pool:
            wrong = [pool.submit(api.submit, "ada@example.com", key=f"wrong {n}", headers=away) for n in range(12)]
            until(lambda: len(begun) == 1, 30, "none is looked up")
            assert [api.submit(f"p{n}@example.com", headers=here).status_code for n in range(5)] == [200] * 5
            assert len(begun) == 1 < web.access.THREADS
            go.set()
            assert {one.result().status_code for one in wrong} == {401}
        assert api.submit("ada@example.com", headers=away).status_code == 200, "a right key from there works"


@pytest.mark.slow
def test_wrong_keys_at_the_sign_in_hold_up_no_page_and_no_other_address(
    settings: Settings, blocked: tuple[threading.Event, list[str]]
) -> None:
    go, begun = blocked
    with open_context(settings, trusted_proxies="127.0.0.1") as context, running_console(context) as console:
        away, here = {"X-Forwarded-For": "203.0.113.9"}, {"X-Forwarded-For": "198.51.100.7"}
        olga, visitor, eve = console.of(Role.OPERATOR, "olga"), console.visitor(), console.visitor()
        form, key = {"form": eve.token(), "key": "wrong"}, key_for(context, "vera", Role.VIEWER)
        with ThreadPoolExecutor(6) as pool:
            wrong = [pool.submit(eve.post, "/sign-in", form, headers=away) for _ in range(6)]
            until(lambda: len(begun) == 1, 30, "none is verified")
            assert olga.page("/batches")
            mine = {"form": visitor.token(), "key": key}
            assert visitor.post("/sign-in", mine, headers=here, allow_redirects=False).status_code == 303
            assert len(begun) == 1
            go.set()
            assert {one.result().status_code for one in wrong} == {403}
