"""The base of our Celery tasks: one that an outage ended has ended, and the outage is logged once, not by each task."""

from typing import Any

from celery import Task
from celery.exceptions import Reject

from worker.context import current
from worker.log import get_logger
from worker.metrics import count

log = get_logger(__name__)


class VerbTask(Task):  # type: ignore[misc]
    """A task whose work is done again, by the sweep, where an outage of PostgreSQL or Redis ended it."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - Celery's own
        """Do the work; an error that is no outage's is Celery's to log."""
        result = "failed"
        try:
            done = super().__call__(*args, **kwargs)
            result = "succeeded"
        except Reject:  # an outage goes on while the process stops: the message is put back
            result = "outage"
            raise
        except Exception as error:
            if not current().is_outage(error):
                raise
            result = "outage"
            log.debug("task ended early", task=self.name, error=type(error).__name__)
        else:
            return done
        finally:
            count.task(self.name, result)
        return None
