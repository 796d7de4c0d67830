"""What one cell says about whether its row counts, and the questions where that is not enough."""

from typing import Final, NamedTuple

from models.input_check import shown
from worker.files.columns.deciding_titles import DecidingKind
from worker.files.columns.hosts_and_attendees import EventRole
from worker.files.columns.known_titles import Field
from worker.files.columns.map_option import EMPTY, OTHERS, as_option
from worker.files.columns.status_values import Standing, begins_with_yes, may_say_not_coming
from worker.files.options import MissingOption
from worker.files.questions import Choice, Question

_TARGETS: Final = {
    DecidingKind.ROLE: Field.ROLE,
    DecidingKind.STAFF: Field.ROLE,
    DecidingKind.TICKET: Field.ROLE,
    DecidingKind.ATTENDED: Field.ATTENDED,
}
"""What `--map` says that such a column holds; any other is a status."""


class Sign(NamedTuple):
    """What one cell says about whether its row counts; `says` is None where that is not known."""

    title: str
    kind: DecidingKind
    text: str
    says: Standing | EventRole | None


def question(title: str, kind: DecidingKind, values: dict[str, int], more: int = 0) -> Question:
    """Ask whether people of values that are not known count; `values` says how often each stands there."""
    named = _listed(values, more)
    what = f"decides who counts, and has values that are not known here: {named}. Do these people count?"
    keep = Choice(
        _answer(title, kind, dict.fromkeys(values, "keep")),
        "they count (or say what they did in place of keep: register, attend, cancel)",
    )
    leave_out = Choice(
        _answer(title, kind, dict.fromkeys(values, "leave out")),
        "they are left out and counted; each value can have its own answer",
    )
    ignore = Choice(as_option(title, Field.IGNORE), "the column says nothing about who counts")
    says = {text: "leave out" if _may_say_no(text) else "keep" for text in values}
    mixed = Choice(_answer(title, kind, says), "who may have said no is left out and counted, the others count")
    first = (keep, leave_out) if "leave out" not in says.values() else (leave_out, keep)
    choices = first if len(set(says.values())) <= 1 else (mixed, *first)
    return Question("--map", f"column “{shown(title)}”", what, (*choices, ignore))


def _may_say_no(text: str) -> bool:
    """Say whether a value may be a refusal, such as “No, sorry”: what is proposed first must not register them."""
    return begins_with_yes(text) is False or may_say_not_coming(text)


def absent_question(title: str, kind: DecidingKind, values: dict[str, int], more: int = 0) -> Question:
    """Ask whether people who did not come cancelled, where nothing else in the file says who did."""
    what = f"says who did not come, and nothing in these rows says who cancelled: {_listed(values, more)}."
    choices = (
        Choice(
            _answer(title, kind, dict.fromkeys(values, "leave out")),
            "they did not cancel: they are left out and counted",
        ),
        Choice(_answer(title, kind, dict.fromkeys(values, "cancel")), "these people cancelled"),
        Choice(as_option("Their column", Field.CANCELED), "another column says when each cancelled, with its title"),
    )
    return Question("--map", f"column “{shown(title)}”", f"{what} Did these people cancel?", choices)


def doubtful_question(title: str, values: dict[str, tuple[int, bool]]) -> Question:
    """Ask whether a column says who counts that no title announces, and one of whose values may.

    `values` says how often each stands there, and whether it leaves out if the column decides.
    """
    says = ", ".join(f"{text or EMPTY}={'leave out' if out else 'keep'}" for text, (_, out) in values.items())
    out = ", ".join(f"“{shown(text)}”" if text else "nothing" for text, (_, out) in values.items() if out)
    choices = (
        Choice(as_option(title, f"{Field.STATUS}({says})"), f"people of {out} are left out and counted"),
        Choice(as_option(title, Field.IGNORE), "the column says nothing about who counts: all are sent"),
    )
    counted = {text: count for text, (count, _) in values.items() if text != OTHERS}
    what = f"may say who counts: {_listed(counted, 0)}. Do all these people count?"
    return Question("--map", f"column “{shown(title)}”", what, choices)


def _listed(values: dict[str, int], more: int) -> str:
    named = [f"“{shown(text)}” ({count:,})" if text else f"nothing ({count:,})" for text, count in values.items()]
    return ", ".join([*named, f"{more:,} more"] if more > 0 else named)


def _answer(title: str, kind: DecidingKind, says: dict[str, str]) -> str:
    answers = ", ".join(f"{text or EMPTY}={word}" for text, word in says.items())
    return as_option(title, f"{_TARGETS.get(kind, Field.STATUS)}({answers})")


def unknown_value(where: str, sign: Sign) -> MissingOption:
    """Say of one row that it must be answered whether it counts."""
    ask = absent_question if sign.says is Standing.ABSENT else question
    asked = ask(sign.title, sign.kind, {sign.text: 1})
    return MissingOption(where, asked.what, " or ".join(choice.option for choice in asked.choices))
