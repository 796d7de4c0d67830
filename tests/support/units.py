"""The systemd units, read: what each starts, with which environment, and how long it may take to stop."""

import re
import shlex
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from tests.support.dockerfile import ROOT

FOLDER = ROOT / "deploy" / "systemd"
PROCESSES = {
    "web": "turnout-web@8800.service",
    "delivery": "turnout-delivery@1.service",
    "housekeeping": "turnout-housekeeping@1.service",
    "beat": "turnout-beat.service",
}
"""The units of what runs for good."""


@dataclass(frozen=True)
class Unit:
    """A unit with its drop-in: each key of its sections with all values it is given."""

    name: str
    keys: dict[str, list[str]]

    def of(self, key: str) -> str:
        """Give the value of a key that is set once."""
        (value,) = self.keys[key]
        return value

    @property
    def command(self) -> list[str]:
        return shlex.split(self.of("ExecStart"))

    @property
    def grace(self) -> int:
        """Seconds from the request to stop until it is killed."""
        return int(self.of("TimeoutStopSec"))

    @property
    def environment(self) -> dict[str, str]:
        return dict(pair.split("=", 1) for line in self.keys["Environment"] for pair in line.split())


def file_of(name: str) -> Path:
    """Give the file of a unit; of an instance, its template."""
    stem, at, _ = name.partition("@")
    return FOLDER / (f"{stem}@.service" if at else name)


def read_unit(name: str) -> Unit:
    """Read a unit and its drop-in, with its specifiers put in."""
    instance = name.partition("@")[2].partition(".")[0]
    keys: defaultdict[str, list[str]] = defaultdict(list)
    for path in (file_of(name), *sorted((FOLDER / "turnout-.service.d").glob("*.conf"))):
        for line in path.read_text().splitlines():
            if line and line[0] not in "#[":
                key, _, value = line.partition("=")
                keys[key].append(re.sub(r"%(.)", lambda found: {"%": "%", "i": instance}[found[1]], value))
    return Unit(name, dict(keys))
