# ruff: noqa: E501 - the files are as wide as they are
"""Files that nobody had seen when the reader was written: each was accepted once without a word, and wrong."""

import pytest

from models.words import State
from tests.support.file_readings import STAFF, Said, read
from worker.files.columns.deciding_titles import DecidingKind
from worker.files.columns.known_titles import title_words
from worker.files.columns.rsvp_questions import asks_whether_coming
from worker.files.columns.who_counts import deciding
from worker.files.questions import QuestionsError

REGISTER, ATTEND, CANCEL = State.REGISTER, State.ATTEND, State.CANCEL
ANA_AND_BOB = "Email,{},Date\na@,{},<T>\nb@,{},<T>\n"

COUNTED = {
    "a form's question, a no": (ANA_AND_BOB.format("Can you come?", "Yes", "No"), REGISTER, ["a register"], {"Can you come? “No” (is not coming)": 1}),
    "a form's question in German": (ANA_AND_BOB.format("Kommst du?", "Ja", "Nein"), REGISTER, ["a register"], {"Kommst du? “Nein” (is not coming)": 1}),
    "a response of yes and no": (ANA_AND_BOB.format("Response", "Yes", "No"), REGISTER, ["a register"], {"Response “No” (is not coming)": 1}),
    "confirmed or not": (ANA_AND_BOB.format("Confirmed", "Yes", "No"), REGISTER, ["a register"], {"Confirmed “No” (not approved)": 1}),
    "accepted or not": (ANA_AND_BOB.format("Accepted", "TRUE", "FALSE"), REGISTER, ["a register"], {"Accepted “FALSE” (not approved)": 1}),
    "declined": (ANA_AND_BOB.format("Declined", "", "x"), REGISTER, ["a register"], {"Declined “x” (does not count)": 1}),
    "statuses under a title of its own": (
        "Email,Outcome,Date\na@,Attended,<T>\nb@,No Show,<T>\nc@,Cancelled,<T>\n",
        REGISTER, ["a register"], {"Outcome “No Show” (did not attend)": 1, "Outcome “Cancelled” (cancelled)": 1},
    ),
    "a calendar's answers": (
        "Email,PARTSTAT,Date\na@,ACCEPTED,<T>\nb@,DECLINED,<T>\nc@,NEEDS-ACTION,<T>\n",
        REGISTER, ["a register"], {"PARTSTAT “DECLINED” (is not coming)": 1, "PARTSTAT “NEEDS-ACTION” (invited, not registered)": 1},
    ),
    "a dinner is not the event": (ANA_AND_BOB.format("Dinner", "Attending", "Not attending"), REGISTER, ["a register", "b register"], {}),
    "a word too short for a status": (ANA_AND_BOB.format("Level", "New", "Paid"), REGISTER, ["a register", "b register"], {}),
    "one event, spelt twice": (ANA_AND_BOB.format("Event Name", "Spring Day", "SPRING-DAY"), REGISTER, ["a register", "b register"], {}),
    "active customers are no registrations": (ANA_AND_BOB.format("Plan", "Active", "Inactive"), REGISTER, ["a register", "b register"], {}),
    "who wants no more mail": (ANA_AND_BOB.format("Unsubscribed", "Yes", "No"), REGISTER, ["a register", "b register"], {}),
    "a ticket type that is none": (ANA_AND_BOB.format("Ticket Type", "Early bird", "Waitlist"), REGISTER, ["a register"], {"Ticket Type “Waitlist” (not confirmed yet)": 1}),
    "a type of attendee who did not come, registering": (ANA_AND_BOB.format("Attendee Type", "Live", "No Show"), REGISTER, ["a register", "b register"], {}),
    "the host, marked behind the name": (
        'Name,Email,Join Time,Leave Time\nHana (Host),h@,<T>,<L>\nPia [Presenter],p@,<T>,<L>\n"Ole (Co-host, me)",o@,<T>,<L>\nAna (Guest),a@,<T>,<L>\nBob (Acme),b@,<T>,<L>\n',
        ATTEND, ["a attend", "b attend"], {f"Name “(Host)” {STAFF}": 1, f"Name “[Presenter]” {STAFF}": 1, f"Name “(Co-host, me)” {STAFF}": 1},
    ),
    "the host, marked behind the last name": (
        "First Name,Last Name,Email,Join Time,Leave Time\nHana,Hall (Host),h@,<T>,<L>\nAna,Ash,a@,<T>,<L>\n",
        ATTEND, ["a attend"], {f"Last Name “(Host)” {STAFF}": 1},
    ),
    "the waiting room": (
        "Name,Email,Join Time,Leave Time,In Waiting Room\nAna,a@,<T>,<L>,No\nWalt,w@,<T>,<L>,Yes\n",
        ATTEND, ["a attend"], {"In Waiting Room “Yes” (does not count)": 1},
    ),
    "Webex's audience type, and a walk-in": (
        "Attendee Email,Join Time,Leave Time,Audience Type,Registered,Attended\nh@,<T>,<L>,Host,Yes,Yes\na@,<T>,<L>,Attendee,Yes,Yes\nw@,<T>,<L>,Attendee,No,Yes\n",
        ATTEND, ["a attend", "w attend"], {f"Audience Type “Host” {STAFF}": 1},
    ),
    "an attended column with its answers": (
        "Email,Attended (Y/N),Join Time,Leave Time\na@,Y,<T>,<L>\nb@,N,<T>,<L>\n", ATTEND, ["a attend"], {"did not attend": 1},
    ),
    "a hand-made tick": ("Email,Here,Join Time,Leave Time\na@,✓,<T>,<L>\nb@,✗,<T>,<L>\n", ATTEND, ["a attend"], {"did not attend": 1}),
    "the ticket's holder, not who bought it": (
        "Ticket Holder Email,Purchaser Email,Purchase Date\na@,boss@,<T>\n", REGISTER, ["a register"], {},
    ),
    "a title with a number sign": ("Email,#State,Date\na@,Approved,<T>\nb@,Denied,<T>\n", REGISTER, ["a register"], {"#State “Denied” (not approved)": 1}),
    "the second of two titles that may be something else": (
        "Email,State,State,Date\na@,CA,Approved,<T>\nb@,NY,Denied,<T>\n", REGISTER, ["a register"], {"State#2 “Denied” (not approved)": 1},
    ),
    "a column of statuses without a title": (
        "Email,,Date\na@,Attended,<T>\nb@,No Show,<T>\nc@,Cancelled,<T>\n", REGISTER, ["a register"],
        {"#2 “No Show” (did not attend)": 1, "#2 “Cancelled” (cancelled)": 1},
    ),
    "cancellations in a column without a title": (
        "Email,Date,\na@,<T>,Registered\nb@,<T>,Cancelled\n", CANCEL, ["b cancel"], {"#3 “Registered” (not cancelled)": 1},
    ),
    "words in a column without a title": ("Email,,Date\na@,needs a ramp,<T>\nb@,,<T>\n", REGISTER, ["a register", "b register"], {}),
    "who joined and left did not register": (
        "Email,User Action,Timestamp\na@,Joined,<T>\na@,Left,<L>\nb@,Joined before,<T>\n", REGISTER, [],
        {f"User Action “{text}” (a join or a leave)": 1 for text in ("Joined", "Left", "Joined before")},
    ),
    "who joined and stayed did not register": (
        "Email,User Action,Timestamp\na@,Joined,<T>\n", REGISTER, [], {"User Action “Joined” (a join or a leave)": 1},
    ),
    "who joined and left did not cancel": (
        "E-Mail,Aktion,Zeitstempel\na@,Beigetreten,<T>\na@,Verlassen,<L>\n", CANCEL, [],
        {"Aktion “Beigetreten” (a join or a leave)": 1, "Aktion “Verlassen” (a join or a leave)": 1},
    ),
    "joins and leaves under a type": (
        "Email,Type,Date\na@,Join,<T>\na@,Leave,<L>\n", REGISTER, [], {"Type “Join” (a join or a leave)": 1, "Type “Leave” (a join or a leave)": 1},
    ),
    "joins and leaves under any title": (
        "Email,What,Date\na@,entered,<T>\na@,exited,<L>\n", REGISTER, [], {"What “entered” (a join or a leave)": 1, "What “exited” (a join or a leave)": 1},
    ),
    "a dinner's waitlist": (ANA_AND_BOB.format("Dinner", "Standard", "Waitlist"), REGISTER, ["a register", "b register"], {}),
    "a list of what people wrote": (
        "Email,Comment,Date\n" + "".join(f"p{n}@,remark {n},<T>\n" for n in range(14)) + "a@,likes the show,<T>\n",
        REGISTER, [*(f"p{n} register" for n in range(14)), "a register"], {},
    ),
    "approved and not there": (
        "Email,approval_status,Join Time,Leave Time\na@,approved,<T>,<L>\nb@,approved,,\n",
        ATTEND, ["a attend"], {"approval_status “approved” (approved, and nothing says that they came)": 1},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "state", "people", "left_out"), COUNTED.values(), ids=COUNTED.keys())
