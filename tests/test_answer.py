"""What HubSpot's answers mean, read as HubSpot's own tables."""

import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import TypedDict, Unpack

import orjson
import pytest
from hypothesis import example, given, settings, strategies as st
from requests.structures import CaseInsensitiveDict

from hubspot_api.answer import (
    Ambiguous,
    Answer,
    Limited,
    NotFound,
    PortalUnavailable,
    RefusedWhole,
    Rejection,
    Settled,
    Unauthorized,
    correlation_id,
    excerpt,
    read_answer,
)
from hubspot_api.fields import clean
from hubspot_api.response import NoResponse, Response
from models.words import Identity

EMAILS = ("ada@example.com", "bob@example.com", "cy@example.com")
VIDS = ("51", "9007199254740993", "7")
HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


def response(body: object = None, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, CaseInsensitiveDict(headers or {}), raw, 0.1)


def read(
    body: object = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    contacts: Sequence[str] = EMAILS,
    identity: Identity = Identity.EMAIL,
) -> Answer:
    return read_answer(response(body, status, headers), identity, contacts)


class How(TypedDict, total=False):
    """How an answer came, and to what."""

    headers: Mapping[str, str] | None
    contacts: Sequence[str]
    identity: Identity


def settled(body: object, status: int = 200, **how: Unpack[How]) -> tuple[set[int], set[int], set[int]]:
    """Read a settled answer; give the indexes of what was delivered, rejected, unconfirmed."""
    answer = read(body, status, **how)
    assert isinstance(answer, Settled), answer
    return set(answer.delivered), set(answer.rejected), set(answer.unconfirmed)


def named(*emails: str) -> list[dict[str, object]]:
    return [{"email": email, "vid": 100 + index} for index, email in enumerate(emails)]


def later(contact: str) -> dict[str, object]:
    """The error that was seen live, for `leftAt` before `joinedAt`."""
    return {
        "status": "error",
        "category": "VALIDATION_ERROR",
        "subCategory": "AttendanceValidationError.JOINED_AT_IS_LATER_THAN_LEFT_AT_FOR_EMAIL",
        "message": f"joinedAt param must be earlier than leftAt for `{contact}`",
    }


# A 200 is not success


@pytest.mark.parametrize(
    ("sent", "body", "delivered", "rejected", "unconfirmed"),
    [
        ("all well", {"status": "COMPLETE", "results": named(*EMAILS)}, {0, 1, 2}, set(), set()),
        ("attend without joinedAt and leftAt", {"status": "COMPLETE", "results": []}, set(), set(), {0, 1, 2}),
        ("interactionDateTime in seconds", {"status": "COMPLETE", "results": []}, set(), set(), {0, 1, 2}),
        ("an identical repeat", {"status": "COMPLETE", "results": []}, set(), set(), {0, 1, 2}),
        ("one forgotten", {"status": "COMPLETE", "results": named(EMAILS[0], EMAILS[2])}, {0, 2}, set(), {1}),
        (
            "leftAt before joinedAt",
            {"status": "COMPLETE", "results": named(EMAILS[0]), "numErrors": 1, "errors": [later(EMAILS[1])]},
            {0},
            {1},
            {2},
        ),
        ("all wrong", {"results": [], "errors": [later(email) for email in EMAILS]}, set(), {0, 1, 2}, set()),
    ],
)
def test_a_200_is_not_success(
    sent: str, body: object, delivered: set[int], rejected: set[int], unconfirmed: set[int]
) -> None:
    assert settled(body) == (delivered, rejected, unconfirmed), sent


