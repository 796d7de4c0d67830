"""Files in the shapes that people have them in: who of them counts, and what is said of the others."""

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from models.words import State
from worker.files.lines import FileError
from worker.files.not_people import FOOTER, NO_ADDRESS, PHONE
from worker.files.options import DateOrder, Options
from worker.files.questions import QuestionsError
from worker.files.reader import Reading
from worker.files.rows import FileRecord, RejectedRow

FILES = Path(__file__).parent / "files"
STAFF = "(host, organizer, panelist or presenter)"
ATTEND: dict[str, Any] = {"state": State.ATTEND}
REGISTER: dict[str, Any] = {"state": State.REGISTER}
KOLKATA: dict[str, Any] = {"time_zone": "Asia/Kolkata"}
NEW_YORK: dict[str, Any] = {"time_zone": "America/New_York"}

Told = tuple[str, dict[str, Any], list[str], dict[str, int], list[str]]

CASES: dict[str, Told] = {
    "the participant's address, not the host's of the same title": (
        "zoom-meeting-with-meeting-data.csv",
        ATTEND | NEW_YORK,
        ["ana@example.com 18:01 18:30", "bob@example.com 18:02 18:44"],
        {f"the address of the host {STAFF}": 1, PHONE: 1},
        [],
    ),
    "the host too where that is said": (
        "zoom-meeting-with-meeting-data.csv",
        ATTEND | NEW_YORK | {"include_hosts": True},
        ["ana@example.com 18:01 18:30", "bob@example.com 18:02 18:44", "hollis.host@example.com 18:00 18:45"],
        {PHONE: 1},
        [],
    ),
    "approved registrations only": (
        "zoom-registration-report.csv",
        REGISTER | NEW_YORK,
        ["ana@example.com", "bob@example.com"],
        {
            "Approval Status “denied” (not approved)": 1,
            "Approval Status “cancelled by self” (cancelled)": 1,
            "Approval Status “pending approval” (not confirmed yet)": 1,
        },
        [],
    ),
    "the cancelled ones with --state cancel": (
        "zoom-registration-report.csv",
        {"state": State.CANCEL, "mapping": ["Registration Time=date"]} | NEW_YORK,
        ["cal.cancel@example.com"],
        {
            "Approval Status “approved” (not cancelled)": 2,
            "Approval Status “denied” (not approved)": 1,
            "Approval Status “pending approval” (not confirmed yet)": 1,
        },
        [],
    ),
    "attending and checked in": (
        "eventbrite-attendees.csv",
        REGISTER,
        ["ana@example.com", "bob@example.com"],
        {"Attendee Status “Not Attending” (is not coming)": 1, "Attendee Status “Refunded” (cancelled)": 1},
        [],
    ),
    "another CRM's contact ids, no-shows and cancellations": (
        "civicrm-participants.csv",
        REGISTER | {"time_zone": "UTC"},
        ["ana@example.com"],
        {"Participant Status “No-show” (did not attend)": 1, "Participant Status “Cancelled” (cancelled)": 1},
        ["line 3, Contact ID: 2018 may be another tool's id; expected an e-mail address; or --map"],
    ),
    "a guest's sign-in name is no address": (
        "teams-2023-en-us.csv",
        ATTEND | NEW_YORK | {"date_order": DateOrder.MDY},
        ["ana@example.com 20:01 20:40", "bob@example.com 20:02 20:59"],
        {f"Role “Organizer” {STAFF}": 2, PHONE: 1},
        ["line 14, Participant ID (UPN): gil_example.com#EXT#@contoso.example.com is a guest's sign-in name"],
    ),
    "the same in another country": (
        "teams-2023-en-gb.csv",
        ATTEND | {"time_zone": "Europe/Berlin"},
        ["ana@example.com 14:01 14:40", "bob@example.com 14:02 14:59"],
        {f"Role “Organizer” {STAFF}": 2, PHONE: 1},
        ["line 14, Participant ID (UPN)"],
    ),
    "host and panelist are no attendees": (
        "zoom-webinar-attendee-2025.csv",
        ATTEND | KOLKATA,
        ["ana@example.com 13:32:01 14:31:10", "bob@example.com 13:35 14:30"],
        {
            f"section “Host Details” {STAFF}": 1,
            f"section “Panelist Details” {STAFF}": 1,
            "did not attend": 3,
            "the table “Other Attended” has no column with an e-mail address": 1,
        },
        [],
    ),
    "who registered for it, no-shows too": (
        "zoom-webinar-attendee-2025.csv",
        REGISTER | KOLKATA,
        ["ana@example.com", "ana@example.com", "bob@example.com", "nia@example.com"],
        {
            f"section “Host Details” {STAFF}": 1,
            f"section “Panelist Details” {STAFF}": 1,
            "Approval Status “denied” (not approved)": 1,
            "Approval Status “cancelled” (cancelled)": 1,
            "the table “Other Attended” has no column with an e-mail address": 1,
        },
        [],
    ),
    "host and panelist where that is said": (
        "zoom-webinar-attendee-2025.csv",
        ATTEND | KOLKATA | {"include_hosts": True},
        [
            "ana@example.com 13:32:01 14:31:10",
            "bob@example.com 13:35 14:30",
            "hollis.host@example.com 13:28:27 14:32:19",
            "pat.panel@example.com 13:29:32 14:32:19",
        ],
        {"did not attend": 3, "the table “Other Attended” has no column with an e-mail address": 1},
        [],
    ),
    "the host is named above the header": (
        "zoom-meeting-preamble.csv",
        ATTEND | NEW_YORK | {"date_order": DateOrder.MDY},
        ["bob@example.com 22:20 23:00", "cee@example.com 22:01 22:35"],
        {f"the address of the host {STAFF}": 1, NO_ADDRESS: 1},
        [],
    ),
    "a campaign's member status": (
        "salesforce-campaign-members.csv",
        REGISTER
        | {"time_zone": "UTC", "date_order": DateOrder.MDY, "mapping": ["Member First Responded Date=registered"]},
        ["ana@example.com", "nia@example.com"],
        {"Member Status “No Show” (did not attend)": 1, FOOTER: 5},
        [],
    ),
    "nothing decides": (
        "google-meet-iso.csv",
        ATTEND,
        ["ana@example.com 09:00 12:30", "bob@example.com 09:05 12:00"],
        {},
        [],
    ),
    "the day stands above the table": (
        "google-meet.csv",
        ATTEND | {"time_zone": "Berlin"},
        ["ana@example.com 07:00:12 07:32:01", "bob@example.com 07:02 08:04"],
        {},
        [],
    ),
    "only how long people stayed": (
        "zoom-meeting-unique-users.csv",
        ATTEND | {"time_zone": "Eastern Time", "start": "2026-10-05T18:00"},
        ["ana@example.com 22:00 23:05", "bob@example.com 22:00 22:05"],
        {NO_ADDRESS: 1},
        [],
    ),
    "in Portuguese": (
        "zoom-meeting-pt.csv",
        ATTEND | {"time_zone": "America/Sao_Paulo"},
        ["ana@example.com 22:01 22:58", "bob@example.com 22:03 22:40"],
        {},
        [],
    ),
    "a workbook": (
        "gotowebinar.xlsx",
        ATTEND | {"time_zone": "Los Angeles"},
        ["ana@example.com 16:58 18:02", "bob@example.com 17:10 17:40"],
        {"did not attend": 1},
        [],
    ),
    "a table of a web page, called .xls": (
        "htmltable.xls",
        ATTEND,
        ["ana@example.com 09:00 10:00"],
        {},
        [],
    ),
    "a zip": ("report.zip", ATTEND, ["ana@example.com 09:00 12:30", "bob@example.com 09:05 12:00"], {}, []),
    "fields of a tool's API": (
        "zoom-api-participants.jsonl",
        ATTEND,
        ["ana@example.com 10:02 10:58", "bob@example.com 10:05 10:40"],
        {},
        [],
    ),
    "five forms of one date": (
        "excel-dd-mmm-yy.csv",
        ATTEND | {"time_zone": "GMT+05:30"},
        [
            f"{who}@example.com {join} 09:30"
            for who, join in (("ana", "08:35"), ("bob", "08:36"), ("cee", "08:35"), ("dee", "08:35"), ("eve", "08:35"))
        ],
        {},
        [],
    ),
    "a minute that the duration tells": (
        "zoom-zero-minutes.csv",
        ATTEND | {"time_zone": "Mumbai"},
        ["ana@example.com 18:20 18:50", "bob@example.com 18:25 18:40", "zed@example.com 18:25 18:26"],
        {},
        [],
    ),
    "one record for each occurrence": (
        "zoom-two-occurrences.csv",
        ATTEND | NEW_YORK | {"occurrence": "all"},
        ["ana@example.com 23:01 23:40", "ana@example.com 23:02:01 00:00:39", "bob@example.com 23:05 00:00"],
        {},
        [],
    ),
    "NUL in a name": (
        "nul-in-first-name.csv",
        ATTEND,
        ["bob@example.com 10:00 11:00"],
        {},
        ["line 2, contactProperties.firstname: holds NUL"],
    ),
    "nothing decides, in German": (
        "excel-sep-line.csv",
        ATTEND | {"time_zone": "Europe/Berlin"},
        ["ana@example.com 13:01 14:00", "bob@example.com 13:05 13:40"],
        {},
        [],
    ),
}


