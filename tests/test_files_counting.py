# ruff: noqa: E501 - the files are as wide as they are
"""Who of a file counts: its deciding columns, its sections, its hosts, whose address and whose id it is."""

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from models.words import State
from tests.support.file_readings import STAFF, read
from worker.files.columns import status_values
from worker.files.columns.status_values import Standing
from worker.files.lines import FileError
from worker.files.not_people import NO_ADDRESS
from worker.files.options import Options
from worker.files.questions import QuestionsError

REGISTER, ATTEND, CANCEL = State.REGISTER, State.ATTEND, State.CANCEL


COUNTED = {
    "Webex": (
        "Display Name,Role,Attendee Email,Join Time,Leave Time\nH,Host,h@,<T>,<L>\nC,Cohost,c@,<T>,<L>\nA,Attendee,a@,<T>,<L>\n",
        ATTEND, ["a attend"], {f"Role “Host” {STAFF}": 1, f"Role “Cohost” {STAFF}": 1},
    ),
    "Teams in German": (
        "Name,E-Mail,Beitrittszeit,Austrittszeit,Rolle\nO,o@,<T>,<L>,Organisator\nR,r@,<T>,<L>,Referent\nT,t@,<T>,<L>,Teilnehmer\n",
        ATTEND, ["t attend"], {f"Rolle “Organisator” {STAFF}": 1, f"Rolle “Referent” {STAFF}": 1},
    ),
    "Teams in French": (
        "Nom,Adresse e-mail,Heure d'arrivée,Heure de départ,Rôle\nO,o@,<T>,<L>,Organisateur\nP,p@,<T>,<L>,Présentateur\nT,t@,<T>,<L>,Participant\n",
        ATTEND, ["t attend"], {f"Rôle “Organisateur” {STAFF}": 1, f"Rôle “Présentateur” {STAFF}": 1},
    ),
    "Zoom with panelists only": (
        "Panelist Details,\nAttended,Email,Join Time,Leave Time\nYes,p@,<T>,<L>\nAttendee Details,\nAttended,Email,Join Time,Leave Time\nYes,a@,<T>,<L>\nNo,n@,--,--\n",
        ATTEND, ["a attend"], {f"section “Panelist Details” {STAFF}": 1, "did not attend": 1},
    ),
    "sections without a header of their own": (
        "Email,Join Time,Leave Time\nHosts,,\nh@,<T>,<L>\nAttendees,,\na@,<T>,<L>\n",
        ATTEND, ["a attend"], {f"section “Hosts” {STAFF}": 1},
    ),
    "sections with their numbers": (
        "Panelists,1\nEmail,Join Time,Leave Time\np@,<T>,<L>\nParticipants,1\nEmail,Join Time,Leave Time\na@,<T>,<L>\n",
        ATTEND, ["a attend"], {f"section “Panelists” {STAFF}": 1},
    ),
    "a section of cancellations": (
        "Registrants\nEmail,Registration Time\na@,<T>\nCancelled Registrants\nEmail,Registration Time\nc@,<T>\n",
        REGISTER, ["a register"], {"section “Cancelled Registrants” (cancelled)": 1},
    ),
    "one table under its name": ("Rail Day 2026\nEmail,Join Time,Leave Time\na@,<T>,<L>\n", ATTEND, ["a attend"], {}),
    "a yes or no for the host": (
        "Email,Join Time,Leave Time,Is Host\nh@,<T>,<L>,Yes\na@,<T>,<L>,No\n", ATTEND, ["a attend"], {f"Is Host “Yes” {STAFF}": 1},
    ),
    "the host's address in a column": (
        "Host Email,Email,Join Time,Leave Time\nh@,h@,<T>,<L>\nh@,a@,<T>,<L>\n", ATTEND, ["a attend"], {f"the address of the host {STAFF}": 1},
    ),
    "the host's name and address in a column": (
        "Host,Email,Join Time,Leave Time\nHolly (h@),h@,<T>,<L>\nHolly (h@),a@,<T>,<L>\n",
        ATTEND, ["a attend"], {f"Host “Holly (h@example.com)” {STAFF}": 1},
    ),
    "the organizer above the header": (
        "Organizer,Holly <h@>\n\nEmail,Join Time,Leave Time\nh@,<T>,<L>\na@,<T>,<L>\n", ATTEND, ["a attend"], {f"the address of the host {STAFF}": 1},
    ),
    "Cvent": (
        "Email Address,Invitee Status,Registration Date\na@,Accepted,<T>\nb@,Declined,<T>\nc@,No Response,<T>\nd@,Cancelled,<T>\ne@,Waitlisted,<T>\n",
        REGISTER, ["a register"],
        {"Invitee Status “Declined” (is not coming)": 1, "Invitee Status “No Response” (invited, not registered)": 1,
         "Invitee Status “Cancelled” (cancelled)": 1, "Invitee Status “Waitlisted” (not confirmed yet)": 1},
    ),
    "Outlook": (
        "Name,Email,Attendance,Response,Date\nO,o@,Meeting Organizer,None,<T>\nA,a@,Required Attendee,Accepted,<T>\nB,b@,Optional Attendee,Tentative,<T>\n",
        REGISTER, ["a register"], {f"Attendance “Meeting Organizer” {STAFF}": 1, "Response “Tentative” (not confirmed yet)": 1},
    ),
    "an answer to an invitation": (
        "Email,RSVP,Date\na@,Yes,<T>\nb@,No,<T>\nc@,Maybe,<T>\n", REGISTER, ["a register"], {"RSVP “No” (is not coming)": 1, "RSVP “Maybe” (not confirmed yet)": 1},
    ),
    "a status in Spanish": (
        "Correo electrónico,Estado de aprobación,Fecha de registro\na@,Aprobado,<T>\nb@,Denegado,<T>\nc@,Cancelado por el anfitrión,<T>\n",
        REGISTER, ["a register"], {"Estado de aprobación “Denegado” (not approved)": 1, "Estado de aprobación “Cancelado por el anfitrión” (cancelled)": 1},
    ),
    "the state that tools write just so": (
        "Email,State,Date\na@,Approved,<T>\nb@,Denied,<T>\n", REGISTER, ["a register"], {"State “Denied” (not approved)": 1},
    ),
    "a state of the country": ("Email,State,Date\na@,CA,<T>\nb@,NY,<T>\n", REGISTER, ["a register", "b register"], {}),
    "a status that names the state": (
        "Email,Status,Date\na@,Registered,<T>\nb@,Cancelled,<T>\nc@,Waitlisted,<T>\nd@,No-show,<T>\n",
        None, ["a register", "b cancel"], {"Status “Waitlisted” (not confirmed yet)": 1, "did not attend": 1},
    ),
    "registered is not attended": (
        "Email,Member Status,Join Time,Leave Time\na@,Attended,<T>,<L>\nb@,Registered,<T>,<L>\nc@,No Show,<T>,<L>\n",
        ATTEND, ["a attend"], {"Member Status “Registered” (registered only)": 1, "Member Status “No Show” (did not attend)": 1},
    ),
    "a registration that holds, of somebody who came": (
        "Email,Registration Status,Join Time,Leave Time\na@,Registered,<T>,<L>\nb@,Cancelled,<T>,<L>\n",
        ATTEND, ["a attend"], {"Registration Status “Cancelled” (cancelled)": 1},
    ),
    "checked in or not": (
        "Email,Check-in Time,Join Time,Leave Time\na@,<T>,<T>,<L>\nb@,,,\n", ATTEND, ["a attend"], {"did not attend": 1},
    ),
    "no show: yes": ("Email,No Show,Join Time,Leave Time\na@,No,<T>,<L>\nb@,Yes,<T>,<L>\n", ATTEND, ["a attend"], {"did not attend": 1}),
    "attended or not says nothing about registering": (
        "Email,Attended,Registration Time\na@,Yes,<T>\nb@,No,<T>\n", REGISTER, ["a register", "b register"], {},
    ),
    "a time of cancelling": (
        "Email,Registration Time,Cancelled At\na@,<T>,\nb@,<T>,<L>\n", REGISTER, ["a register"], {"Cancelled At holds a time (cancelled)": 1},
    ),
    "who has no time of cancelling did not cancel": (
        "Email,Date,Cancelled At\na@,<T>,\nb@,<T>,<L>\n", CANCEL, ["b cancel"], {"Cancelled At is empty (not cancelled)": 1},
    ),
    "registered: no": ("Email,Registered,Date\na@,Yes,<T>\nb@,No,<T>\n", REGISTER, ["a register"], {"Registered “No” (invited, not registered)": 1}),
    "a refund": ("Email,Payment Status,Order Date\na@,Paid,<T>\nb@,Refunded,<T>\n", REGISTER, ["a register"], {"Payment Status “Refunded” (cancelled)": 1}),
    "a speaker's ticket": (
        "Email,Ticket Type,Order Date\na@,General Admission,<T>\nb@,Speaker Pass,<T>\n", REGISTER, ["a register"], {f"Ticket Type “Speaker Pass” {STAFF}": 1},
    ),
    "two columns that decide": (
        "Email,Status,Status,Date\na@,approved,approved,<T>\nb@,approved,denied,<T>\n", REGISTER, ["a register"], {"Status#2 “denied” (not approved)": 1},
    ),
    "cancelled: yes or no": ("Email,Is Cancelled,Date\na@,No,<T>\nb@,Yes,<T>\n", REGISTER, ["a register"], {"Is Cancelled “Yes” (cancelled)": 1}),
    "an amount given back": ("Email,Refunded,Date\na@,No,<T>\nb@,10.00,<T>\nc@,0.00,<T>\n", REGISTER, ["a register", "c register"], {"Refunded “10.00” (cancelled)": 1}),
    "waitlisted: yes or no": ("Email,Waitlisted,Date\na@,,<T>\nb@,Yes,<T>\n", REGISTER, ["a register"], {"Waitlisted “Yes” (does not count)": 1}),
    "Luma": (
        "name,email,approval_status,checked_in_at,created_at\nA,a@,approved,,<T>\nB,b@,pending_approval,,<T>\nC,c@,declined,,<T>\n",
        REGISTER, ["a register"], {"approval_status “pending_approval” (not confirmed yet)": 1, "approval_status “declined” (is not coming)": 1},
    ),
    "Livestorm": (
        "Email,Role,Registration date,Attended\nt@,team_member,<T>,true\na@,participant,<T>,false\n", REGISTER, ["a register"], {f"Role “team_member” {STAFF}": 1},
    ),
    "Zoom in German": (
        "E-Mail,Anmeldezeit,Genehmigungsstatus\na@,<T>,genehmigt\nb@,<T>,vom Benutzer storniert\nc@,<T>,abgelehnt\n",
        REGISTER, ["a register"], {"Genehmigungsstatus “vom Benutzer storniert” (cancelled)": 1, "Genehmigungsstatus “abgelehnt” (not approved)": 1},
    ),
    "columns of other things": (
        "Email,Marital Status,Lead Status,Role,Date\na@,Single,Rejected,Engineer,<T>\n", REGISTER, ["a register"], {},
    ),
    "nothing is asked of a host": (
        "Host Email,Email,Approval Status,Join Time,Leave Time\nh@,h@,,<T>,<L>\nh@,a@,approved,<T>,<L>\n", ATTEND, ["a attend"],
        {f"the address of the host {STAFF}": 1},
    ),
    "a broken row of the hosts": (
        'Hosts\nEmail,Join Time,Leave Time\n"h@,<T>,<L>\nAttendees\nEmail,Join Time,Leave Time\na@,<T>,<L>\n', ATTEND, ["a attend"],
        {f"section “Hosts” {STAFF}": 1},
    ),
    "what says nothing about registering is not asked": ("Email,Attended,Date\na@,Yes,<T>\nb@,Partly,<T>\n", REGISTER, ["a register", "b register"], {}),
    "what was paid says nothing about a cancellation": ("Email,Cancellation Date,Payment Status\na@,<T>,Unpaid\n", CANCEL, ["a cancel"], {}),
    "an empty column": ("Email,Approval Status,Date\na@,,<T>\nb@,--,<T>\n", REGISTER, ["a register", "b register"], {}),
    "a room": ("Email,Join Time,Leave Time\nc_1@resource.calendar.google.com,<T>,<L>\n", ATTEND, [], {"the address of a room or a calendar": 1}),
    "JSON beside a status": (
        'json,status\n"{""email"":""a@"",""interactionDateTime"":1772359200000}",denied\n', REGISTER, [], {"status “denied” (not approved)": 1},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "state", "people", "left_out"), COUNTED.values(), ids=COUNTED)
