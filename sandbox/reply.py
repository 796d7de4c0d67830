"""What goes back over the connection: an answer whole, half of one, or none; and what a fault makes of an answer."""

from dataclasses import dataclass

import orjson

from sandbox.answers import HTML, JSON, SandboxAnswer, usual
from sandbox.faults import Answered, Cut, Drop, Hang, OrderedFault, Slow, Truncate

UNANSWERED = "0"
"""How the counts by status call a connection that was closed without an answer."""


@dataclass(frozen=True, slots=True)
class Reply:
    """`answer` is sent after `hang` seconds; unless it is `whole` the connection is then closed."""

    answer: SandboxAnswer | None
    hang: float = 0.0
    whole: bool = True

    @property
    def status(self) -> str:
        """The status line's, as text."""
        return str(self.answer.status) if self.answer else UNANSWERED


def spoilt(fault: OrderedFault, answer: SandboxAnswer, contact: str) -> Reply:
    """Return what a fault makes of the answer that a request would have got; `contact` is one of its inputs'."""
    match fault.happens:
        case Answered():
            return Reply(_ordered(fault.happens, answer, fault.match or contact))
        case Slow(seconds):
            return Reply(answer, hang=seconds)
        case Hang(seconds):
            return Reply(None, hang=seconds, whole=False)
        case Cut():
            return Reply(None, whole=False)
        case Truncate():
            return Reply(answer, whole=False)
        case Drop():
            return Reply(answer)


def _ordered(ordered: Answered, answer: SandboxAnswer, contact: str) -> SandboxAnswer:
    if isinstance(ordered.body, str):
        made = SandboxAnswer(ordered.status, ordered.body.encode(), {"Content-Type": HTML})
    elif ordered.body is not None:
        made = SandboxAnswer(ordered.status, orjson.dumps(ordered.body), {"Content-Type": JSON})
    elif ordered.status < 300:  # noqa: PLR2004
        made = answer.with_status(ordered.status)
    else:
        made = usual(ordered.status, contact)
    return made.with_headers(ordered.headers)