@pytest.mark.parametrize(
    ("told", "body", "delivered"),
    [
        ("in any order", {"results": named(*reversed(EMAILS))}, {0, 1, 2}),
        ("in capitals", {"results": named("ADA@Example.COM")}, {0}),
        ("with spaces around it", {"results": named(" ada@example.com\n")}, {0}),
        ("twice", {"results": named(EMAILS[0], EMAILS[0])}, {0}),
        ("beside a stranger", {"results": named("eve@example.com", EMAILS[0])}, {0}),
        ("without a contact id", {"results": [{"email": EMAILS[0]}]}, {0}),
        ("without a status", {"results": named(EMAILS[0])}, {0}),
        ("by its contact id alone", {"results": [{"vid": 100}]}, set()),
        ("still pending", {"status": "PENDING", "results": []}, set()),
        ("still processing, one done", {"status": "PROCESSING", "results": named(EMAILS[1])}, {1}),
        ("null for everything", {"status": None, "results": None, "errors": None, "numErrors": None}, set()),
        ("null inside results", {"results": [None, {"email": None, "vid": None}, *named(EMAILS[0])]}, {0}),
        ("nothing at all", {}, set()),
        ("results that are no list", {"results": {"email": EMAILS[0]}}, set()),
        ("results of texts", {"results": list(EMAILS)}, set()),
        ("numErrors without errors", {"results": named(*EMAILS), "numErrors": 2}, {0, 1, 2}),
        ("errors that are no list", {"results": named(EMAILS[0]), "errors": "no"}, {0}),
    ],
)
def test_a_record_is_delivered_only_where_results_name_it(told: str, body: object, delivered: set[int]) -> None:
    assert settled(body) == (delivered, set(), {0, 1, 2} - delivered), told


def test_202_and_207_and_any_other_2xx_are_read_like_a_200() -> None:
    body = {"results": named(EMAILS[0]), "errors": [later(EMAILS[1])]}
    assert {status: settled(body, status) for status in (200, 201, 202, 207)} == dict.fromkeys(
        (200, 201, 202, 207), ({0}, {1}, {2})
    )


def test_a_contact_id_is_sent_as_text_and_named_as_a_number_of_more_than_53_bits() -> None:
    body = {"results": [{"vid": 9007199254740993}, {"vid": "7"}]}
    answer = read(body, contacts=VIDS, identity=Identity.VID)
    assert isinstance(answer, Settled)
    assert answer.delivered == {1: 9007199254740993, 2: 7}
    assert set(answer.unconfirmed) == {0}


@pytest.mark.parametrize("vid", [None, "", "x", -1, 1.5, True, 2**63, "٣", [], {}, "9" * 5000])
def test_a_contact_id_that_is_none_is_kept_as_unknown(vid: object) -> None:
    answer = read({"results": [{"email": EMAILS[0], "vid": vid}]})
    assert isinstance(answer, Settled)
    assert answer.delivered == {0: None}


def test_an_address_with_an_accent_is_known_in_both_of_its_spellings() -> None:
    contacts = ("jos\u00e9@example.com",)
    assert settled({"results": [{"email": "JOSE\u0301@example.com"}]}, contacts=contacts)[0] == {0}


# Whom an error names


@pytest.mark.parametrize(
    ("by", "error"),
    [
        ("back-ticks", {"message": "joinedAt param must be earlier than leftAt for `bob@example.com`"}),
        ("back-ticks, in capitals", {"message": "no contact `BOB@Example.com`"}),
        ("back-ticks, after another word in back-ticks", {"message": "`email` of `bob@example.com` is wrong"}),
        ("the sentence alone", {"message": "Contact 'bob@example.com' cannot be created."}),
        ("the sentence, at its end", {"message": "cannot create bob@example.com."}),
        ("context, a list", {"message": "no", "context": {"email": ["bob@example.com"]}}),
        ("context, a text", {"message": "no", "context": {"email": "bob@example.com"}}),
        ("context, a printed map", {"message": "no", "context": {"inputs": ["{emails=[bob@example.com]}"]}}),
        ("context, printed JSON", {"message": "no", "context": {"input": '{"email":"bob@example.com"}'}}),
        ("its id", {"id": "bob@example.com", "message": "no"}),
        ("a nested error's message", {"message": "no", "errors": [{"message": "`bob@example.com` is unknown"}]}),
        ("a nested error's context", {"message": "no", "errors": [{"context": {"email": ["bob@example.com"]}}]}),
    ],
)
def test_an_error_names_its_record_by(by: str, error: dict[str, object]) -> None:
    assert settled({"results": named(EMAILS[0]), "errors": [error]}) == ({0}, {1}, {2}), by