def test_who_does_not_count_is_left_out_and_counted(
    text: str, state: State | None, people: list[str], left_out: dict[str, int]
) -> None:
    reading, counted, refused = read(text, state)
    assert (counted, dict(reading.facts.left_out), refused) == (people, left_out, [])
    assert reading.facts.take_in.keys() <= left_out.keys()


@pytest.mark.parametrize(
    ("text", "state", "option"),
    [
        ("Email,Status,Date\na@,approved,<T>\nb@,denied,<T>\n", REGISTER, '--map "Status=status(denied=keep)"'),
        ("Email,Status,Date\na@,approved,<T>\nb@,Cancelled,<T>\n", REGISTER, "--state cancel"),
        ("Email,Role,Join Time,Leave Time\na@,Host,<T>,<L>\n", ATTEND, "--include-hosts"),
    ],
)
def test_the_option_that_sends_them_too_does(text: str, state: State, option: str) -> None:
    reading, *_ = read(text, state)
    assert list(reading.facts.take_in.values()) == [option]
    said: dict[str, Any] = {"include_hosts": True}
    if option.startswith("--map"):
        said = {"mapping": [option.removeprefix('--map "').removesuffix('"')]}
    if option != "--state cancel":
        again, *_ = read(text, state, **said)
        assert (again.facts.left_out, again.facts.records) == ({}, reading.facts.rows)


