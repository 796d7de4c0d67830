"""What the command line adds to a file: the event, the state, the account, and how to read what is ambiguous."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self
from zoneinfo import ZoneInfo

from models.message import LONGEST_TEXT
from models.preflight import Reason, shown, unsafe_character
from models.words import State
from worker.files.lines import FileError

_PAIR: Final = re.compile(r"(?P<title>.*\S.*?)=(?P<field>[^=()]*(?:\(.*\))?\s*)", re.DOTALL)


class DateOrder(StrEnum):
    """How a date of three numbers is written: 03/04/2026 is in April or in March."""

    DMY = "dmy"
    MDY = "mdy"
    YMD = "ymd"


@dataclass(frozen=True, slots=True)
class MissingOption(Reason):
    """A reason that an option mends for every row: where all rows say it, the file stops before anything is sent."""


@dataclass(frozen=True, slots=True)
class Options:
    """What was said beside the file. A row's own column wins over it, where it is named as unmistakably."""

    state: State | None = None
    object_id: str | None = None
    event: str | None = None
    external_account: str | None = None
    account: str | None = None
    zone: ZoneInfo | None = None
    order: DateOrder | None = None
    mapping: tuple[tuple[str, str], ...] = ()
    """A column's title and what it holds."""
    encoding: str | None = None
    include_hosts: bool = False
    """Whether hosts, panelists, organizers and presenters count as well."""

    @classmethod
    def read(  # noqa: PLR0913 - one for each option of the command
        cls,
        *,
        state: State | None = None,
        object_id: str | None = None,
        event: str | None = None,
        external_account: str | None = None,
        account: str | None = None,
        time_zone: str | None = None,
        date_order: DateOrder | None = None,
        mapping: list[str] | None = None,
        encoding: str | None = None,
        include_hosts: bool = False,
    ) -> Self:
        """Check what was typed.

        Raises:
            FileError: naming the option and what would be right.

        """
        if object_id and (event or external_account):
            raise FileError("--object-id", "stands beside --event or --external-account", "one way to name the event")
        texts = {"object-id": object_id, "event": event, "external-account": external_account, "account": account}
        for name, text in texts.items():
            if text is not None and (not text.strip() or len(text) > LONGEST_TEXT or unsafe_character(text)):
                raise FileError(f"--{name}", f"{shown(text)!r} is no id", f"1 to {LONGEST_TEXT} characters of text")
        zone = _zone(time_zone) if time_zone else None
        pairs = tuple(_pair(text) for text in mapping or ())
        return cls(state, object_id, event, external_account, account, zone, date_order, pairs, encoding, include_hosts)

    def arguments(self) -> list[str]:
        """Write them as the command's arguments, to hand in the refused rows (in UTF-8) as the file was."""
        named = {
            "--event": self.event,
            "--external-account": self.external_account,
            "--object-id": self.object_id,
            "--state": self.state,
            "--account": self.account,
            "--time-zone": self.zone and self.zone.key,
            "--date-order": self.order,
        }
        given = [part for option, value in named.items() if value for part in (option, str(value))]
        given += ["--include-hosts"] if self.include_hosts else []
        return given + [part for title, target in self.mapping for part in ("--map", f"{title}={target}")]


def find_zone(name: str) -> ZoneInfo | None:
    """Find an IANA time zone."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def _zone(name: str) -> ZoneInfo:
    zone = find_zone(name)
    if zone is None:
        raise FileError("--time-zone", f"{shown(name)} is no time zone", "its IANA name, such as Europe/Berlin or UTC")
    return zone


def _pair(text: str) -> tuple[str, str]:
    """Split at the last “=”, but for those within the answers behind a field: “Status=status(Walk-in=keep)”."""
    found = _PAIR.fullmatch(text)
    if found is None:
        raise FileError("--map", f"{shown(text)!r} maps nothing", '--map "Their column=email"')
    return found["title"].strip(), found["field"].strip()