@pytest.mark.parametrize(
    ("by", "error", "rejected"),
    [
        ("back-ticks", {"message": "vid `51` does not exist"}, {0}),
        ("context, a list of texts", {"context": {"ids": ["51", "7"]}}, {0, 2}),
        ("context, a list of numbers", {"context": {"ids": [9007199254740993]}}, {1}),
        ("its id", {"id": 7}, {2}),
        ("a number in a sentence is no contact id", {"message": "at most 51 inputs in 7 seconds"}, set()),
        ("a number in a printed map neither", {"context": {"limit": ["{most=51}"]}}, set()),
    ],
)
def test_an_error_names_a_contact_id_by(by: str, error: dict[str, object], rejected: set[int]) -> None:
    unconfirmed = {0, 1, 2} - rejected
    told = settled({"errors": [error]}, contacts=VIDS, identity=Identity.VID)
    assert told == (set(), rejected, unconfirmed), by


def test_one_error_may_name_several_and_an_address_inside_a_longer_one_is_not_named() -> None:
    error = {"message": "no: ada@example.com and <cy@example.com>; ada@example.com.org, x-bob@example.com"}
    assert settled({"errors": [error]}) == (set(), {0, 2}, {1})


def test_where_an_error_quotes_a_contact_no_other_address_in_its_text_is_meant() -> None:
    error = {"message": f"`{EMAILS[0]}` was merged into {EMAILS[1]}"}
    assert settled({"errors": [error]}) == (set(), {0}, {1, 2})


def test_named_in_results_and_in_errors_is_rejected() -> None:
    assert settled({"results": named(*EMAILS), "errors": [later(EMAILS[1])]}) == ({0, 2}, {1}, set())


def test_the_first_error_about_a_record_is_kept() -> None:
    second = {"message": f"`{EMAILS[0]}` once more"}
    answer = read({"errors": [later(EMAILS[0]), second]})
    assert isinstance(answer, Settled)
    assert answer.rejected[0].message == f"joinedAt param must be earlier than leftAt for `{EMAILS[0]}`"


def test_an_error_that_names_nobody_is_said_of_those_that_are_named_nowhere() -> None:
    answer = read({"results": named(EMAILS[0]), "errors": [{"category": "INTERNAL", "message": "something broke"}]})
    assert isinstance(answer, Settled)
    assert set(answer.delivered) == {0}
    assert {index: one.message for index, one in answer.unconfirmed.items()} == dict.fromkeys((1, 2), "something broke")


def test_an_error_about_a_stranger_is_said_of_nobody_that_was_named() -> None:
    assert settled({"results": named(*EMAILS), "errors": [later("eve@example.com")]}) == ({0, 1, 2}, set(), set())


@pytest.mark.parametrize(
    ("error", "category", "code", "message"),
    [
        (
            later(EMAILS[0]),
            "VALIDATION_ERROR",
            "AttendanceValidationError.JOINED_AT_IS_LATER_THAN_LEFT_AT_FOR_EMAIL",
            f"joinedAt param must be earlier than leftAt for `{EMAILS[0]}`",
        ),
        ({"id": EMAILS[0], "subCategory": {"name": "X"}}, "HTTP", '{"name":"X"}', "HubSpot named no reason"),
        ({"id": EMAILS[0], "subCategory": None, "errorType": "E"}, "HTTP", "E", "HubSpot named no reason"),
        ({"id": EMAILS[0], "category": 5, "subCategory": [1], "message": {}}, "5", "", "HubSpot named no reason"),
    ],
)
def test_a_rejection_quotes_hubspot_whatever_is_missing(error: object, category: str, code: str, message: str) -> None:
    answer = read({"errors": [error]})
    assert isinstance(answer, Settled)
    assert answer.rejected[0] == Rejection(category, code, message, {})