QUESTIONS = {
    "a value that is not known, wherever it stands": (
        "Email,Member Status,Date\n" + "a@,Attended,<T>\n" * 150 + "b@,Walk-in,<T>\nc@,Walk-in,<T>\nd@,Comped,<T>\n", REGISTER,
        'column “Member Status” decides who counts, and has values that are not known here: “Walk-in” (2), “Comped” (1). Do these people count?\n  --map "Member Status=status(Walk-in=keep, Comped=keep)"',
    ),
    "an empty cell among others": ("Email,Approval Status,Date\na@,approved,<T>\nb@,,<T>\n", REGISTER, 'nothing (1). Do these people count?\n  --map "Approval Status=status(empty=keep)"'),
    "an empty cell among those left out": ("Email,Approval Status,Date\na@,denied,<T>\nb@,,<T>\n", REGISTER, "nothing (1)"),
    "an empty state among statuses": ("Email,State,Date\na@,Approved,<T>\nb@,,<T>\n", REGISTER, '--map "State=status(empty=keep)"'),
    "who has not paid": ("Email,Payment Status,Date\na@,Paid,<T>\nb@,Unpaid,<T>\n", REGISTER, "“Unpaid” (1)"),
    "a role among known ones": ("Email,Role,Date\na@,Attendee,<T>\nb@,Sponsor,<T>\n", REGISTER, '--map "Role=role(Sponsor=keep)"'),
    "a role in a report of who came": ("Email,Role,Join Time,Leave Time\na@,Koordinatorin,<T>,<L>\n", ATTEND, "“Koordinatorin” (1)"),
    "a status that names no state": ("Email,Status,Date\na@,Registered,<T>\nb@,Walk-in,<T>\n", None, "“Walk-in” (1)"),
    "attended partly": ("Email,Attended,Join Time,Leave Time\na@,Yes,<T>,<L>\nb@,Partly,<T>,<L>\n", ATTEND, '--map "Attended=attended(Partly=keep)"'),
    "a section of whom": (
        "Speakers\nEmail,Join Time,Leave Time\ns@,<T>,<L>\nBackstage\nEmail,Join Time,Leave Time\nb@,<T>,<L>\n", ATTEND,
        'section “Backstage” is the title of a part of the file (1 row). Do the people in it count?\n  --map "section=status(Backstage=keep)"',
    ),
    "one title twice": (
        "Email,Name,Email,Registration Time\nx@,A,a@,<T>\nx@,B,b@,<T>\n", REGISTER,
        "the columns “Email#1”, “Email#2” hold different values. Which is the attendee's address?",
    ),
    "two titles alike": ("Email,User Email,Order Date\nx@,a@,<T>\n", REGISTER, '--map "User Email=email"  the attendee'),
    "two times of joining": ("Email,Join Time,Join Time,Leave Time\na@,<T>,<L>,<L>\n", ATTEND, '--map "Join Time#2=joinedAt"  this one'),
    "two questions": ("Email,Status,Email,Date\nx@,Walk-in,a@,<T>\n", REGISTER, "the columns “Email#1”, “Email#2” hold different values"),
    "row numbers": ("Email,Record ID,Date\n,17,<T>\n", REGISTER, "column “Record ID” names people who have no e-mail address, and may be another tool's id (ids up to 17)"),
    "another tool's record ids": ("Email,Record ID,Zoho Owner,Date\n,90117123,x,<T>\n", REGISTER, '--map "Record ID=vid"     it is HubSpot\'s own record id'),
    "ids that are no numbers": ("Email,Record ID,Date\n,recAbc,<T>\n", REGISTER, "may be another tool's id (recAbc)"),
    "nobody but the buyer": ("Buyer Email,Order Date\nx@,<T>\n", REGISTER, "take it if it is their own, not a buyer's, a host's or a sign-in name"),
    "nothing but a sign-in name": ("UPN,Date\nx@,<T>\n", REGISTER, "take it if it is their own, not a buyer's, a host's or a sign-in name"),
    "nothing but another CRM's id": ("Contact ID,Date\n2018,<T>\n", REGISTER, "no column with an e-mail address of the attendee (“Contact ID”"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "state", "question"), QUESTIONS.values(), ids=QUESTIONS)
