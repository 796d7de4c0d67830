"""Which open errors: the filter of pages, commands, jobs and schedules, written, read and as a condition."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, Self

from models.words import Outcome, State

OPEN: Final = (Outcome.REJECTED, Outcome.UNCONFIRMED, Outcome.FAILED)
"""The outcomes that are somebody's to look at."""


ANY_OPEN: Final = (*OPEN, Outcome.CANCELED)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which open errors: by outcome, and where given by batch, event, account, state, category, age, group and ids."""

    outcomes: Sequence[Outcome] = (Outcome.FAILED,)
    batch_id: int | None = None
    event: str | None = None
    account: str | None = None
    state: State | None = None
    category: str | None = None
    since: datetime | None = None
    group_id: str | None = None
    record_ids: Sequence[int] | None = None
    error_ids: Sequence[int] | None = None
    most_retries: int | None = None
    """Only of records that were retried less often."""

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Self:
        """Read a filter as `written` writes it."""
        facts = {name: value for name, value in written.items() if name != "schedule"}  # which said so
        if "outcomes" in facts:
            facts["outcomes"] = tuple(map(Outcome, facts["outcomes"]))
        if "state" in facts:
            facts["state"] = State(facts["state"])
        if "since" in facts:
            facts["since"] = datetime.fromisoformat(facts["since"])
        return cls(**facts)

    @property
    def written(self) -> dict[str, object]:
        """Write it as JSON: what of it is set, by its names."""
        facts = {name: list(value) if name.endswith("_ids") else value for name, value in self.facts.items()}  # type: ignore[call-overload]
        since = {"since": self.since.isoformat()} if self.since else {}
        return {"outcomes": list(self.outcomes), **facts, **since}

    @property
    def sql(self) -> str:
        """Give the condition on error `e`, batch `b`, event `ev` and account `a`; its parameters are the fields."""
        return self._condition(CONDITIONS)

    @property
    def by_index(self) -> str:
        """Give the part of it, on error `e` alone, whose errors an index names: there are no others to walk through."""
        return self._condition(("batch_id", "group_id", "record_ids", "error_ids"))

    def _condition(self, names: Iterable[str]) -> str:
        of = [CONDITIONS[name] for name in names if getattr(self, name) is not None]
        return " AND ".join(["e.resolution IS NULL", *of])

    @property
    def facts(self) -> dict[str, object]:
        """Give the parameters of the condition."""
        return {
            field.name: value
            for field in fields(self)
            if field.name != "outcomes" and (value := getattr(self, field.name)) is not None
        }


RETRIES: Final = "(SELECT count(*) FROM errors p WHERE p.record_id = e.record_id AND p.resolution = 'retried')"
"""How often the record of an error `e` was retried."""


EVENT_NAMED: Final = (
    "(ev.object_id = :event OR ev.external_event_id = :event"
    " OR ev.external_account_id || '/' || ev.external_event_id = :event)"
)
"""An event `ev` as people name it: its object id, its external id, or account and external id with a slash."""


CONDITIONS: Final[Mapping[str, str]] = {
    "batch_id": "e.batch_id = :batch_id",
    "event": EVENT_NAMED,
    "account": "a.name = :account",
    "state": "b.state = :state",
    "category": "e.category = :category",
    "since": "e.created_at >= :since",
    "group_id": "e.group_id = :group_id",
    "record_ids": "e.record_id = ANY(:record_ids)",
    "error_ids": "e.id = ANY(:error_ids)",
    "most_retries": RETRIES + " < :most_retries",
}


CHOSEN: Final = """
FROM errors e JOIN records r ON r.id = e.record_id
JOIN batches b ON b.id = e.batch_id JOIN events ev ON ev.id = b.event_id JOIN accounts a ON a.id = b.account_id"""
"""What a filter's condition is about. An open error is one in its record's present batch; to ask for that too misleads
the planner, which takes it for rare and walks everything (35 s for fifty of half a million)."""
