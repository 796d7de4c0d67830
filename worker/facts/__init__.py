"""What commands and pages show: bounded reads, each by an index."""

from worker.facts.batches import Chosen, batch, batches, further
from worker.facts.errors import errors, errors_further
from worker.facts.events import by_event, event, events
from worker.facts.people import LOOKED_AT, person, submission
from worker.facts.reading import EVENT, as_said, plain
from worker.facts.status import destination, status

__all__ = [
    "EVENT",
    "LOOKED_AT",
    "Chosen",
    "as_said",
    "batch",
    "batches",
    "by_event",
    "destination",
    "errors",
    "errors_further",
    "event",
    "events",
    "further",
    "person",
    "plain",
    "status",
    "submission",
]