def test_what_cannot_be_known_stops_the_file_with_its_question(text: str, state: State | None, question: str) -> None:
    with pytest.raises(FileError) as error:
        read(text, state)
    assert question in str(error.value)


def test_another_tools_event_id_is_asked_about() -> None:
    with pytest.raises(
        FileError, match='--map "Event ID=event"  each row names its own: the column holds its external id in HubSpot'
    ):
        read("Email,Event ID,Date\na@,14,<T>\n", REGISTER, object_id=None, external_account="acme")


ANSWERS = {
    "keep": ("Email,Member Status,Date\na@,Walk-in,<T>\n", REGISTER, ["Member Status=status(Walk-in=keep)"], ["a register"]),
    "leave out": ("Email,Member Status,Date\na@,Walk-in,<T>\nb@,Attended,<T>\n", REGISTER, ["member status=status(walk in=leave out)"], ["b register"]),
    "a state": ("Email,Member Status,Join Time,Leave Time\na@,Comped,<T>,<L>\n", ATTEND, ["Member Status=status(Comped=attend)"], ["a attend"]),
    "another state": ("Email,Member Status,Join Time,Leave Time\na@,Comped,<T>,<L>\n", ATTEND, ["Member Status=status(Comped=register)"], []),
    "the rows' own states": ("Email,How,Date\na@,In,<T>\nb@,Out,<T>\n", None, ["How=status(In=register, Out=cancel)"], ["a register", "b cancel"]),
    "against what is known": ("Email,Status,Date\na@,Pending,<T>\n", REGISTER, ["Status=status(Pending=keep)"], ["a register"]),
    "an empty cell": ("Email,Status,Date\na@,,<T>\nb@,approved,<T>\n", REGISTER, ["Status=status(empty=keep)"], ["a register", "b register"]),
    "values with commas": ("Email;Status;Date\na@;Yes, by host;<T>\n", REGISTER, ["Status=status(Yes, by host=keep, No=leave out)"], ["a register"]),
    "ignored": ("Email,Member Status,Date\na@,Denied,<T>\n", REGISTER, ["Member Status=ignore"], ["a register"]),
    "a role": ("Email,Role,Date\na@,Guest,<T>\nb@,Sponsor,<T>\n", REGISTER, ["Role=role(Sponsor=leave out)"], ["a register"]),
    "any title": ("Email,Kommt,Date\na@,registered,<T>\nb@,declined,<T>\n", REGISTER, ["Kommt=status"], ["a register"]),
    "a section": ("Hosts\nEmail,Join Time,Leave Time\nh@,<T>,<L>\nBackstage\nEmail,Join Time,Leave Time\nb@,<T>,<L>\n", ATTEND, ["section=status(Backstage=keep)"], ["b attend"]),
    "the second of one title": ("Email,Name,Email,Date\nx@,A,a@,<T>\nx@,B,b@,<T>\n", REGISTER, ["Email#2=email"], ["a register", "b register"]),
    "a place": ("Email,Name,Email,Date\nx@,A,a@,<T>\nx@,B,b@,<T>\n", REGISTER, ["#3=email"], ["a register", "b register"]),
    "places alone, of a file of unknown titles": ("Wer;Wann\na@;<T>\n;<T>\nb@;<T>\n", REGISTER, ["#1=email", "#2=time"], ["a register", "b register"]),
    "a title with a number of its own": ("Email,Q #2,Date\na@,x,<T>\n", REGISTER, ["Q #2=ignore"], ["a register"]),
    "two addresses, one after the other": ("Email,UPN,Date\na@,x@,<T>\n,b@,<T>\n", REGISTER, ["Email=email", "UPN=email"], ["a register", "b register"]),
    "a title in the second table": ("Email,Date\na@,<T>\nEmail,Approval Status,Date\nb@,Odd,<T>\n", REGISTER, ["Approval Status=status(Odd=keep)"], ["a register", "b register"]),
    "another tool's id": ("Contact ID,Date\n2018,<T>\n", REGISTER, ["Contact ID=vid"], ["2018 register"]),
    "a record id": ("Email,Record ID,Date\n,17,<T>\n", REGISTER, ["Record ID=vid"], ["17 register"]),
}  # fmt: skip