def test_a_strangers_file_sends_those_who_count(
    text: str, state: State, people: list[str], left_out: dict[str, int]
) -> None:
    reading, sent, refused = read(text, state)
    assert (sorted(sent), dict(reading.facts.left_out), refused) == (sorted(people), left_out, [])


EVENTS = "Email,Event Name,Status,Date\na@,Spring,Registered,<T>\nb@,Autumn,Registered,<T>\nc@,Spring,Cancelled,<T>\nd@,Autumn,Cancelled,<T>\n"

ASKED = {
    "several events": (EVENTS.replace("d@,Autumn,Cancelled,<T>\n", ""), REGISTER, "column “Event Name” names several events: “Spring” (1), “Autumn” (1)"),
    "several webinars of one name": (
        "Email,Webinar Name,Webinar ID,Date\na@,Spring,11,<T>\nb@,Spring,12,<T>\n", REGISTER, "column “Webinar ID” names several events: “11” (1), “12” (1)",
    ),
    "several days": (
        "Email,Session Date,Registration Time\na@,2026-03-04,<T>\nb@,2026-03-11,<T>\n", REGISTER, "column “Session Date” names several events",
    ),
    "several meetings at one time": (
        "Topic,Email,Join Time,Leave Time\nSpring,a@,<T>,<L>\nOther,b@,<T>,<L>\n", ATTEND, "column “Topic” names several events",
    ),
    "who has not paid": (ANA_AND_BOB.format("Paid", "Yes", "No"), REGISTER, "column “Paid” decides who counts, and has values that are not known here: “No” (1)"),
    "an answer to a form's question": (ANA_AND_BOB.format("Will you join us on March 18th?", "Yes", "If I find a sitter"), REGISTER, "“If I find a sitter” (1)"),
    "an empty cell among statuses": (
        "Email,Outcome,Date\na@,Attended,<T>\nb@,Cancelled,<T>\nc@,,<T>\n", REGISTER, "column “Outcome” decides who counts, and has values that are not known here: nothing (1)",
    ),
    "an empty cell under a yes": (ANA_AND_BOB.format("Accepted", "x", ""), REGISTER, "column “Accepted” decides who counts, and has values that are not known here: nothing (1)"),
    "a tick that is missing beside times of joining": (
        "Email,Was there?,Join Time,Leave Time\na@,✓,<T>,<L>\nb@,,<T>,<L>\n", ATTEND, "column “Was there?” decides who counts, and has values that are not known here: nothing (1)",
    ),
    "a time of checking in that is missing": (
        "Email,Check-in Time,Join Time,Leave Time\na@,<T>,<T>,<L>\nb@,,<T>,<L>\n", ATTEND, '--map "Check-in Time=attended(empty=keep)"',
    ),
    "a cross that is missing": ("Email,Attended,Join Time,Leave Time\na@,no,<T>,<L>\nb@,,<T>,<L>\n", ATTEND, "nothing (1)"),
    "an attendance that is missing": ("Email,Attendance,Join Time,Leave Time\na@,Yes,<T>,<L>\nb@,,<T>,<L>\n", ATTEND, "nothing (1)"),
    "a waitlist under a title of something else": (
        ANA_AND_BOB.format("Record Type", "Standard", "Waitlist"), REGISTER,
        '--map "Record Type=status(Standard=keep, Waitlist=leave out)"  people of “Waitlist” are left out and counted',
    ),
    "a waitlist among statuses under such a title": (ANA_AND_BOB.format("Profile Status", "Registered", "Waitlisted"), REGISTER, "column “Profile Status” may say who counts"),
    "no-shows of a student": (ANA_AND_BOB.format("Student Group", "Seniors", "No-show"), ATTEND, "column “Student Group” may say who counts"),
    "a comment that says cancelled": (ANA_AND_BOB.format("Remark", "needs a ramp", "cancelled"), REGISTER, "column “Remark” may say who counts"),
    "a waitlist in German": (ANA_AND_BOB.format("Kontakt Art", "Standard", "Auf der Warteliste"), REGISTER, "column “Kontakt Art” may say who counts"),
    "a waitlist in a column without a title": ("Email,,Date\na@,,<T>\nb@,Waitlist (VIP),<T>\n", REGISTER, '--map "#2=status('),
    "ticks in a column without a title": ("Email,,Date\na@,✓,<T>\nb@,,<T>\n", ATTEND, '--map "#2=status(✓=keep, empty=leave out)"  people of nothing are left out'),
    "yes and no in a column without a title": ("Email,,Date\na@,yes,<T>\nb@,no,<T>\n", REGISTER, '--map "#2=status(yes=keep, no=leave out)"'),
    "an empty cell in a column without a title": ("Email,,Date\na@,Attended,<T>\nb@,No show,<T>\nc@,,<T>\n", REGISTER, '--map "#2=status(empty=keep)"'),
    "another tool's record id": ("Record Id,Email,Date\n415086800000038,,<T>\n", REGISTER, "may be another tool's id (415086800000038)"),
    "a guest's address, who may be a second person": (
        "Email,Guest Email,Date\na@,g@,<T>\nb@,,<T>\n", REGISTER, "the columns “Email”, “Guest Email” hold different values",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "state", "question"), ASKED.values(), ids=ASKED.keys())
