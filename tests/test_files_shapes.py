# ruff: noqa: E501 - reports are as wide as they are
"""Shapes of reports that public sources show, each with its source. The people in them are invented."""

import io
from typing import Any, NamedTuple

import pytest

from models.words import State
from worker.files.lines import FileError
from worker.files.options import Options
from worker.files.questions import QuestionsError
from worker.files.reader import Reading
from worker.files.rows import FileRecord


class Shape(NamedTuple):
    """A report, what is said of it, and what it comes to: its people, its questions, or why it cannot be used."""

    source: str
    content: str
    said: dict[str, Any]
    comes_to: list[str]


ATTEND: dict[str, Any] = {"state": State.ATTEND, "time_zone": "UTC"}
REGISTER: dict[str, Any] = {"state": State.REGISTER, "time_zone": "UTC"}
NOTHING: dict[str, Any] = {}

SHAPES = {
    "Zoom, unique users": Shape(
        "github.com/ComputerScienceHouse/conditional/issues/314",
        "Name (Original Name),User Email,Total Duration (Minutes),Guest\nAna,ana@example.com,61,No\nShaun,,60,Yes\n",
        ATTEND | {"start": "2026-03-01T10:00"},
        ["ana@example.com 10:00-11:01"],
    ),
    "Zoom, unique users, nothing said": Shape(
        "github.com/efalabrini/Asistentie (README)",
        "Name,User Email,Total Duration,Guest\nAna,ana@example.com,61,No\n",
        NOTHING,
        ["--state", "--start", "--object-id", "--map", "--time-zone"],
    ),
    "Zoom, with meeting data, numbered titles": Shape(
        "github.com/microsoft/vivainsights_zoom_int (Admin/input/zoom_reports/README.md)",
        "Topic,MeetingID,User_Name,User_Email_1,Department,Group,HasZoomRooms,Creation_Time,Start_Time,End_Time,"
        "Duration_Minutes_1,Participants,NameOriginalName,User_Email_2,Join_Time,Leave_Time,Duration_Minutes_2,Guest\n"
        "Rail,852 1848,Hana,hana@example.com,D,,No,15/08/2026 01:27,21/08/2026 10:00,21/08/2026 10:30,30,2,"
        "Ana,ana@example.com,21/08/2026 10:00,21/08/2026 10:21,21,No\n",
        ATTEND,
        ["--map"],
    ),
    "Zoom, Italian, with the meeting above": Shape(
        "github.com/CatechismoPUCP/React_CSV (README)",
        "Argomento,ID,Organizzatore,Durata (minuti),Ora di inizio,Ora di fine,Partecipanti\n"
        'Rail,743,Hana,244,"07/14/2026 08:57:00 AM","07/14/2026 01:00:26 PM",8\n\n'
        "Nome (nome originale),E-mail,Ora di ingresso,Ora di uscita,Durata (minuti),Guest\n"
        'Ana Abe,ana@example.com,"07/14/2026 09:02:37 AM","07/14/2026 12:07:54 PM",185,No\n',
        ATTEND,
        ["ana@example.com 09:02-12:07"],
    ),
    "Zoom, Italian, with meeting data": Shape(
        "public parsers of Zoom's Italian list with meeting data",
        "Argomento,Digita,ID,Nome organizzatore,E-mail organizzatore,Ora di inizio,Ora di fine,"
        "Nome (nome originale),E-mail,Ora di ingresso,Ora di uscita,Durata (minuti),Guest,In sala d'attesa\n"
        "Rail,0,123,Hana,hana@example.com,19/09/2026 09:00:00 AM,19/09/2026 01:00:00 PM,"
        "Ana,ana@example.com,19/09/2026 09:00:00 AM,19/09/2026 01:00:00 PM,240,No,No\n",
        ATTEND,
        ["ana@example.com 09:00-13:00"],
    ),
    "Zoom, Spanish": Shape(
        "github.com/Misstery13/Assistance-Register (README)",
        "Nombre (nombre original),Correo electrónico,Hora de entrada,Hora de salida,Duración (minutos),Invitado\n"
        "Ana,ana@example.com,25/05/2026 09:00:00,25/05/2026 10:30:00,90,Sí\n",
        ATTEND,
        ["ana@example.com 09:00-10:30"],
    ),
    "Zoom, Spanish, before 2023, with semicolons": Shape(
        "public parsers of Zoom's Spanish list",
        "Nombre (nombre original);E-mail del usuario;Hora para unirse;Hora para salir;Duración (minutos);Invitado\n"
        "Ana;ana@example.com;25/05/2026 09:00:00;25/05/2026 10:30:00;90;Sí\n",
        ATTEND,
        ["ana@example.com 09:00-10:30"],
    ),
    "Zoom, Portuguese": Shape(
        "public parsers of Zoom's Portuguese list",
        "Nome (nome original),E-mail,Ingressar na hora,Hora de saída,Duração (minutos),Convidado,Na sala de espera\n"
        "Ana,ana@example.com,25/05/2026 09:00:00,25/05/2026 10:30:00,90,Sim,Não\n"
        "Bob,bob@example.com,25/05/2026 09:00:00,25/05/2026 09:01:00,1,Sim,Sim\n",
        ATTEND,
        ["ana@example.com 09:00-10:30"],
    ),
    "Zoom, Korean": Shape(
        "public parsers of Zoom's Korean list",
        "이름(원래 이름),사용자 이메일,참가 시간,나간 시간,기간(분)\nAna,ana@example.com,2026-05-25 09:00:00,2026-05-25 10:30:00,90\n",
        ATTEND,
        ["--map"],
    ),
    "Teams, a list of joins and leaves": Shape(
        "github.com/dominikhoebert/Teams-Attendance-Klassenbuch-Writer (README)",
        "Full Name\tUser Action\tTimestamp\nAbe Ana\tJoined\t25/05/2026, 09:00:00\nAbe Ana\tLeft\t25/05/2026, 10:00:00\n",
        ATTEND,
        ["has no e-mail addresses"],
    ),
    "Teams, a live event": Shape(
        "github.com/renefb/teams-report-converter (README)",
        "SessionId,ParticipantId,FullName,UserAgent,UtcEventTimestamp,Action,Role\n"
        "1,11,Ana Abe,Mozilla,5/25/2026 9:00:00 AM,Joined,Attendee\n",
        ATTEND,
        ["has no e-mail addresses"],
    ),
    "Teams, German": Shape(
        "a public parser's test of Teams' German report",
        "1. Zusammenfassung\nBesprechungstitel\tRail\nTeilnehmer\t2\n\n2. Teilnehmer\n"
        "Name\tErster Beitritt\tLetztes Verlassen\tDauer der Besprechung\tE-Mail\tTeilnehmer-ID (UPN)\tRolle\n"
        "Ana Abe\t06.10.26, 18:01:00\t06.10.26, 19:00:00\t59 Min. 0 Sek.\tana@example.com\tana@example.com\tTeilnehmer\n"
        "Gast\t06.10.26, 18:05:00\t06.10.26, 18:20:00\t15 Min.\t\t\tTeilnehmer\n",
        ATTEND,
        ["ana@example.com 18:01-19:00"],
    ),
    "Microsoft Graph": Shape(
        "learn.microsoft.com/en-us/graph/api/resources/attendancerecord",
        '{"value": [{"emailAddress": "ana@example.com", "totalAttendanceInSeconds": 322, "role": "Attendee", '
        '"identity": {"id": "", "displayName": "Ana"}, "attendanceIntervals": [{"joinDateTime": '
        '"2026-10-05T04:38:27.6027225Z", "leaveDateTime": "2026-10-05T04:43:49.7702391Z", "durationInSeconds": 322}]}]}',
        ATTEND,
        ["ana@example.com 04:38-04:43"],
    ),
    "GoToWebinar's API": Shape(
        "github.com/paragonsean/openapi-directory (APIs/getgo.com/gotowebinar, docs/Attendee.md)",
        '[{"attendance": [{"joinTime": "2026-03-01T10:00:00Z", "leaveTime": "2026-03-01T11:00:00Z"}], '
        '"attendanceTimeInSeconds": 3600, "email": "ana@example.com", "firstName": "Ana", "lastName": "Abe", '
        '"registrantKey": 1, "sessionKey": 2}]',
        ATTEND,
        ["ana@example.com 10:00-11:00"],
    ),
    "Eventbrite's API": Shape(
        "github.com/matt-guyotte/LitmusDance (data-example.js)",
        '{"attendees": [{"id": "2360209833", "created": "2026-04-16T15:54:31Z", "quantity": 1, "profile": {"email": '
        '"ana@example.com", "name": "Ana"}, "barcodes": [{"status": "unused"}], "answers": [], "checked_in": false, '
        '"cancelled": false, "refunded": false, "status": "Attending", "ticket_class_name": "Test"}]}',
        REGISTER,
        ["ana@example.com"],
    ),
    "Luma's API": Shape(
        "public clients of Luma's get-guests",
        '{"entries": [{"api_id": "gst-1", "guest": {"api_id": "gst-1", "approval_status": "approved", "email": '
        '"ana@example.com", "name": "Ana", "checked_in_at": null, "registered_at": "2026-03-01T10:00:00Z"}},'
        '{"api_id": "gst-2", "guest": {"api_id": "gst-2", "approval_status": "declined", "email": "dan@example.com", '
        '"name": "Dan", "checked_in_at": null, "registered_at": "2026-03-01T10:00:00Z"}}]}',
        REGISTER,
        ["ana@example.com"],
    ),
    "Blackboard Collaborate": Shape(
        "help.blackboard.com/de-de/Collaborate/Ultra/Administrator/Reports/Attendee_Report",
        "SessionDate,SessionName,SessionIdentifier,SessionOwner,RoomOpened,RoomClosed,NameOfAttendee,Username,"
        "AttendeeRole,AttendeeFirstJoinTime,AttendeeLastLeaveTime,AttendeeTotalTimeInSession\n"
        "03/21/2026 09:00,Rail,1,Hana,03/21/2026 09:00,03/21/2026 11:00,Ana,ana,Participant,"
        "03/21/2026 10:00,03/21/2026 11:00,01:00:00\n",
        ATTEND,
        ["has no e-mail addresses"],
    ),
    "Streamboxy, connections in a table": Shape(
        "service.streamboxy.com/support/solutions/articles/50000110748-attendance-export",
        "Email,FirstName,LastName,ConnectedAt,DisconnectedAt\n"
        "ana@example.com,Ana,Abe,2026-03-01 10:00:00,2026-03-01 11:00:00\n",
        ATTEND,
        ["--map", "--map"],
    ),
    "a campus hub": Shape(
        "github.com/ppl-kelompok-1/campus-event-hub (user-manual/event-creators/exporting-attendees.md)",
        "Name,Email,Status,Registration Date\nAna,ana@example.com,registered,2026-03-01\nWil,wil@example.com,waitlisted,2026-03-01\n",
        REGISTER,
        ["ana@example.com"],
    ),
    "Attendize": Shape(
        "github.com/Attendize/Attendize/issues/74",
        "first_name,last_name,email\nAna,Abe,ana@example.com\n",
        REGISTER,
        ["has no column that says when they registered"],
    ),
    "OpenRainbow": Shape(
        "support.openrainbow.com/hc/en-us/articles/14476426391570-Manage-Attendees",
        "Email,firstName,lastName,Company,JobTitle,Country\nana@example.com,Ana,Abe,ACME,Genius,FR\n",
        REGISTER,
        ["has no column that says when they registered"],
    ),
    "a form in Google Sheets": Shape(
        "github.com/commsreverb/demo (RSVP-FORM-SETUP.md)",
        "Timestamp,First Name,Last Name,Email,Company,Attendance,Dietary Restrictions,Plus One\n"
        "3/14/2026 9:00:00,Ana,Abe,ana@example.com,ACME,Yes,None,\n3/14/2026 9:05:00,Nia,No,nia@example.com,ACME,No,None,\n",
        ATTEND | {"end": "2026-03-14T11:00"},
        ["ana@example.com 09:00-11:00"],
    ),
    "a form without addresses": Shape(
        "github.com/Exera-Ltd/ummahpreneurs (google-sheets-setup.md)",
        "Timestamp,Full Name,Contact Number (WhatsApp preferred),Will you be attending the Award Ceremony?\n"
        "3/14/2026 9:00:00,Ana,+44 20 7946 0000,Yes\n",
        REGISTER,
        ["has no e-mail addresses"],
    ),
    "a check-in sheet": Shape(
        "github.com/heeu0/VSA_scrape (README)",
        "Reserved Table?,Arrived? (✅),Name,Email,Pronouns\n,✅,Ana,ana@example.com,she\n,⬜,Nia,nia@example.com,she\n",
        ATTEND | {"start": "2026-03-14T10:00", "end": "2026-03-14T11:00"},
        ["--map"],
    ),
    "Mozilla's events": Shape(
        "github.com/mozillahispano/mozevents/issues/57",
        "Name,Email,Website,Event,Twitter user,Status,Volunteer,Press,Save my info,Registration time\n"
        "Ana,ana@example.com,,Rail,,Confirmed,False,False,True,2026-03-01 10:00:00\n",
        REGISTER,
        ["ana@example.com"],
    ),
    "Tito": Shape(
        "github.com/rubyaustralia/ruby_au/issues/56",
        "Number,Ticket,Ticket Full Name,Ticket First Name,Ticket Last Name,Ticket Email,Order Name,Order Email,"
        "Ticket Created Date,Ticket Status\n1,General,Ana Abe,Ana,Abe,ana@example.com,Buyer,buyer@example.com,2026-03-01,complete\n",
        REGISTER,
        ["--map"],
    ),
    "JEM, a sep= line behind a mark written twice": Shape(
        "github.com/jemproject/JEM-Project/issues/1405",
        '\ufeff\ufeff"sep=,"\nName,E-mail,Registration Date,Status\nAna,ana@example.com,2026-03-01 10:00:00,Attending\n',
        REGISTER,
        ["ana@example.com"],
    ),
    "tickets": Shape(
        "github.com/chobbledotcom/tickets/pull/12",
        "Name,Email,Registered\nAna,ana@example.com,2026-03-01T10:00:00Z\n",
        REGISTER,
        ["ana@example.com"],
    ),
    "NexaSphere": Shape(
        "github.com/Ayushh-Sharmaa/NexaSphere/pull/3477",
        "Attendee Name,Email,Registration Time,Attendance Status\nAna,ana@example.com,2026-03-01T10:00:00Z,Attended\n"
        "Nia,nia@example.com,2026-03-01T10:00:00Z,No Show\n",
        REGISTER,
        ["ana@example.com"],
    ),
    "Frankly": Shape(
        "github.com/berkmancenter/frankly/issues/499",
        "Name,Email,RSVP Time,Join Time\nAna,ana@example.com,2026-03-01T09:00:00Z,2026-03-02T10:00:00Z\n"
        "Nia,nia@example.com,2026-03-01T09:00:00Z,\n",
        ATTEND,
        ["--end"],
    ),
    "BigBlueButton, a log": Shape(
        "a public parser of BigBlueButton's log (bbb-attendance)",
        "Date,Time,Room,User,Event\n2026-03-01,10:00:00,Rail,Ana,joined\n2026-03-01,11:00:00,Rail,Ana,left\n",
        ATTEND,
        ["has no e-mail addresses"],
    ),
    "Nextcloud Talk": Shape(
        "github.com/nextcloud/spreed/issues/14207",
        "name,email,type,identifier\nAna,ana@example.com,user,ana\n",
        ATTEND,
        ["--start"],
    ),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_shape_of_a_public_source_is_read_or_asked_about(shape: Shape) -> None:
    options = Options.read(**{"object_id": "7", **shape.said}) if shape.said else Options()
    (first, *_), got = shape.comes_to, _comes_to(shape.content, options)
    assert got == shape.comes_to or (first.startswith("has ") and first in got[0])


def _comes_to(content: str, options: Options) -> list[str]:
    try:
        items = list(Reading(io.BytesIO(content.encode()), options).items())
    except QuestionsError as error:
        return [question.option for question in error.questions]
    except FileError as error:
        return [str(error)]
    return [_told(item) if isinstance(item, FileRecord) else str(item.reasons[0]) for item in items]


def _told(record: FileRecord) -> str:
    properties = record.candidate.input["properties"]
    times = [str(properties[name])[11:16] for name in ("joinedAt", "leftAt")] if properties else []  # type: ignore[index]
    return " ".join([record.candidate.contact, "-".join(times)]).strip()
