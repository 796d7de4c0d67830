"""What corrections come to, over all of the records they are of: each distinct change, and what is skipped and why."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class DistinctChange:
    """What changes of some records alike, and of how many."""

    field: str
    was: str
    becomes: str
    count: int


@dataclass(frozen=True, slots=True)
class Skip:
    """Why some are skipped, and how many."""

    what: str
    count: int


@dataclass(frozen=True, slots=True)
class Tally:
    """What corrections come to."""

    will: int = 0
    """Records that are corrected."""
    moved: int = 0
    """Those of them that go to another event."""
    changes: list[DistinctChange] = field(default_factory=list)
    """The most frequent first."""
    more_changes: int = 0
    skips: list[Skip] = field(default_factory=list)
    """Why others are skipped."""
    more_skips: int = 0
    seal: str = ""

    @property
    def skipped(self) -> int:
        """Count what is skipped, of the reasons that are shown."""
        return sum(skip.count for skip in self.skips)

    @property
    def is_move(self) -> bool:
        """Say whether several records go to another event, so that their number has to be typed."""
        return self.moved > 1

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Self:
        """Read a tally as `written` writes it."""
        changes = [DistinctChange(**one) for one in written["changes"]]
        return cls(**{**written, "changes": changes, "skips": [Skip(**one) for one in written["skips"]]})

    @property
    def written(self) -> dict[str, object]:
        """Write it as JSON."""
        return asdict(self)