# The other answers


@pytest.mark.parametrize(
    ("status", "body", "headers", "answer"),
    [
        (429, {"policyName": "TEN_SECONDLY_ROLLING"}, {}, Limited(daily=False, wait=None)),
        (429, {"policyName": "SECONDLY"}, {"Retry-After": "3"}, Limited(daily=False, wait=3)),
        (429, {"policyName": "DAILY"}, {}, Limited(daily=True, wait=None)),
        (429, {"policyName": "DAILY"}, {"Retry-After": "3600"}, Limited(daily=True, wait=3600)),
        (429, HTML, {}, Limited(daily=False, wait=None)),
        (429, None, {}, Limited(daily=False, wait=None)),
        (423, {}, {}, PortalUnavailable("HubSpot has locked the account for a moment (423)", 2)),
        (423, {}, {"Retry-After": "1"}, PortalUnavailable("HubSpot has locked the account for a moment (423)", 2)),
        (423, {}, {"Retry-After": "30"}, PortalUnavailable("HubSpot has locked the account for a moment (423)", 30)),
        (477, {}, {"Retry-After": "7200"}, PortalUnavailable("HubSpot is moving the account (477)", 7200)),
        (477, {}, {"Retry-After": "999999"}, PortalUnavailable("HubSpot is moving the account (477)", 86_400)),
        (477, HTML, {}, PortalUnavailable("HubSpot is moving the account (477)", 600)),
        *((status, HTML, {}, Ambiguous(f"HTTP {status}")) for status in (500, 502, 503, 504, 521, 522, 523, 524)),
        (503, {}, {"Retry-After": "20"}, Ambiguous("HTTP 503", 20)),
        (408, {}, {}, Ambiguous("HTTP 408")),
        (599, {}, {}, Ambiguous("HTTP 599")),
        (200, HTML, {}, Ambiguous("the answer is no JSON object")),
        (204, b"", {}, Ambiguous("the answer is no JSON object")),
        (200, b'{"results": [{"email": "ada@exa', {}, Ambiguous("the answer is no JSON object")),
        (200, [1], {}, Ambiguous("the answer is no JSON object")),
        (401, {"category": "EXPIRED_AUTHENTICATION", "message": "expired"}, {}, Unauthorized("expired")),
        (401, HTML, {}, Unauthorized("HTTP 401")),
        (403, {"category": "MISSING_SCOPES", "message": "no scope"}, {}, Unauthorized("no scope")),
        (404, {"category": "C", "message": "no event"}, {}, NotFound(Rejection("C", "", "no event"))),
        (400, {"category": "C", "message": "no"}, {}, RefusedWhole(Rejection("C", "", "no"))),
        (413, HTML, {}, RefusedWhole(Rejection("HTTP", "", "HTTP 413"))),
        (405, {}, {}, RefusedWhole(Rejection("HTTP", "", "HTTP 405"))),
        (301, b"", {}, Ambiguous("HTTP 301")),
        (101, b"", {}, Ambiguous("HTTP 101")),
    ],
)
def test_an_answer_means(status: int, body: object, headers: dict[str, str], answer: Answer) -> None:
    assert read(body, status, headers) == answer


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_refused_whole_tells_whom_it_names(status: int) -> None:
    answer = read({"category": "VALIDATION_ERROR", "message": f"`{EMAILS[1]}` is not a valid email"}, status)
    assert isinstance(answer, RefusedWhole)
    assert answer.named == {1}


def test_a_404_that_says_nothing_says_what_it_means() -> None:
    answer = read(HTML, 404)
    assert isinstance(answer, NotFound)
    assert answer.rejection.message == "HubSpot does not know this event, or it belongs to another app"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"message": f"Invalid input for `{EMAILS[1]}`"}, {1}),
        ({"message": "no", "errors": [{"message": "no", "context": {"email": [EMAILS[0], EMAILS[2]]}}]}, {0, 2}),
        ({"message": "Property values were not valid"}, set()),
        ({"message": "`eve@example.com` is nobody of ours"}, set()),
        (HTML, set()),
    ],
    ids=str,
)
def test_a_refusal_names_whom_it_names(body: object, named: set[int]) -> None:
    answer = read(body, 400)
    assert isinstance(answer, RefusedWhole)
    assert answer.named == named