def test_a_strangers_file_is_asked_about(text: str, state: State, question: str) -> None:
    with pytest.raises(QuestionsError) as stopped:
        read(text, state)
    assert question in str(stopped.value)
    asked = [one for one in stopped.value.questions if one.option != "--end"]  # which a list without leaves asks too
    assert all(choice.option.startswith("--map") for one in asked for choice in one.choices)


@pytest.mark.parametrize(
    ("answer", "people"),
    [
        ("Record Type=status(Standard=keep, Waitlist=leave out)", ["a register"]),
        ("Record Type=ignore", ["a register", "b register"]),
    ],
)
def test_the_answer_about_a_doubtful_column_is_kept(answer: str, people: list[str]) -> None:
    text = ANA_AND_BOB.format("Record Type", "Standard", "Waitlist")
    assert read(text, REGISTER, mapping=[answer])[1:] == (people, [])


@pytest.mark.parametrize("answer", ["#2=ignore", "#2=status(empty=keep)"])
def test_a_column_without_a_title_is_answered_for_by_its_place(answer: str) -> None:
    text = "Email,,Date\na@,Attended,<T>\nb@,No show,<T>\nc@,,<T>\n"
    people = ["a register", "c register"] if "empty" in answer else ["a register", "b register", "c register"]
    assert read(text, REGISTER, mapping=[answer])[1:] == (people, [])