@pytest.mark.parametrize(("name", "said", "records", "left_out", "refused"), CASES.values(), ids=CASES)
def test_who_counts(
    name: str, said: dict[str, Any], records: list[str], left_out: dict[str, int], refused: list[str]
) -> None:
    reading = Reading(io.BytesIO((FILES / name).read_bytes()), Options.read(object_id="7", **said))
    items = list(reading.items())
    assert sorted(stay(item) for item in items if isinstance(item, FileRecord)) == records
    assert dict(reading.facts.left_out) == left_out
    reasons = ["; ".join(map(str, item.reasons)) for item in items if isinstance(item, RejectedRow)]
    assert len(reasons) == len(refused)
    for reason, expected in zip(reasons, refused, strict=True):
        assert expected in reason


def test_rows_that_leave_no_choice_settle_the_order_of_the_others() -> None:
    content = io.BytesIO((FILES / "registrations-day-first.csv").read_bytes())
    reading = Reading(content, Options.read(object_id="7", state=State.REGISTER, time_zone="UTC"))
    days = [item.candidate.interaction_date_time for item in reading.items() if isinstance(item, FileRecord)]
    assert [datetime.fromtimestamp(ms / 1000, UTC).isoformat()[:16] for ms in days] == [
        "2026-11-13T09:00", "2026-11-12T10:00", "2026-11-14T11:00", "2026-11-05T12:00",
    ]  # fmt: skip
    assert reading.facts.notes == ["dates are read day first, as “13/11/2026 09:00” shows"]


