"""What `--map` says: which column is meant, what it holds, and what its values mean.

`"Their column=email"`; where several columns have one title, `"Email#2=email"` is the second of them and `"#5=email"`
the fifth column of the file. A column that decides who counts may have answers for its values:
`"Member Status=status(Walk-in=keep, Bounced=leave out, Came late=attend)"`.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from models.input_check import shown
from models.words import State
from worker.files.columns.known_titles import CONTACT, PROPERTIES, SHORT, Field, compact
from worker.files.columns.status_values import STATES, Standing
from worker.files.lines import FileError

SECTION: Final = "section"
"""Not a column: the title line above a part of the file, such as “Panelist Details”."""
EMPTY: Final = "empty"
"""What stands for a cell without a value."""

OTHERS: Final = "*"
"""What stands for every value that has no answer of its own."""

_TARGETS: Final = {field.value.lower(): field for field in Field} | SHORT
_ANSWERED: Final = frozenset({Field.STATUS, Field.ROLE, Field.ATTENDED, Field.STATE})
_WITH_ANSWERS: Final = re.compile(r"(?P<what>[^()]*)\((?P<answers>.*)\)\s*")
_ANSWER: Final = re.compile(
    r"\s*(?P<value>.+?)\s*=\s*(?P<says>keep|leave[ _-]?out|register|attend|cancel)\s*(?:[,;]|$)", re.IGNORECASE
)
_NTH: Final = re.compile(r"(?P<title>.*)#\s*(?P<number>[1-9][0-9]{0,3})\s*")
_FIRST: Final = -1000
"""What is mapped ranks before what is recognised, in the order in which it was said."""


class Target(NamedTuple):
    """What a column holds, how it ranks, and what its values mean (compact)."""

    what: Field | str
    rank: int
    answers: dict[str, Standing]


def mapped(cells: Sequence[str], mapping: tuple[tuple[str, str], ...], start: int = 0) -> dict[int, Target]:
    """Give what is said of the columns of a header; `start` is the place of its first own column."""
    targets: dict[int, Target] = {}
    for order, (title, text) in enumerate(mapping):
        target = read_target(text)
        for place in places_named(cells, title, start):
            known = targets.setdefault(place, target._replace(rank=_FIRST + order))
            if known.what == target.what and target.answers:  # a second question about the column was answered
                targets[place] = known._replace(answers=target.answers | known.answers)
    return targets


def places_named(cells: Sequence[str], title: str, start: int = 0) -> list[int]:
    """Find the columns that a title means: all that have it, the nth of them, or the nth column."""
    places = [place for place, cell in enumerate(cells) if place >= start and cell.strip() == title.strip()]
    if not places and (plain := compact(title)):
        places = [place for place, cell in enumerate(cells) if place >= start and compact(cell) == plain]
    if places or (found := _NTH.fullmatch(title)) is None:
        return places
    number = int(found["number"])
    if not found["title"].strip():
        return [start + number - 1] if start + number <= len(cells) else []
    return places_named(cells, found["title"], start)[number - 1 : number]


@lru_cache(maxsize=256)
def read_target(text: str) -> Target:
    """Read the right-hand side of a `--map`.

    Raises:
        FileError: saying what a column can hold, or what can be said of a value.

    """
    found = _WITH_ANSWERS.fullmatch(text)
    what = _field((found["what"] if found else text).strip())
    if found is None:
        return Target(what, 0, {})
    if what not in _ANSWERED:
        raise FileError("--map", f"{shown(text)} answers for values", "answers only behind status, role or attended")
    return Target(what, 0, _answers(found["answers"]))


def as_option(title: str, target: str) -> str:
    """Write a `--map` as it is typed; quoted as it must be where it holds what a shell reads."""
    text = f"{title}={target}"
    return f"--map {shlex.quote(text)}" if set(text) & set('"$`\\!') else f'--map "{text}"'


def section_answers(mapping: tuple[tuple[str, str], ...]) -> dict[str, Standing]:
    """Give what is said of the file's sections."""
    answers: dict[str, Standing] = {}
    for title, text in mapping:
        if compact(title) == SECTION:
            answers |= read_target(text).answers
    return answers


def answer_of(answers: Mapping[str, Standing], value: str) -> Standing | None:
    """Give what was answered for a value; None where nothing was."""
    return answers.get(answer_key(value)) or answers.get(OTHERS) if answers else None


def answer_key(value: str) -> str:
    """Give a value as answers compare it: as a title is, but for a tick or a cross, which has no letters."""
    return compact(value) or value.strip()


def _answers(text: str) -> dict[str, Standing]:
    answers: dict[str, Standing] = {}
    end = 0
    while end < len(text.rstrip()):
        found = _ANSWER.match(text, end)
        if found is None:
            right = (
                "each value with keep, leave out, register, attend or cancel: status(Walk-in=keep, Bounced=leave out)"
            )
            raise FileError("--map", f"{shown(text[end:].strip())} says nothing of a value", right)
        value = "" if compact(found["value"]) == EMPTY else answer_key(found["value"])
        answers[value] = _says(found["says"].lower())
        end = found.end()
    return answers


def _says(text: str) -> Standing:
    if text == "keep":
        return Standing.KEPT
    return Standing.LEFT_OUT if text.startswith("leave") else STATES[State(text)]


def _field(text: str) -> Field | str:
    if text.lower().startswith(CONTACT.lower()) and len(text) > len(CONTACT):
        return text[len(CONTACT) :]
    if (target := _TARGETS.get(text.lower())) is not None:
        return target
    if text.lower() in PROPERTIES:
        return text.lower()
    targets = ", ".join([*Field, *PROPERTIES])
    raise FileError("--map", f"{shown(text)} is nothing that a column can hold", f"one of {targets}, {CONTACT}…")