SPRING = "Event Name=status(Spring=keep, Autumn=leave out)"


@pytest.mark.parametrize(
    ("answer", "state", "people"),
    [
        (SPRING, REGISTER, ["a register"]),
        (SPRING, CANCEL, ["c cancel"]),
        ("Event Name=ignore", REGISTER, ["a register", "b register"]),
        ("Event Name=ignore", CANCEL, ["c cancel", "d cancel"]),
    ],
)
def test_the_answer_about_several_events_is_kept(answer: str, state: State, people: list[str]) -> None:
    assert read(EVENTS, state, mapping=[answer])[1:] == (people, [])


def test_each_row_may_name_its_own_event() -> None:
    reading, people, refused = read(
        EVENTS, REGISTER, mapping=["Event Name=event"], object_id=None, external_account="acme"
    )
    assert (people, refused) == (["a register", "b register"], [])
    assert sorted(event for _, event, _ in reading.facts.groups) == ["acme/Autumn", "acme/Spring"]


def test_an_event_named_alike_in_every_row_or_anew_in_each_is_not_asked_about() -> None:
    rows = "".join(f"p{n}@,Spring,{n},<T>\n" for n in range(200))
    assert len(read(f"Email,Event Name,Event Code,Date\n{rows}", REGISTER)[1]) == 200


