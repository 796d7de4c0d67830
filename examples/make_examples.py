"""Make the example files: invented people, real shapes, and the dirt that real files have.

`python examples/make_examples.py` writes them beside itself; the same seed gives the same bytes. Only
`Random.random` is used: it is the one method whose sequence Python promises to keep.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

SEED: Final = 20260414
ACCOUNT: Final = "acme-events"
SUMMIT: Final = "spring-summit-2026"
WEBINAR: Final = "webinar-42"
SUMMIT_BEGINS: Final = datetime(2026, 4, 14, 14, 0, tzinfo=UTC)
PEOPLE: Final = 1900

FIRST: Final = (
    *("Ada", "Ben", "Chloé", "Dmitri", "Elif", "Farah", "Gustav", "Hana", "Imran", "Jürgen", "Kaya", "Léa", "Mateo"),
    *("Nora", "Omar", "Paula", "Quinn", "Rosa", "Søren", "Tariq", "Uma", "Viktor", "Wanda", "Ximena", "Yuki", "Zoë"),
)
LAST: Final = (
    *("Adler", "Bernard", "Castillo", "Dubois", "Eriksson", "Fischer", "Garcia", "Haddad", "Ivanova", "Jensen"),
    *("Kowalski", "Lambert", "Müller", "Nakamura", "O'Brien", "Petrov", "Quist", "Rossi", "Schäfer", "Tanaka"),
    *("Ueda", "Varga", "Weiss", "Xu", "Yıldız", "Zimmer"),
)
COMPANIES: Final = ("Northwind Mills", "Hafen & Sohn GmbH", "Atelier Bleu", "Contour, Inc.", "Kita Optics", "")
PLAIN: Final = str.maketrans("éëøüäöı'", "eeouaoi-")

ATTENDEE_TITLES: Final = (
    *("Attended", "User Name (Original Name)", "First Name", "Last Name", "Email", "Registration Time"),
    *("Approval Status", "Join Time", "Leave Time", "Time in Session (minutes)", "Is Guest", "Country/Region Name"),
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody invented."""

    first: str
    last: str
    email: str
    company: str


class Dice:
    """Chance that falls the same way every time."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def below(self, end: int) -> int:
        """Give a whole number from 0, less than the end."""
        return int(self._random.random() * end)

    def one_of(self, things: Sequence[T]) -> T:
        """Choose."""
        return things[self.below(len(things))]

    def one_in(self, many: int) -> bool:
        """Say yes once in so many times."""
        return self.below(many) == 0


def people(dice: Dice) -> list[Person]:
    """Invent people, each with an address of their own at a domain that is nobody's."""
    invented = []
    for number in range(PEOPLE):
        first, last = dice.one_of(FIRST), dice.one_of(LAST)
        local = f"{first}.{last}.{number}".lower().translate(PLAIN)
        domain = dice.one_of(("example.com", "example.org", "example.net"))
        invented.append(Person(first, last, f"{local}@{domain}", dice.one_of(COMPANIES)))
    return invented


def registrations(dice: Dice, everybody: list[Person]) -> bytes:
    """Make a list as a European ticket shop exports it: a mark, semicolons, days first, two events."""
    berlin, rows = (
        ZoneInfo("Europe/Berlin"),
        ["E-Mail;Vorname;Nachname;Firma;Anmeldedatum;external_event_id;Newsletter"],
    )
    begin = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    for number, person in enumerate(everybody):
        at = (begin + timedelta(seconds=number * 1500 + dice.below(1400))).astimezone(berlin)
        event = SUMMIT if number % 4 else WEBINAR
        email = person.email.upper() if dice.one_in(40) else person.email
        if dice.one_in(160):
            email = dice.one_of((email.replace("@", " at "), email.replace(".", "..", 1), "-", f"{email},"))
        company = f'"{person.company}\nAbteilung Süd"' if dice.one_in(90) else person.company
        news = dice.one_of(("ja", "nein"))
        row = f"{email};{person.first};{person.last};{company};{at:%d.%m.%Y %H:%M:%S};{event};{news}"
        rows.append(row)
        if dice.one_in(70):
            rows.append(row)  # sent twice by an impatient finger
        if dice.one_in(200):
            rows.append("")
    rows.append(f"late@example.com;Lena;Spät;;29.03.2026 02:30:00;{SUMMIT};ja")  # an hour that the clocks skipped
    rows.append(f"undated@example.com;Uwe;Ohne;;;{SUMMIT};nein")
    return ("\ufeff" + "\r\n".join(rows) + "\r\n").encode()


