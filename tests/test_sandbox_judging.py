import pytest
from hypothesis import given, strategies as st

from sandbox.address import ContactKind
from sandbox.judging import Dropped, Erroneous, Judgement, Kept, NamedOnly, State, Unacceptable, judge
from sandbox.options import Malformed
from tests.support.sandbox_calls import ATTENDED, MARCH, by_email, by_vid

ADA = "ada@example.com"
JOINED = "2026-03-01T10:00:00Z"


def without(item: dict[str, object], field: str) -> dict[str, object]:
    return {name: value for name, value in item.items() if name != field}


def lacks(field: str, model: str = "MarketingEventEmailSubscriber") -> Unacceptable:
    return Unacceptable(f"Invalid input JSON: Cannot build {model}, some of required attributes are not set [{field}]")


@pytest.mark.parametrize(
    ("said", "state", "item", "judgement"),
    [
        ("a registration", State.REGISTER, by_email(), Kept(ADA, MARCH, None)),
        ("a cancellation", State.CANCEL, by_email("ADA@Example.com"), Kept(ADA, MARCH, None)),
        ("a full attendance", State.ATTEND, by_email(**ATTENDED), Kept(ADA, MARCH, 2730)),
        (
            "instants with offsets",
            State.ATTEND,
            by_email(joinedAt="2026-03-01T11:00:00.5+01:00", leftAt="2026-03-01T10:00:02Z"),
            Kept(ADA, MARCH, 1),
        ),
        ("no joinedAt", State.ATTEND, by_email(leftAt=JOINED), Dropped()),
        ("no leftAt", State.ATTEND, by_email(joinedAt=JOINED), Dropped()),
        ("neither", State.ATTEND, by_email(), Dropped()),
        ("no instants", State.ATTEND, by_email(joinedAt="2026-03-01 10:00", leftAt="2026-03-01 11:00"), Dropped()),
        ("an impossible day", State.ATTEND, by_email(joinedAt="2026-02-30T10:00:00Z", leftAt=JOINED), Dropped()),
        (
            "a span of 999 ms",
            State.ATTEND,
            by_email(joinedAt=JOINED, leftAt="2026-03-01T10:00:00.999Z"),
            NamedOnly(ADA),
        ),
        (
            "a span of a second",
            State.ATTEND,
            by_email(joinedAt=JOINED, leftAt="2026-03-01T10:00:01Z"),
            Kept(ADA, MARCH, 1),
        ),
        (
            "no span",
            State.ATTEND,
            by_email(joinedAt=JOINED, leftAt=JOINED),
            Erroneous(
                "joinedAt param must be earlier than leftAt for `ada@example.com`",
                "AttendanceValidationError.JOINED_AT_IS_LATER_THAN_LEFT_AT_FOR_EMAIL",
            ),
        ),
        (
            "a negative span",
            State.ATTEND,
            by_email(joinedAt=JOINED, leftAt="2026-03-01T09:00:00Z"),
            Erroneous(
                "joinedAt param must be earlier than leftAt for `ada@example.com`",
                "AttendanceValidationError.JOINED_AT_IS_LATER_THAN_LEFT_AT_FOR_EMAIL",
            ),
        ),
        ("a time in seconds", State.REGISTER, by_email(at=MARCH // 1000), Dropped()),
        ("no time", State.REGISTER, without(by_email(), "interactionDateTime"), lacks("interactionDateTime")),
        ("null as time", State.REGISTER, by_email() | {"interactionDateTime": None}, lacks("interactionDateTime")),
        ("no properties", State.REGISTER, without(by_email(), "properties"), lacks("properties")),
        ("no contactProperties", State.REGISTER, without(by_email(), "contactProperties"), lacks("contactProperties")),
        ("no address", State.REGISTER, without(by_email(), "email"), lacks("email")),
    ],
)
def test_an_input_by_email_is_judged_as_seen_on_a_live_portal(
    said: str, state: State, item: dict[str, object], judgement: Judgement
) -> None:
    assert judge(item, state, ContactKind.EMAIL) == judgement, said


@pytest.mark.parametrize(
    ("state", "item", "judgement"),
    [
        (State.REGISTER, by_vid(), Kept("5000000001", MARCH, None)),
        (State.ATTEND, by_vid(**ATTENDED), Kept("5000000001", MARCH, 2730)),
        (State.ATTEND, by_vid(), Dropped()),
        (
            State.ATTEND,
            by_vid(joinedAt=JOINED, leftAt=JOINED),
            Erroneous(
                "joinedAt param must be earlier than leftAt for `5000000001`",
                "AttendanceValidationError.JOINED_AT_IS_LATER_THAN_LEFT_AT_FOR_VID",
            ),
        ),
        (State.REGISTER, without(by_vid(), "vid"), lacks("vid", "MarketingEventSubscriber")),
        (State.REGISTER, without(by_vid(), "properties"), lacks("properties", "MarketingEventSubscriber")),
    ],
)
def test_an_input_by_contact_id_is_judged_alike(state: State, item: dict[str, object], judgement: Judgement) -> None:
    assert judge(item, state, ContactKind.VID) == judgement


@pytest.mark.parametrize(
    "item",
    [
        "ada@example.com",
        None,
        by_email() | {"email": 7},
        by_email() | {"interactionDateTime": str(MARCH)},
        by_email() | {"interactionDateTime": float(MARCH)},
        by_email() | {"interactionDateTime": True},
        by_email() | {"interactionDateTime": 2**63},
        by_email() | {"properties": []},
        by_email() | {"properties": {"seats": 2}},
        by_email() | {"contactProperties": {"firstname": None}},
    ],
)
def test_a_value_of_another_type_spoils_the_request(item: object) -> None:
    assert isinstance(judge(item, State.REGISTER, ContactKind.EMAIL), Unacceptable)


@pytest.mark.parametrize("address", ["ada", "ada@", "@example.com", "ada@example", "a da@example.com", "", "a@b@c.de"])
def test_an_impossible_address_gets_what_the_option_says(address: str) -> None:
    item = by_email(address)
    refused = judge(item, State.REGISTER, ContactKind.EMAIL)
    assert isinstance(refused, Unacceptable)
    assert f"`{address}`" in refused.message
    assert isinstance(judge(item, State.REGISTER, ContactKind.EMAIL, Malformed.ERROR), Erroneous)
    assert judge(item, State.REGISTER, ContactKind.EMAIL, Malformed.DROP) == Dropped()


def test_a_contact_id_below_one_is_impossible_too() -> None:
    assert judge(by_vid(0), State.REGISTER, ContactKind.VID, Malformed.DROP) == Dropped()


VALUE: st.SearchStrategy[object] = st.sampled_from(
    [None, True, 0, -1, MARCH, 2**63, 1.5, "", "a@b", "12", [], {}, {"joinedAt": JOINED}, {"a": None}]
)
ODD = st.builds(
    lambda good, odd: good | odd,
    st.sampled_from([by_email(**ATTENDED), by_vid(**ATTENDED)]),
    st.dictionaries(
        st.sampled_from(["email", "vid", "interactionDateTime", "properties", "contactProperties"]), VALUE, max_size=3
    ),
)


@given(
    item=ODD | VALUE,
    state=st.sampled_from(State),
    by=st.sampled_from(ContactKind),
    malformed=st.sampled_from(Malformed),
)
def test_whatever_is_sent_is_judged(item: object, state: State, by: ContactKind, malformed: Malformed) -> None:
    judged = judge(item, state, by, malformed)
    assert isinstance(judged, Kept | NamedOnly | Dropped | Erroneous | Unacceptable)
    if isinstance(judged, Kept):
        assert judged.occurred_at >= 10**11
        assert (judged.seconds is not None) is (state is State.ATTEND)
        assert judged.seconds is None or judged.seconds >= 1
