"""How a job is done to what is chosen: what is changed, why, to which account."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from models.correction import Change
from models.input_check import Reason
from models.tally import Tally


@dataclass(frozen=True, slots=True)
class JobParams:
    """How a job is done; of most actions there is nothing to say."""

    change: Change | None = None
    """What is corrected of all records alike."""
    because: str = ""
    """Why they are dismissed."""
    use_account: str | None = None
    """The account to which messages are submitted again, whatever account they name."""
    wrong: Sequence[Reason] = ()
    """Why lines of a corrected file cannot be used; the first of them."""
    tally: Tally | None = None
    """What a job that awaits confirmation comes to, as it was shown."""
    others: Mapping[str, object] = field(default_factory=dict)
    """What another release wrote, and this one cannot read: it is shown as it stands."""

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Self:
        """Read parameters as `written` writes them."""
        known: dict[str, Any] = {}
        others: dict[str, object] = {}
        for name, value in written.items():
            try:
                known[name] = _READ[name](value)
            except (KeyError, TypeError, ValueError):
                others[name] = value
        return cls(**known, others=others)

    @property
    def written(self) -> dict[str, object]:
        """Write them as JSON: what of them is set, by its names."""
        facts = {
            "change": None if self.change is None else self.change.written,
            "because": self.because or None,
            "use_account": self.use_account,
            "wrong": [reason.written for reason in self.wrong] or None,
            "tally": None if self.tally is None else self.tally.written,
        }
        return {name: value for name, value in facts.items() if value is not None} | dict(self.others)


_READ: Final[Mapping[str, Callable[[Any], object]]] = {
    "change": Change.read,
    "because": str,
    "use_account": str,
    "wrong": lambda written: [Reason(**one) for one in written],
    "tally": Tally.read,
}
NO_PARAMS: Final = JobParams()
