# ruff: noqa: E501 - headers are as long as the tools make them
import pytest

from models.words import State
from worker.files.columns.header import check_mapping, recognise
from worker.files.columns.known_titles import PROPERTIES, TITLES, WEAK, Field
from worker.files.lines import FileError
from worker.files.options import Options

ZOOM = "Attended,User Name (Original Name),First Name,Last Name,Email,Registration Time,Join Time,Leave Time,Time in Session (minutes),Is Guest"
HEADERS = {
    "Zoom attendees": (ZOOM, State.ATTEND),
    "Zoom registrations": (
        "First Name,Last Name,Email,Organization,Job Title,Registration Time,Approval Status",
        State.REGISTER,
    ),
    "Zoom meeting": ("Name (Original Name),User Email,Join Time,Leave Time,Duration (Minutes),Guest", State.ATTEND),
    "GoToWebinar": (
        "Attended,Interest Rating,Last Name,First Name,Email Address,Registration Date/Time,Join Time,Leave Time,Time in Session (minutes)",
        State.ATTEND,
    ),
    "Teams": ("Name,First join,Last leave,In-meeting duration,Email,Participant ID (UPN),Role", State.ATTEND),
    "Teams activities": ("Name,Join time,Leave time,Duration,Email,Role", State.ATTEND),
    "Webex": (
        "Meeting Name,Display Name,First Name,Last Name,Role,Attendee Email,Join Time,Leave Time,Attendance Duration",
        State.ATTEND,
    ),
    "Zoom, French": (
        "Nom (nom original),Adresse e-mail de l’utilisateur,Heure d’arrivée,Heure de départ,Durée (minutes),Invité",
        State.ATTEND,
    ),
    "Teams, Polish": (
        "Imię i nazwisko,Pierwsze dołączenie,Ostatnie wyjście,Czas udziału w spotkaniu,Adres e-mail,Identyfikator uczestnika (UPN),Rola",
        State.ATTEND,
    ),
    "Google Meet": ("First name,Last name,Email,Duration,Time joined,Time exited", State.ATTEND),
    "Eventbrite": ("Order no.,Order Date,First Name,Last Name,Email,Quantity,Ticket Type,Job Title", State.REGISTER),
    "Livestorm": ("Email,First name,Last name,Registration date,Attended,Attendance duration", State.REGISTER),
    "ON24": ("First Name,Last Name,Email Address,Company,Registration Date,Live Minutes", State.REGISTER),
    "German": ("E-Mail-Adresse,Vorname,Nachname,Firma,Beitrittszeit,Austrittszeit,Dauer (Minuten)", State.ATTEND),
    "French": ("Adresse e-mail,Prénom,Nom,Société,Heure d'arrivée,Heure de départ,Durée", State.ATTEND),
    "Spanish": ("Correo electrónico,Nombre,Apellidos,Empresa,Fecha de inscripción", State.REGISTER),
    "cancellations": ("email,cancelled at", State.CANCEL),
    "our own": ("email,interactionDateTime,joinedAt,leftAt", State.ATTEND),
}


@pytest.mark.parametrize(("header", "state"), HEADERS.values(), ids=HEADERS)
def test_the_usual_headers_are_recognised(header: str, state: State) -> None:
    columns = recognise(header.split(","), Options(state=state))
    assert columns.missing(state) is None
    assert Field.EMAIL in columns.fields


def test_columns_become_contact_properties_by_hubspots_names_and_the_rest_is_named() -> None:
    columns = recognise(["E-Mail", "Vorname", "Firma", "Tischwunsch", ""], Options())
    assert columns.properties == {"firstname": (1,), "company": (2,)}
    assert columns.unread == ("Tischwunsch",)


@pytest.mark.parametrize(
    ("header", "state", "said"),
    [
        ("Name,Join Time", State.ATTEND, "no column with an e-mail address"),
        ("Email,Registration Time", State.ATTEND, "no column that says when they joined"),
        ("Email,Start Time,End Time", State.ATTEND, "no column that says when they joined"),
        ("Email,Join Time", State.REGISTER, "no column that says when they registered"),
        ("Email,Join Time", State.CANCEL, "no column that says when they cancelled"),
        ("Email,Name", None, "no column that says when anything happened"),
    ],
)
def test_what_a_header_lacks_is_said(header: str, state: State | None, said: str) -> None:
    assert recognise(header.split(","), Options(state=state)).missing(state) == said


def test_a_mapped_column_wins_over_a_recognised_one() -> None:
    options = Options(mapping=(("Private mail", "email"), ("Start", "time"), ("Size", "contactProperties.team_size")))
    columns = recognise(["Email", "private-mail", "Start", "Size"], options)
    assert columns.fields[Field.EMAIL] == (1,)  # an empty cell is never filled with somebody else's address
    assert columns.unread == ("Email",)
    assert columns.fields[Field.TIME] == (2,)
    assert columns.properties == {"team_size": (3,)}


def test_a_column_can_be_mapped_away() -> None:
    columns = recognise(["Email", "Phone", "Date"], Options(mapping=(("Phone", "ignore"), ("Date", ""))))
    assert columns.properties == {}
    assert Field.DATE not in columns.fields
    assert columns.unread == ()


def test_a_mapping_to_nothing_known_says_what_is() -> None:
    with pytest.raises(FileError, match="shoesize is nothing that a column can hold; expected one of email, vid"):
        recognise(["Email"], Options(mapping=(("Email", "shoesize"),)))


def test_a_mapping_of_a_column_that_is_not_there_says_which_are() -> None:
    options = Options(mapping=(("Mail", "email"),))
    with pytest.raises(FileError, match="has no column “Mail=email”; expected one of E-Post, Datum"):
        check_mapping(recognise(["E-Post", "Datum"], options), options)


def test_a_title_of_many_meanings_is_read_only_where_no_option_says_it() -> None:
    assert recognise(["Email", "State"], Options()).fields[Field.STATE] == (1,)
    assert recognise(["Email", "State"], Options(state=State.ATTEND)).unread == ("State",)


@pytest.mark.parametrize(
    ("title", "field"),
    [("Event ID", Field.EVENT), ("Webinar ID", Field.EVENT), ("Event", Field.EVENT), ("Contact ID", Field.VID)],
)
def test_another_tools_id_is_read_only_where_it_is_mapped(title: str, field: Field) -> None:
    columns = recognise(["Email", title], Options())
    assert (columns.fields.get(field), columns.unread, columns.asked) == (None, (title,), {field: (1,)})
    mapped = recognise(["Email", title], Options(mapping=((title, field.value),)))
    assert mapped.fields[field] == (1,)


@pytest.mark.parametrize("title", ["Account", "Object ID", "objectId", "OBJECT_ID"])
def test_a_message_s_own_field_counts_only_as_a_message_writes_it(title: str) -> None:
    assert recognise(["Email", title], Options()).unread == (title,)
    assert recognise(["email", "account", "object_id"], Options()).unread == ()


def test_a_zone_in_a_title_is_that_columns_zone() -> None:
    assert recognise(["Email", "Join Time (UTC)", "Left [Europe/Berlin]"], Options()).zones == {
        1: "UTC",
        2: "Europe/Berlin",
    }


def test_the_reason_and_line_of_refused_rows_are_passed_over() -> None:
    columns = recognise(["reason", "line", "Email"], Options())
    assert columns.unread == ()
    assert columns.fields[Field.EMAIL] == (2,)


def test_no_title_means_two_things() -> None:
    titles = [title for names in (TITLES, WEAK, PROPERTIES) for group in names.values() for title in group]
    assert len(titles) == len(set(titles))