@pytest.mark.parametrize(
    ("title", "asks"),
    [
        ("Can you make it?", True),
        ("Are you coming to the webinar?", True),
        ("Do you plan to attend in person?", True),
        ("Will you be joining us on Thursday, 18 March?", True),
        ("Will you be there?", True),
        ("Will you join us for dinner?", False),
        ("Have you attended before?", False),
        ("How will you join?", False),
        ("Will you need parking?", False),
        ("Joined", False),
    ],
)
def test_a_forms_question_is_known(title: str, *, asks: bool) -> None:
    assert asks_whether_coming(title_words(title)) is asks
    assert not asks or deciding(title) == (DecidingKind.REPLY, True)


@pytest.mark.parametrize(
    ("text", "state", "reason"),
    [
        ("Email,Canceled\na@,true\n", CANCEL, "line 2, Canceled: says “true”, and not when"),
        ("Email,Registered\na@,Yes\n", REGISTER, "line 2, Registered: says “Yes”, and not when"),
        ("Email,Registration Time\na@,\n", REGISTER, "line 2, Registration Time: has no time"),
        (
            "Email,Join Time,Leave Time\na@,<T>,\n",
            ATTEND,
            "line 2, Leave Time: does not say when they left, or how long they stayed",
        ),
    ],
)
def test_a_missing_time_is_said_in_words(text: str, state: State, reason: str) -> None:
    _, people, (refused,) = read(text, state)
    assert not people
    assert refused.startswith(reason)
    assert "milliseconds" not in refused
    assert "--map" in refused


LEAVING_TITLES = (
    "Cancellation", "Withdrawn", "Declined", "Deleted", "Removed", "Refunded", "Abgesagt", "Annulé", "Cancelado", "Annullato",
    "Geannuleerd", "Unregistered At", "Unregister Date", "Unregistration time", "Withdrawn on", "Declined at", "Removed at",
    "Cancelled by", "Cancellation reason", "Storno", "Abmeldung", "Abgesagt am", "Cancelado em", "Date of withdrawal", "Fecha de anulado",
)  # fmt: skip


@pytest.mark.parametrize("value", ["2026-03-05 09:00", "5 Mar 2026", "Yes", "cancelled"])
@pytest.mark.parametrize("title", LEAVING_TITLES)
def test_what_stands_under_a_title_of_leaving_leaves_out(title: str, value: str) -> None:
    reading, people, refused = read(f"Email,Registration Time,{title}\na@,<T>,\nb@,<T>,{value}\n", REGISTER)
    assert (people, refused, len(reading.facts.left_out)) == (["a register"], [], 1)


@pytest.mark.parametrize("title", ["Cancellation", "Cancelled by", "Declined on", "Removed", "Storno"])
def test_a_text_of_its_own_under_a_title_of_leaving_is_asked_about(title: str) -> None:
    with pytest.raises(QuestionsError, match=f"column “{title}”"):
        read(f"Email,Registration Time,{title}\na@,<T>,\nb@,<T>,Ole Olsen\n", REGISTER)


