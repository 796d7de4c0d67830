"""What a job is done to: as people and schedules choose it, and as its action's row keeps it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self, TypeAlias, TypeVar

from sqlalchemy import ColumnElement

from models.tables import Batch, fixed
from models.words import Action, State, Status
from worker.queries.batch_conditions import batch_conditions
from worker.queries.error_filter import Filter
from worker.queries.refusals import RefusalFilter

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class CancelFilter:
    """Which waiting batches: one, or those of an event, an account, a state."""

    batch_id: int | None = None
    event: str | None = None
    account: str | None = None
    state: State | None = None

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Self:
        """Read a filter as `written` writes it."""
        state = {"state": State(written["state"])} if "state" in written else {}
        return cls(**{**written, **state})

    @property
    def written(self) -> dict[str, object]:
        """Write it as JSON: what of it is set, by its names."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def conditions(self, batch: type[Batch] = Batch) -> Iterator[ColumnElement[bool]]:
        """Give the conditions of a `Batch`, with its `Event` and `Account`."""
        yield batch.status == fixed(Status.PENDING)
        if self.batch_id is not None:
            yield batch.id == self.batch_id
        yield from batch_conditions(batch, self.event, self.account, self.state)


@dataclass(frozen=True, slots=True)
class CorrectedRows:
    """Which records are corrected, each by its own change: those that were named, or the rows of a corrected file."""

    record_ids: Sequence[int] | None = None
    mended_rows: int | None = None

    @property
    def written(self) -> dict[str, object]:
        """Write it as JSON: what of it is set, by its names."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class UnknownFilter:
    """A filter that another release wrote, and this one cannot read: it is shown as it stands, and nothing is done."""

    written: Mapping[str, object]


Chosen: TypeAlias = Filter | CancelFilter | RefusalFilter
"""What a person or a schedule chooses."""
JobFilter: TypeAlias = Chosen | CorrectedRows | UnknownFilter


def read_filter(action: Action, written: Mapping[str, Any]) -> JobFilter:
    """Read what a job of this action is done to."""
    match action:
        case Action.CANCEL:
            return readable(CancelFilter.read, written)
        case Action.REPLAY | Action.DISCARD:
            return readable(RefusalFilter.read, written)
        case Action.CORRECT if "outcomes" not in written:
            return readable(lambda rows: CorrectedRows(**rows), written)
    return readable(Filter.read, written)


def known(chosen: JobFilter, kind: type[F]) -> F:
    """Give a filter of the kind that is needed.

    Raises:
        ValueError: where this release cannot read it; another release's workers do what it chooses.

    """
    if isinstance(chosen, kind):
        return chosen
    raise ValueError(f"a {kind.__name__} that this release cannot read")


def readable(read: Callable[[Mapping[str, Any]], F], written: Mapping[str, Any]) -> F | UnknownFilter:
    """Read a filter, where this release can."""
    try:
        return read(written)
    except (TypeError, ValueError):
        return UnknownFilter(written)
