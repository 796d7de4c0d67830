"""Findings: what is not as it must be, or is well. A start acts on them; `turnout status` and `doctor` show them."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a finding matters; the worst first."""

    OUT_OF_REACH = "out of reach"
    """A service does not answer: a start waits for it."""
    ATTENTION = "attention"
    """Somebody has to act."""
    WARNING = "warning"
    OK = "ok"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was looked at: how it is, in a sentence, and what to do; nothing to do where it is well."""

    level: Level
    about: str
    text: str
    todo: str = ""
    account: str = ""
    """Which account it is about, where it is about one."""
    may_pass: bool = False
    """Whether it can end without a change to this process or what it is told, so that a start waits for it."""

    @property
    def waits(self) -> bool:
        """Say whether a start waits for it."""
        return self.level is Level.OUT_OF_REACH or self.may_pass

    @property
    def stops(self) -> bool:
        """Say whether it stops a start."""
        return self.level is Level.ATTENTION and not self.may_pass

    def __str__(self) -> str:
        """Say both in one line."""
        return f"{self.text}: {self.todo}" if self.todo else self.text