@pytest.mark.parametrize(
    ("title", "value"),
    [("Ended at", "2026-03-05 09:00"), ("Expired", "2026-03-05"), ("Storno", "0.00"), ("Cancellation", "n/a"), ("Removed", "null"), ("Confirmed at", "<T>")],
)  # fmt: skip
def test_what_says_nothing_of_leaving_keeps_everybody(title: str, value: str) -> None:
    assert read(f"Email,Registration Time,{title}\na@,<T>,{value}\nb@,<T>,{value}\n", REGISTER)[1] == [
        "a register",
        "b register",
    ]


YES_AND_NO = (
    "Are you in?", "Count me in", "Sehen wir uns?", "Dabei?", "Still coming?", "Kommt noch?", "Participation", "Teilnahme", "Yes/No", "Y/N",
    "Join live?", "Would you be so kind to tell us whether we are going to see you on this wonderful occasion?",
)  # fmt: skip


@pytest.mark.parametrize(("yes", "no"), [("Yes", "No"), ("Ja, gern", "Nein, leider nicht"), ("1", "0")])
@pytest.mark.parametrize("title", YES_AND_NO)
def test_an_unknown_column_of_yes_and_no_is_asked_about(title: str, yes: str, no: str) -> None:
    text = ANA_AND_BOB.format(title, f'"{yes}"', f'"{no}"')
    with pytest.raises(QuestionsError) as stopped:
        read(text, REGISTER)
    (question,) = stopped.value.questions
    leave, ignore = (choice.arguments()[1] for choice in question.choices)
    assert (leave, read(text, REGISTER, mapping=[leave])[1]) == (
        f"{title}=status({yes}=keep, {no}=leave out)",
        ["a register"],
    )
    assert read(text, REGISTER, mapping=[ignore])[1] == ["a register", "b register"]


@pytest.mark.parametrize("title", ["Newsletter", "Guest", "Unsubscribed", "I agree to the terms", "Recording Consent"])
def test_yes_and_no_beside_whether_somebody_comes_ask_nothing(title: str) -> None:
    assert read(ANA_AND_BOB.format(title, "Yes", "No"), REGISTER)[1] == ["a register", "b register"]


@pytest.mark.parametrize(
    ("title", "ana", "bob"),
    [
        ("2026-03-01", "x", ""), ("13 March", "yes", "no"), ("Session 1", "attended", ""), ("Joined Live", "Yes", "No"),
        ("Live", "Yes", "No"), ("Opened", "x", ""), ("Clicked", "✓", "✗"),
    ],
)  # fmt: skip
def test_ticks_are_asked_about_before_a_start_stands_for_having_come(title: str, ana: str, bob: str) -> None:
    text = f"Name,Email,{title}\nAna,a@,{ana}\nBob,b@,{bob}\n"
    said: Said = {"start": "2026-03-01T10:00", "end": "2026-03-01T11:00"}
    with pytest.raises(QuestionsError, match=f"column “{title}” may say who counts") as stopped:
        read(text, ATTEND, **said)
    (question,) = stopped.value.questions
    assert read(text, ATTEND, **said | {"mapping": [question.choices[0].arguments()[1]]})[1] == ["a attend"]


REMARKS = (
    "can't make it after all",
    "kommt nicht",
    "will not attend",
    "please remove",
    "sick - not coming",
    "cancelled by phone",
    "komt niet",
    "ne peut pas venir",
)


@pytest.mark.parametrize("remark", REMARKS)
@pytest.mark.parametrize(("title", "name"), [("Remarks", "Remarks"), ("Notes for us", "Notes for us"), ("", "#2")])
def test_a_remark_that_somebody_does_not_come_is_asked_about_among_many(title: str, name: str, remark: str) -> None:
    others = "".join(f"p{number}@,sits in row {number},<T>\n" for number in range(20))
    text = f"Email,{title},Date\n{others}b@,{remark},<T>\n"
    with pytest.raises(QuestionsError) as stopped:
        read(text, REGISTER)
    (question,) = stopped.value.questions
    answer = question.choices[0].arguments()[1]
    assert answer == f"{name}=status({remark}=leave out, *=keep)"
    reading, people, _ = read(text, REGISTER, mapping=[answer])
    assert (len(people), sum(reading.facts.left_out.values())) == (20, 1)