TITLES_OF_PEOPLE = (
    "People who cancelled,,", "The following did not attend:", "Not coming,", "Dropouts", "Our team,,", "Please ignore the following",
    "Below: cancelled after 1 March", ",Cancelled,", "Cancelled,Cancelled,Cancelled", "Attendees,,\nNot coming,,", ",Not coming,\nName,Email,Registration Time", "They cannot come\n(3 of them)",
)  # fmt: skip


@pytest.mark.parametrize("gap", ["", "\n"], ids=["below", "apart"])
@pytest.mark.parametrize("title", TITLES_OF_PEOPLE)
def test_people_below_a_line_of_text_are_asked_about(title: str, gap: str) -> None:
    text = f"Name,Email,Registration Time\nAna,a@,<T>\n{gap}{title}\nBob,b@,<T>\n"
    with pytest.raises(QuestionsError, match="may say who stands in the table") as stopped:
        read(text, REGISTER)
    (question,) = stopped.value.questions
    keep, leave = (choice.arguments()[1] for choice in question.choices)
    assert read(text, REGISTER, mapping=[keep])[1] == ["a register", "b register"]
    reading, people, refused = read(text, REGISTER, mapping=[leave])
    assert people == ["a register"]
    assert sum(reading.facts.left_out.values()) + len(people) + len(refused) == reading.facts.rows