@pytest.mark.parametrize(
    ("body", "hubspots"),
    [
        ({"status": "error", "message": "No event", "correlationId": "c-1", "category": "OBJECT_NOT_FOUND"}, True),
        ({"message": "resource not found", "correlationId": "c-1"}, True),
        ({"message": "no Route matched with those values"}, False),
        ([], False),
        (HTML, False),
        (b"", False),
    ],
    ids=str,
)
def test_a_404_is_hubspots_where_it_is_in_hubspots_words(body: object, hubspots: bool) -> None:  # noqa: FBT001
    answer = read(body, 404)
    assert isinstance(answer, NotFound)
    assert answer.hubspots is hubspots


def test_no_answer_is_ambiguous() -> None:
    assert read_answer(NoResponse("no whole answer in time", 30), Identity.EMAIL, EMAILS) == Ambiguous(
        "no whole answer in time"
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        (" 0.5 ", 0.5),
        ("86401", 86_400),
        ("0", None),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("", None),
        ("soon", None),
        ("Sun, 01 Mar 2026 10:00:30 GMT", 30),
        ("Sun, 01 Mar 2026 11:00:30 +0100", 30),
        ("Sun, 01 Mar 2026 09:00:00 GMT", None),
        ("Sun, 01 Mar 2026 10:00:30", None),
        ("Sun, 01 Mar 2026 10:00:30 +99999999999999999999", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_by_the_answers_own_clock(text: str, seconds: float | None) -> None:
    date = {"Date": "Sun, 01 Mar 2026 10:00:00 GMT"}
    assert read({}, 429, {"Retry-After": text, **date}) == Limited(daily=False, wait=seconds)


def test_a_retry_after_date_without_a_clock_says_nothing() -> None:
    limited = read({}, 429, {"Retry-After": "Sun, 01 Mar 2026 10:00:30 GMT"})
    assert limited == Limited(daily=False, wait=None)


# What cannot be kept


def storable(value: object) -> bool:
    """Say whether it goes into PostgreSQL as it is: as JSONB, and so as text."""
    text = orjson.dumps([[value]]).decode()  # raises for half a surrogate pair
    return "\\u0000" not in text.replace("\\\\", "")


@pytest.mark.parametrize("odd", [b"\\u0000", b"\\ud800", b"\xff", b"\xed\xa0\x80"])
def test_one_odd_character_makes_nothing_unreadable_and_nothing_unstorable(odd: bytes) -> None:
    body = (
        b'{"results": [{"email": "ada@example.com", "vid": 1}], "errors": [{"message": "`bob@example.com` %s",'
        b' "category": "%s", "subCategory": "%s", "context": {"%s": ["%s"]}}]}' % ((odd,) * 5)
    )
    answer = read(body)
    assert isinstance(answer, Settled)
    assert (set(answer.delivered), set(answer.rejected), set(answer.unconfirmed)) == ({0}, {1}, {2})
    error = answer.rejected[1]
    assert storable([error.category, error.code, error.message, error.context])
    assert storable(excerpt(response(body)))


@pytest.mark.parametrize(
    ("body", "context"),
    [
        ({"errors": [{"context": {"eventId": ["7"]}}]}, {"eventId": ["7"]}),
        ({"context": {}, "errors": [{"context": {"eventId": ["7"]}}]}, {"eventId": ["7"]}),
        ({"context": {"a": ["b"]}, "errors": [{"context": {"eventId": ["7"]}}]}, {"a": ["b"]}),
        ({"errors": [{"context": {"email": ["ada@example.com"]}}, {"context": {"email": ["bob@example.com"]}}]}, {}),
        ({"errors": [{"context": "odd"}]}, {}),
    ],
)
def test_the_context_of_the_only_error_within_a_refusal_is_kept(
    body: dict[str, object], context: dict[str, object]
) -> None:
    answer = read({"message": "no", **body}, 400)
    assert isinstance(answer, RefusedWhole)
    assert answer.rejection.context == context


@pytest.mark.parametrize(
    "context",
    [
        {"long": ["x" * 10_000]},
        {"deep": json.loads("[" * 300 + "]" * 300)},
        {"deep": json.loads("[" * 252 + "]" * 252)},
        {"number": 10**400},
        {f"key{number}": "value" for number in range(1000)},
    ],
    ids=["long", "too deep for orjson", "just not too deep", "a huge number", "many"],
)
def test_a_context_beyond_bounds_is_kept_as_its_beginning(context: object) -> None:
    answer = read({"message": "no", "context": context}, 400)
    assert isinstance(answer, RefusedWhole)
    kept = orjson.dumps([{"rows": [answer.rejection.context]}])
    assert len(kept) < 2_100 * 2


@pytest.mark.parametrize("depth", [200, 900, 1_020, 5_000])
def test_nesting_without_end_is_no_crash(depth: int) -> None:
    nest = b"[" * depth + b"]" * depth
    kinds = {200: Settled | Ambiguous, 400: RefusedWhole, 401: Unauthorized, 404: NotFound, 429: Limited}
    for where in (b"results", b"errors", b"category", b"message", b"correlationId", b"policyName", b"subCategory"):
        for status, kind in kinds.items():
            hard = response(b'{"%s": %s, "errors": [{"email": %s, "id": %s}]}' % (where, nest, nest, nest), status)
            answer = read_answer(hard, Identity.EMAIL, EMAILS)
            assert isinstance(answer, kind)
            assert not isinstance(answer, Settled) or answer.delivered == {}, "nothing in it is a record of ours"
            assert correlation_id(hard) == ""
            excerpt(hard)


@pytest.mark.parametrize("filling", [b"a", b"a ", b"`", b"@", b"a@b.c,", b"'.", b"` "])
def test_a_huge_message_is_read_in_no_time_and_kept_as_its_beginning(filling: bytes) -> None:
    message = filling * (400_000 // len(filling))
    body = b'{"errors": [{"message": "%s `bob@example.com`"}]}' % message
    answer = read(body)
    assert isinstance(answer, Settled)
    assert len(answer.unconfirmed) + len(answer.rejected) == 3
    assert all(len(one.message) <= 2_000 for one in (*answer.rejected.values(), *answer.unconfirmed.values()))
    assert len(excerpt(response(body))) <= 2_000


def test_an_excerpt_is_text_of_what_came() -> None:
    assert excerpt(response(HTML, 502)) == HTML.decode()
    assert excerpt(response(b"\xff\x00\xfe", 502)) == "\ufffd\ufffd\ufffd"
    assert excerpt(NoResponse("nothing could be sent: Connection refused", 1)) == (
        "nothing could be sent: Connection refused"
    )
    assert clean("a\x00b\ud800c") == "a\ufffdb\ufffdc"


@pytest.mark.parametrize(
    ("body", "headers", "known"),
    [
        ({"correlationId": "abc-1"}, {}, "abc-1"),
        ({}, {"x-hubspot-correlation-id": "abc-2"}, "abc-2"),
        ({"correlationId": None}, {"X-HubSpot-Correlation-Id": "abc-2"}, "abc-2"),
        (HTML, {}, ""),
        ({"correlationId": "x" * 5_000}, {}, "x" * 100),
        ({"correlationId": "a\x00"}, {}, "a\ufffd"),
    ],
)
def test_the_correlation_id_is_found(body: object, headers: dict[str, str], known: str) -> None:
    assert correlation_id(response(body, 400, headers)) == known


def test_no_response_has_no_correlation_id() -> None:
    assert correlation_id(NoResponse("", 0)) == ""


# Properties

TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from([*EMAILS, *VIDS, f"`{EMAILS[0]}`", f"no `{VIDS[0]}`", f"{{emails=[{EMAILS[1]}]}}", "\x00"]),
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
FIELDS = ("email", "vid", "id", "message", "category", "subCategory", "context", "errors", "status")
ENTRIES = st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=5)
ANSWERS = st.one_of(
    ANYTHING,
    st.fixed_dictionaries(
        {},
        optional={
            "status": ANYTHING,
            "results": st.lists(ENTRIES | ANYTHING, max_size=5) | ANYTHING,
            "errors": st.lists(ENTRIES | ANYTHING, max_size=5) | ANYTHING,
            "numErrors": ANYTHING,
            "message": ANYTHING,
            "context": ANYTHING,
            "subCategory": ANYTHING,
            "policyName": ANYTHING,
            "correlationId": ANYTHING,
        },
    ),
)
BODIES = st.one_of(ANSWERS.map(lambda value: json.dumps(value).encode()), st.binary(max_size=40))


@settings(deadline=None)
@given(
    body=BODIES,
    status=st.integers(100, 999) | st.sampled_from([200, 202, 207, 400, 401, 404, 423, 429, 477, 502]),
    after=st.none() | st.text(max_size=40) | st.floats().map(str),
    identity=st.sampled_from(Identity),
)
@example(b'{"errors": [{"context": {"a": {"b": 1}}}]}', 200, None, Identity.EMAIL)
@example(b"{}", 429, "Mon, 00 Jan 0000 00:00:00 +99999", Identity.EMAIL)
def test_whatever_hubspot_says_is_read_and_every_record_is_accounted_for_once(
    body: bytes, status: int, after: str | None, identity: Identity
) -> None:
    contacts = EMAILS if identity is Identity.EMAIL else VIDS
    headers = {} if after is None else {"Retry-After": after, "Date": "Sun, 01 Mar 2026 10:00:00 GMT"}
    came = response(body, status, headers)
    answer = read_answer(came, identity, contacts)
    assert storable([excerpt(came), correlation_id(came)])
    match answer:
        case Settled(delivered, rejected, unconfirmed):
            assert 200 <= status < 300
            assert sorted([*delivered, *rejected, *unconfirmed]) == [0, 1, 2]
            assert all(vid is None or 0 <= vid < 2**63 for vid in delivered.values())
            for one in (*rejected.values(), *unconfirmed.values()):
                assert storable([one.category, one.code, one.message, one.context])
        case RefusedWhole(one) | NotFound(one):
            assert 400 <= status < 500
            assert storable([one.category, one.code, one.message, one.context])
        case Unauthorized(because):
            assert storable(because)
        case Limited(wait=wait) | Ambiguous(wait=wait):
            assert wait is None or 0 < wait <= 86_400
        case PortalUnavailable(wait=wait):
            assert (2 if status == 423 else 0.0) <= wait <= 86_400


ADDRESSES = st.builds("{}@{}.com".format, st.text("abé'+.", min_size=1, max_size=4), st.text("xy", min_size=1))


@settings(deadline=None)
@given(st.dictionaries(ADDRESSES, st.sampled_from(["results", "errors", "neither"]), max_size=8), st.randoms())
def test_what_is_named_is_found_in_any_order_and_any_case(told: dict[str, str], random: Random) -> None:
    emails, how = list(told), list(told.values())
    results = [{"email": email.upper()} for email, one in zip(emails, how, strict=True) if one == "results"]
    errors = [
        {"message": "no", "context": {"email": [email.title()]}}
        for email, one in zip(emails, how, strict=True)
        if one == "errors"
    ]
    random.shuffle(results)
    random.shuffle(errors)
    delivered, rejected, unconfirmed = settled({"results": results, "errors": errors}, contacts=emails)
    assert delivered == {index for index, one in enumerate(how) if one == "results"}
    assert rejected == {index for index, one in enumerate(how) if one == "errors"}
    assert unconfirmed == {index for index, one in enumerate(how) if one == "neither"}