@pytest.mark.parametrize(
    ("title", "value"), [("Attendance Type", "On-demand"), ("Watched", "Recording"), ("Location", "Waiting room")]
)
def test_who_was_not_there_while_it_was_on_is_asked_about(title: str, value: str) -> None:
    with pytest.raises(QuestionsError, match=f"column “{title}” may say who counts"):
        read(f"Email,Join Time,Leave Time,{title}\na@,<T>,<L>,Live\nb@,<T>,<L>,{value}\n", ATTEND)


@pytest.mark.parametrize(
    "name",
    [
        "CANCELLED Bob",
        "Bob - cancelled",
        "Bob (cancelled 3/12)",
        "Bob (has cancelled)",
        "Bob (cancelled)",
        "Storniert: Bob",
    ],
)
@pytest.mark.parametrize("title", ["Name", "who", "Person", "Contact", "Guest name", "Kontakt", "Last Name"])
def test_a_name_that_says_they_cancelled_is_left_out(title: str, name: str) -> None:
    reading, people, _ = read(f"{title},Email,Date\nAna,a@,<T>\n{name},b@,<T>\n", REGISTER)
    (why,) = reading.facts.left_out
    assert (people, "(cancelled)" in why) == (["a register"], True)
    assert read(f"{title},Email,Date\n{name},b@,<T>\n", CANCEL)[1] == ["b cancel"]


HOSTS = (
    "Hana - Host",
    "Host: Hana",
    "Hana (host) (she/her)",
    "Hana (Organizer) - Acme",
    "Hana | Speaker",
    "Hana\uff08主持人\uff09",
    "Speaker – Hana",
)


@pytest.mark.parametrize("name", HOSTS)
def test_a_name_that_says_they_are_the_host_is_left_out(name: str) -> None:
    text = f"Name,Email,Join Time,Leave Time\n{name},h@,<T>,<L>\nAna,a@,<T>,<L>\n"
    reading, people, _ = read(text, ATTEND)
    (why,) = reading.facts.left_out
    assert (people, STAFF in why) == (["a attend"], True)
    assert sorted(read(text, ATTEND, include_hosts=True)[1]) == ["a attend", "h attend"]


@pytest.mark.parametrize(
    "name", ['"Host, Hana (Acme)"', "Bob Speaker", "Ana - Acme", '"Cancel, Cal"', "Bob (Acme)", "Ana: she/her"]
)
def test_a_mere_name_leaves_nobody_out(name: str) -> None:
    assert read(f"Name,Email,Date\n{name},a@,<T>\nBob,b@,<T>\n", REGISTER)[1] == ["a register", "b register"]


@pytest.mark.parametrize(
    ("text", "option", "left_out"),
    [
        ("Ticket Type,Email,Date\nSpeaker,s@,<T>\n,a@,<T>\n", "Ticket Type=role(empty={})", []),
        ("Event Role,Email,Date\nAttendee,b@,<T>\n,b@,<T>\nSpeaker,s@,<T>\n,a@,<T>\n", "Event Role=role(empty={})", ["b register"]),
        ("Payment Status,Email,Date\nPaid,b@,<T>\nRefunded,s@,<T>\n,a@,<T>\n", "Payment Status=status(empty={})", ["b register"]),
    ],
)  # fmt: skip
def test_empty_cells_below_one_that_leaves_out_are_asked_about(text: str, option: str, left_out: list[str]) -> None:
    with pytest.raises(QuestionsError) as stopped:
        read(text, REGISTER)
    (question,) = stopped.value.questions
    assert question.choices[0].arguments()[1] == option.format("keep")
    assert "a register" in read(text, REGISTER, mapping=[option.format("keep")])[1]
    assert sorted({*read(text, REGISTER, mapping=[option.format("leave out")])[1]}) == left_out


def test_where_only_the_host_is_marked_an_empty_cell_asks_nothing() -> None:
    assert read("Event Role,Email,Date\nHost,s@,<T>\n,a@,<T>\n", REGISTER)[1] == ["a register"]