def test_lines_of_text_between_people_are_asked_about_at_once() -> None:
    with pytest.raises(QuestionsError) as stopped:
        read("Name,Email,Registration Time\nCy,,\nAna,a@,<T>\nDora,,\n,bob.example.com,\nBob,b@,<T>\n", REGISTER)
    (question,) = stopped.value.questions
    assert question.choices[0].option == '--map "section=status(Cy=keep, Dora=keep)"'


def test_a_line_below_a_section_that_is_left_out_ends_it_only_behind_its_people() -> None:
    text = "Name,Email,Registration Time\nAna,a@,<T>\n\nCancelled\n(3 people)\nBob,b@,<T>\n{}"
    assert read(text.format(""), REGISTER)[1] == ["a register"]
    with pytest.raises(QuestionsError, match="“Came back”"):
        read(text.format("Came back\nCy,c@,<T>\n"), REGISTER)


@pytest.mark.parametrize(
    "title",
    ["Not coming", "Speakers of the day", "Our speakers", "List of people who did not come", "Wer leider nicht kommt", "Dropouts, May"],
)  # fmt: skip
def test_a_line_above_the_table_that_may_name_who_does_not_count_is_asked_about(title: str) -> None:
    text = f'"{title}"\nName,Email,Registration Time\nBob,b@,<T>\n'
    with pytest.raises(QuestionsError, match="may say who stands in the table"):
        read(text, REGISTER)