def attendees(dice: Dice, everybody: list[Person]) -> bytes:
    """Make a report as a webinar tool exports it: a summary above, several tables, a row for every join."""
    lines = [
        "Attendee Report",
        'Report Generated:,"Apr 15, 2026 09:12 AM"',
        "Topic,Webinar ID,Actual Start Time,Actual Duration (minutes),# Registered,Unique Viewers,Total Users",
        f'Spring Summit,812 0042 7781,"04/14/2026 10:00:00 AM",95,{len(everybody)},0,0',
        "Panelist Details",
        "Attended,User Name (Original Name),Email,Join Time,Leave Time,Time in Session (minutes),Is Guest",
        'Yes,Ines Host,ines.host@example.com,"04/14/2026 09:41:12 AM","04/14/2026 11:36:40 AM",116,No',
        "Attendee Details",
        ",".join(ATTENDEE_TITLES),
    ]
    for person in everybody:
        lines += _stays(dice, person)
        if dice.one_in(120):
            lines.append("")
    lines += [
        "Other Attended",
        "User Name,Join Time,Leave Time,Time in Session (minutes),Country/Region Name",
        '15550100,"04/14/2026 10:03:00 AM","04/14/2026 10:55:00 AM",52,United States',
    ]
    return ("\n".join(lines) + "\n").encode()


def _stays(dice: Dice, person: Person) -> list[str]:
    """Make a person's rows: none came, came once, or came and went."""
    new_york, shape = ZoneInfo("America/New_York"), "%m/%d/%Y %I:%M:%S %p"
    name = f"{person.first} {person.last}" if not dice.one_in(80) else f'"{person.first}\n{person.last}"'
    email = person.email.upper() if dice.one_in(50) else person.email
    if dice.one_in(200):
        email = dice.one_of(("", "anonymous", email.replace("@", "@@")))
    country = dice.one_of(("United States", "Germany", "France", "Japan", '"Korea, Republic of"'))
    start = f'{name},{person.first},{person.last},{email},"03/20/2026 10:00:00 AM",approved'
    if dice.one_in(4):
        return [f"No,{start},--,--,--,--,{country}"]
    rows, at = [], SUMMIT_BEGINS + timedelta(seconds=dice.below(1500) - 300)
    for _ in range(dice.one_of((1, 1, 1, 2, 2, 3, 5))):
        left = at + timedelta(seconds=40 + dice.below(1100))
        joined, gone = (left, at) if dice.one_in(300) else (at, left)
        times = f'"{joined.astimezone(new_york):{shape}}","{gone.astimezone(new_york):{shape}}"'
        rows.append(f"Yes,{start},{times},{(left - at).seconds // 60 + 1},Yes,{country}")
        at = left + timedelta(seconds=5 + dice.below(300))
    return rows


def cancellations(dice: Dice, everybody: list[Person]) -> bytes:
    """Make what a booking system of our own would write: HubSpot's input, the event beside it, a line each."""
    lines = []
    for number, person in enumerate(everybody):
        ms = int((datetime(2026, 4, 10, 9, 0, tzinfo=UTC) + timedelta(seconds=number * 700)).timestamp()) * 1000
        line: dict[str, object] = {
            "external_event_id": WEBINAR if dice.one_in(3) else SUMMIT,
            "email": person.email.upper() if dice.one_in(30) else person.email,
            "interactionDateTime": ms // 1000 if dice.one_in(60) else ms,
            "contactProperties": {"firstname": person.first, "lastname": person.last},
        }
        if dice.one_in(90):
            line["properties"] = {"reason": None}  # HubSpot takes texts alone
        lines.append(json.dumps(line, ensure_ascii=False))
        if dice.one_in(50):
            lines.append(lines[-1])
        if dice.one_in(80):
            lines.append("")
    lines.append('{"external_event_id": "spring-summit-2026", "email": "cut@example.com", "interactionDa')
    return ("\n".join(lines) + "\n").encode()


def make() -> dict[str, bytes]:
    """Give every file's name and bytes."""
    dice = Dice(SEED)
    everybody = people(dice)
    came = [person for number, person in enumerate(everybody) if number % 4 and number % 7]
    gone = [person for number, person in enumerate(everybody) if number % 7 == 0]
    return {
        "registrations.csv": registrations(dice, everybody),
        "attendees.csv": attendees(dice, came),
        "cancellations.jsonl": cancellations(dice, gone),
    }


if __name__ == "__main__":
    for name, content in make().items():
        (Path(__file__).parent / name).write_bytes(content)
        print(f"{name}: {len(content):,} bytes")