@pytest.mark.parametrize(
    ("values", "proposed"),
    [
        (("Yes", "No, sorry"), "RSVP=status(No, sorry=leave out)"),
        (("Yes", "Leider nicht dabei", "Gladly"), "RSVP=status(Leider nicht dabei=leave out, Gladly=keep)"),
        (("Yes", "Gladly"), "RSVP=status(Gladly=keep)"),
    ],
)
def test_the_proposal_leaves_out_who_may_have_said_no(values: tuple[str, ...], proposed: str) -> None:
    rows = "".join(f'p@,"{value}",<T>\n' for value in values)
    with pytest.raises(QuestionsError) as stopped:
        read(f"Email,RSVP,Date\n{rows}", REGISTER)
    (question,) = stopped.value.questions
    assert question.choices[0].arguments()[1] == proposed


def test_a_status_that_names_no_state_is_none() -> None:
    text = "Email,Status,Date\na@,confirmed,<T>\nb@,canceled,<T>\n"
    with pytest.raises(QuestionsError) as stopped:
        read(text, None)
    assert [question.option for question in stopped.value.questions] == ["--state"]
    assert read(text, REGISTER)[1:] == (["a register"], [])


def test_who_did_not_come_is_left_out_for_that() -> None:
    text = "Email,User Status,Attended Live,Join Time,Leave Time\na@,Active,Yes,<T>,<L>\nb@,Active,No,,\n"
    reading, people, _ = read(text, ATTEND)
    assert (people, dict(reading.facts.left_out)) == (["a attend"], {"did not attend": 1})


def test_cancellations_of_a_report_without_their_times_ask_which_time_stands_for_them() -> None:
    text = "First Name,Email,Registration Time,Approval Status\nAna,a@,<T>,approved\nBob,b@,<T>,cancelled\n"
    reading, people, _ = read(text, REGISTER)
    assert (people, [*reading.facts.take_in.values()]) == (["a register"], ["--state cancel"])
    with pytest.raises(QuestionsError) as stopped:
        read(text, CANCEL)
    (question,) = stopped.value.questions
    (answer,) = (choice.arguments()[1] for choice in question.choices)
    assert (answer, read(text, CANCEL, mapping=[answer])[1]) == ("Registration Time=time", ["b cancel"])


LOG = "Email,{},Date\n{}"
IN, OUT, AGAIN = (
    "A@,Registered,2026-03-01 10:00\n",
    "a@,Cancelled,2026-03-02 10:00\n",
    "a@,Registered,2026-03-03 10:00\n",
)


@pytest.mark.parametrize("title", ["Status", "Action", "Outcome"])
@pytest.mark.parametrize(
    ("rows", "state", "people"),
    [
        (IN + OUT, REGISTER, []), (OUT + IN, REGISTER, []), (IN + OUT + AGAIN, REGISTER, ["a register"]), (OUT + AGAIN, CANCEL, []),
        (AGAIN + OUT, CANCEL, []), (IN + OUT, CANCEL, ["a cancel"]), (OUT + IN + "b@,Registered,<T>\n", CANCEL, ["a cancel"]),
    ],
)  # fmt: skip
def test_of_a_log_the_last_row_of_a_person_counts(title: str, rows: str, state: State, people: list[str]) -> None:
    reading, found, refused = read(LOG.format(title, rows), state)
    assert (found, refused) == (people, [])
    assert sum(reading.facts.left_out.values()) + len(people) == reading.facts.rows


def test_rows_of_a_log_of_which_none_is_later_are_refused() -> None:
    _, people, refused = read(
        LOG.format("Status", "b@,Registered,<T>\na@,Registered,<T>\na@,Cancelled,<T>\n"), REGISTER
    )
    assert people == ["b register"]
    assert ["line 3: says otherwise of the same person than line 4" in reason for reason in refused] == [True]


def test_a_registration_that_was_cancelled_undoes_no_other() -> None:
    text = "Email,Registration Time,Status\na@,2026-03-01 10:00,Registered\na@,2026-03-02 10:00,Cancelled\n"
    assert read(text, REGISTER)[1:] == (["a register"], [])