@pytest.mark.parametrize(
    "title", ["Rail Day 2026", "Speaker Training 2026", "Speakers: Hana and Bob", "Meet the speakers"]
)
def test_a_line_above_the_table_that_tells_of_the_event_asks_nothing(title: str) -> None:
    assert read(f"{title}\nName,Email,Registration Time\nBob,b@,<T>\n", REGISTER)[1] == ["b register"]


@pytest.mark.parametrize(("text", "state", "mapping", "people"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_settles_it(text: str, state: State | None, mapping: list[str], people: list[str]) -> None:
    reading, counted, refused = read(text, state, mapping=mapping)
    assert counted == people
    assert len(counted) + len(refused) + sum(reading.facts.left_out.values()) == reading.facts.rows
    again = Options.read(state=state, object_id="7", mapping=mapping)
    assert [again.arguments()[index + 1] for index, word in enumerate(again.arguments()) if word == "--map"] == mapping


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ("Status=status(Walk-in)", "Walk-in says nothing of a value; expected each value with keep, leave out"),
        ("Status=status(A=keep, B=perhaps)", "B=perhaps says nothing of a value"),
        ("Email=email(A=keep)", "answers only behind status, role or attended"),
        ("Email#3=email", "the file has no column “Email#3=email”"),
        ("#9=email", "the file has no column “#9=email”"),
    ],
)
def test_an_answer_that_says_nothing_is_refused(mapping: str, said: str) -> None:
    with pytest.raises(FileError) as error:
        read("Email,Status,Date\na@,approved,<T>\n", REGISTER, mapping=[mapping])
    assert said in str(error.value)


WHOSE = {
    "the attendee's before the buyer's": ("Buyer Email,Email,Order Date\nx@,a@,<T>\nx@,,<T>\n", ["a register"]),
    "the attendee's before a plain one": ("Email,Attendee Email,Order Date\nx@,a@,<T>\nx@,,<T>\n", ["a register"]),
    "a plain one before the company's": ("Contact Email,Email,Order Date\nx@,a@,<T>\n", ["a register"]),
    "the meeting's columns before the participant's": (
        "Meeting ID,User Email,Duration (Minutes),User Email,Registration Time,Duration (Minutes)\n1,h@,60,a@,<T>,5\n1,h@,60,,<T>,5\n", ["a register"],
    ),
    "equal in every row": ("Email,Email,Order Date\na@,a@,<T>\nb@,B@,<T>\n", ["a register", "b register"]),
    "only one of them filled": ("Email,Email,Order Date\n,a@,<T>\n,b@,<T>\n", ["a register", "b register"]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "people"), WHOSE.values(), ids=WHOSE)
