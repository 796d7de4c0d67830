"""Why records are not delivered: unresolved errors by what they have in common, with advice and what to press."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from models.words import Outcome
from web.console.base import ConsoleRequest, Page
from web.console.params import word
from worker.context import Context
from worker.queries.error_filter import ANY_OPEN, OPEN
from worker.queries.error_groups import OpenGroup, grouped

MOST: Final = 50
"""Groups on the page."""
FIRST: Final = 5
"""Groups on the overview."""
PRESSES: Final = {
    "correct": ("/correct?group={}", "Correct …"),
    "retry": ("/act/retry?group={}", "Retry …"),
    "dismiss": ("/act/dismiss?group={}", "Dismiss …"),
}


@dataclass(frozen=True, slots=True)
class GroupOnPage:
    """A group and what may be pressed."""

    group: OpenGroup
    presses: list[tuple[str, str]]


def groups(visit: ConsoleRequest) -> Page:
    """List the groups, those seen last first."""
    outcome = word(visit, "outcome", Outcome)
    rows = of(visit.process, (outcome,) if outcome else OPEN, MOST)
    facts = {"rows": rows, "filters": {"outcome": outcome}, "outcomes": list(ANY_OPEN), "is_full": len(rows) == MOST}
    return Page("groups.html", facts)


def of(process: Context, outcomes: Sequence[Outcome] = OPEN, most: int = FIRST) -> list[GroupOnPage]:
    """Give groups with what may be pressed, first what the advice says; nothing while Turnout looks for them itself."""
    return [
        GroupOnPage(group, [] if group.verify_at and group.outcome == Outcome.UNCONFIRMED else _presses(group))
        for group in grouped(process.engine, outcomes, most)
    ]


def _presses(group: OpenGroup) -> list[tuple[str, str]]:
    fits = next((name for name in ("correct", "retry") if f"turnout {name}" in group.action), "dismiss")
    return [
        (path.format(group.id), text) for _, (path, text) in sorted(PRESSES.items(), key=lambda press: press[0] != fits)
    ]
