"""Which errors an operator means, by the same options for every command."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from models.input_check import INT64_MAX
from models.words import Outcome, State

if TYPE_CHECKING:
    from worker.queries.error_filter import Filter

Before = Annotated[int | None, typer.Option(help="Only those with a smaller id: the next page.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many, at most.")]
EventOption = Annotated[str | None, typer.Option(help="Object id, external id, or external account/external id.")]
AccountOption = Annotated[str | None, typer.Option(help="Only those of this account.")]
OfState = Annotated[State | None, typer.Option(help="Only those of this state.")]


class OpenOutcome(StrEnum):
    """The outcomes that an unresolved error may have: what waits, is being sent or is delivered has none."""

    REJECTED = Outcome.REJECTED
    UNCONFIRMED = Outcome.UNCONFIRMED
    FAILED = Outcome.FAILED
    CANCELED = Outcome.CANCELED


Outcomes = Annotated[
    list[OpenOutcome] | None,
    typer.Option("--outcome", metavar="OUTCOME", help="rejected, unconfirmed, failed or canceled; repeatable."),
]
Category = Annotated[str | None, typer.Option(help="Only errors of this category.")]
TIMES: Final = [
    "%Y-%m-%d",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M%z",
    "%Y-%m-%dT%H:%M:%S%z",
]
Since = Annotated[
    datetime | None, typer.Option(formats=TIMES, metavar="TIME", help="Only since then: 2026-03-01T10:00, of UTC.")
]
Until = Annotated[
    datetime | None, typer.Option(formats=TIMES, metavar="TIME", help="Only until then: 2026-03-01T10:00, of UTC.")
]
GroupOption = Annotated[
    str | None, typer.Option(metavar="ID", help="Only errors of this group (turnout errors --grouped).")
]


def an_id(text: str) -> int:
    """Read an id; a database holds none beyond 64 bits."""
    if not (text.isascii() and text.isdecimal() and int(text) <= INT64_MAX):
        raise typer.BadParameter(f"{text!r} is not an id: a whole number up to {INT64_MAX}")
    return int(text)


Records = Annotated[
    list[int] | None,
    typer.Option("--record", metavar="ID", parser=an_id, help="Only errors of this record; repeatable."),
]


@dataclass(frozen=True)
class ErrorOptions:
    """The options by which commands choose among errors."""

    outcome: Outcomes = None
    group: GroupOption = None
    record: Records = None
    event: EventOption = None
    account: AccountOption = None
    state: OfState = None
    category: Category = None
    since: Since = None

    def filter(
        self, default: Sequence[Outcome], *, batch_id: int | None = None, errors: Sequence[int] | None = None
    ) -> "Filter":
        """Put them together; whoever names a group, a record or an error means it, whatever its outcome."""
        from worker.queries.error_filter import ANY_OPEN, Filter

        named = self.group or self.record or errors
        return Filter(
            tuple(map(Outcome, self.outcome or ())) or (ANY_OPEN if named else default),
            batch_id,
            self.event,
            self.account,
            self.state,
            self.category,
            in_utc(self.since),
            self.group,
            self.record or None,
            errors or None,
        )


def in_utc(written: datetime | None) -> datetime | None:
    """Give a time that was typed; of UTC where it names no other."""
    return written.replace(tzinfo=UTC) if written and not written.tzinfo else written