def test_an_address_is_the_attendees_and_never_filled_from_another_column(text: str, people: list[str]) -> None:
    reading, counted, refused = read(text, REGISTER)
    assert counted == people
    assert len(refused) + reading.facts.left_out.total() == reading.facts.rows - len(people)


def test_names_go_with_the_address_of_the_same_block() -> None:
    text = "First Name,Email,First Name,Email,Order Date\nBuyer,x@,Ada,a@,<T>\n"
    reading, counted, _ = read(text, REGISTER, mapping=["Email#2=email"])
    assert counted == ["a register"]
    assert reading.facts.sample["contactProperties"] == {"firstname": "Ada"}


def test_of_names_that_may_be_anybodys_none_is_taken() -> None:
    reading, *_ = read("First Name,First Name,Email,Order Date\nBuyer,Ada,a@,<T>\n", REGISTER)
    assert reading.facts.sample["contactProperties"] == {}
    assert reading.facts.unread == ["First Name"]


def test_a_sign_in_name_is_taken_where_it_is_mapped_but_a_guests_never() -> None:
    text = "UPN,Date\nbob@,<T>\nb_example.com#EXT#@,<T>\n"
    _, counted, refused = read(text, REGISTER, mapping=["UPN=email"])
    assert counted == ["bob register"]
    assert "is a guest's sign-in name at Microsoft, not an e-mail address" in refused[0]


VALUES = [word for group in status_values._WORDS.values() for word in group]  # noqa: SLF001 - the table itself
OUT = {
    REGISTER: {*Standing} - {Standing.REGISTERED, Standing.CONFIRMED, Standing.ATTENDED},
    ATTEND: {*Standing} - {Standing.ATTENDED, Standing.CONFIRMED},
    CANCEL: {*Standing} - {Standing.CANCELED},
}


@settings(deadline=None)
@given(
    st.sampled_from(["Status", "Member Status", "Attendee Status", "Participant Status", "Invitee status"]),
    st.lists(st.tuples(st.sampled_from(VALUES), st.sampled_from([str.upper, str.title, str])), min_size=1, max_size=30),
    st.sampled_from([*State]),
    st.integers(0, 4),
)
def test_nobody_whose_value_leaves_them_out_is_ever_sent(
    title: str, told: list[tuple[str, Any]], state: State, place: int
) -> None:
    header = ["Email", "Join Time", "Leave Time", "Date"]
    header.insert(place, title)
    lines = [",".join(header)]
    expected: set[str] = set()
    for number, (value, spelt) in enumerate(told):
        row = [f"p{number}@", "<T>", "<L>", "<T>"]
        row.insert(place, f'"{spelt(value)}"')
        lines.append(",".join(row))
        if status_values.standing_of(value) not in OUT[state]:
            expected.add(f"p{number} {state}")
    reading, people, refused = read("\n".join(lines), state)
    assert (set(people), refused) == (expected, [])
    assert len(people) + sum(reading.facts.left_out.values()) == len(told) == reading.facts.rows


def test_a_row_of_statuses_without_an_address_is_no_header() -> None:
    text = "Email,Status,A,B,Date\na@,Attended,x,y,<T>\n,Approved,Attended,Registered,\nb@,Attended,x,y,<T>\n"
    reading, people, refused = read(text, REGISTER)
    assert people == ["a register", "b register"]
    assert refused == []
    assert reading.facts.left_out == {NO_ADDRESS: 1}