def test_a_report_without_addresses_says_so_and_which_one_has_them() -> None:
    with pytest.raises(FileError, match=r"has no e-mail addresses.*Meetup"):
        Reading(io.BytesIO((FILES / "meetup.xls").read_bytes()), Options())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("zoom-meeting-preamble.csv", ["--state attend", "--object-id EVENT", "--date-order mdy", "--time-zone CITY"]),
        ("registrations-day-first.csv", ["--state register", "--object-id EVENT", "--time-zone CITY"]),
        ("google-meet.csv", ["--state attend", "--object-id EVENT", "--time-zone CITY"]),
        ("zoom-meeting-unique-users.csv", ["--state attend", "--start BEGAN", "--object-id EVENT", "--time-zone CITY"]),
    ],
)
def test_a_file_alone_asks_for_everything_at_once(name: str, said: list[str]) -> None:
    with pytest.raises(QuestionsError) as asked:
        Reading(io.BytesIO((FILES / name).read_bytes()), Options())
    assert asked.value.answered() == " ".join(said)


def stay(record: FileRecord) -> str:
    """Write who it is, and from when to when where that is known."""
    properties = record.candidate.input["properties"]
    assert isinstance(properties, dict)
    times = [str(properties[name])[11:19].removesuffix(":00") for name in ("joinedAt", "leftAt") if name in properties]
    return " ".join([record.candidate.contact, *times])
